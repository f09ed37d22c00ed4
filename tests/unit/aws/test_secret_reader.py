"""SecretReader: the fewest calls, and nobody pays for a neighbour's mistake."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pierhead.aws.errors import AccessDenied, AwsError, NotFound, Throttling, Unavailable, from_code
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.secretsmanager import DENIED_SECONDS, MarkedForDeletion, SecretReader
from support.virtual_time import now, settle, virtual_time

REGION = "eu-west-1"
ME = AwsIdentity()
OTHER = AwsIdentity(role_arn="arn:aws:iam::999922223333:role/other")
Handler = Callable[..., dict[str, Any]]


def error(code: str, message: str = "no", operation: str = "GetSecretValue") -> AwsError:
    return from_code(code, message, operation=operation)


class FakeAws:
    """What SecretReader asks of AwsSessions: answers after a while, and keeps count."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, AwsIdentity, dict[str, Any]]] = []
        self.seconds = 0.1
        self.broken: dict[str, AwsError] = {}
        """Error of a secret."""
        self.batch_error: AwsError | None = None
        self.pages: Callable[[list[str], str | None], dict[str, Any]] | None = None

    def client(self, service: str, *, region: str, identity: AwsIdentity) -> "FakeClient":
        assert (service, region) == ("secretsmanager", REGION)
        return FakeClient(self, identity)

    def operations(self) -> list[str]:
        return [operation for operation, _, _ in self.calls]

    def version(self, name: str) -> dict[str, Any]:
        arn = name if name.startswith("arn:") else f"arn:aws:secretsmanager:{REGION}:1:secret:{name}-AbCdEf"
        return {
            "ARN": arn,
            "Name": name.removeprefix(f"arn:aws:secretsmanager:{REGION}:1:secret:").removesuffix("-AbCdEf"),
            "VersionId": f"v-{name}",
            "SecretString": f"value of {name}",
        }

    def get_secret_value(self, SecretId: str, **version: str) -> dict[str, Any]:  # noqa: N803
        if SecretId in self.broken:
            raise self.broken[SecretId]
        return self.version(SecretId) | {"VersionId": version.get("VersionId", f"v-{SecretId}")}

    def batch_get_secret_value(self, SecretIdList: list[str], NextToken: str | None = None) -> dict[str, Any]:  # noqa: N803
        if self.batch_error is not None:
            raise self.batch_error
        if self.pages is not None:
            return self.pages(SecretIdList, NextToken)
        return {
            "SecretValues": [self.version(one) for one in SecretIdList if one not in self.broken],
            "Errors": [
                {"SecretId": one, "ErrorCode": self.broken[one].code, "Message": self.broken[one].message}
                for one in SecretIdList
                if one in self.broken
            ],
        }

    def describe_secret(self, SecretId: str) -> dict[str, Any]:  # noqa: N803
        if SecretId in self.broken:
            raise self.broken[SecretId]
        return {"DeletedDate": 1} if SecretId == "deleted" else {}


class FakeClient:
    def __init__(self, aws: FakeAws, identity: AwsIdentity) -> None:
        self._aws = aws
        self._identity = identity

    async def call(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        self._aws.calls.append((operation, self._identity, parameters))
        await asyncio.sleep(self._aws.seconds)
        handler: Handler = getattr(self._aws, operation)
        return handler(**parameters)


def reader_of(aws: FakeAws, **options: Any) -> SecretReader:
    return SecretReader(aws, clock=now, **options)  # type: ignore[arg-type]


async def read_all(reader: SecretReader, names: list[str], identity: AwsIdentity = ME) -> list[Any]:
    reads = (reader.read(identity, REGION, name) for name in names)
    return await asyncio.gather(*reads, return_exceptions=True)


@virtual_time
async def test_reads_of_one_secret_share_one_call() -> None:
    aws = FakeAws()
    found = await read_all(reader_of(aws), ["a"] * 50)

    assert {version.string for version in found} == {"value of a"}
    assert aws.operations() == ["get_secret_value"]
    assert aws.calls[0][2] == {"SecretId": "a", "VersionStage": "AWSCURRENT"}


@virtual_time
async def test_reads_that_meet_go_out_in_twenties() -> None:
    aws = FakeAws()
    names = [f"s{number}" for number in range(45)]
    found = await read_all(reader_of(aws), names)

    assert [version.string for version in found] == [f"value of {name}" for name in names]
    assert aws.operations() == ["batch_get_secret_value"] * 3
    assert [len(parameters["SecretIdList"]) for _, _, parameters in aws.calls] == [20, 20, 5]


@virtual_time
async def test_reads_that_come_while_a_batch_is_under_way_wait_for_each_other() -> None:
    aws = FakeAws()
    reader = reader_of(aws)

    async def late(number: int) -> Any:
        await asyncio.sleep(0.02 * (number // 2))
        return await reader.read(ME, REGION, f"s{number}")

    began = now()
    await asyncio.gather(*(late(number) for number in range(8)))

    assert [len(parameters["SecretIdList"]) for _, _, parameters in aws.calls] == [2, 6]
    assert now() - began < 0.25


@virtual_time
async def test_a_batch_that_hangs_holds_nobody_up_for_long() -> None:
    aws = FakeAws()
    aws.seconds = 60
    reader = reader_of(aws)
    slow = asyncio.create_task(read_all(reader, ["a", "b"]))
    await asyncio.sleep(1)
    aws.seconds = 0.1
    began = now()
    await read_all(reader, ["c", "d"])

    assert now() - began < 0.25
    await slow


@virtual_time
async def test_nothing_is_kept_once_it_is_answered() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    await read_all(reader, ["a"])
    await read_all(reader, ["a"])

    assert len(aws.calls) == 2


@virtual_time
async def test_a_read_that_begins_while_another_is_answered_gets_its_own_answer() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    names = [f"s{number}" for number in range(3)]
    aws.broken["s1"] = error("ValidationException")
    aws.pages = lambda ids, _token: {"SecretValues": [aws.version("s0")]}
    first = asyncio.create_task(read_all(reader, names))
    await asyncio.sleep(0.15)  # s0 is answered, the others are being read alone
    again = await reader.read(ME, REGION, "s0")
    await first

    assert again.string == "value of s0"


@virtual_time
async def test_identities_never_share_an_answer() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    await asyncio.gather(read_all(reader, ["a", "b"]), read_all(reader, ["a", "b"], OTHER))

    assert [(operation, identity) for operation, identity, _ in aws.calls] == [
        ("batch_get_secret_value", ME),
        ("batch_get_secret_value", OTHER),
    ]


@virtual_time
async def test_versions_by_stage_or_id_are_read_alone() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    await asyncio.gather(
        reader.read(ME, REGION, "a", version_stage="AWSPENDING"),
        reader.read(ME, REGION, "a", version_id="1" * 32),
        reader.read(ME, REGION, "a"),
        reader.read(ME, REGION, "b"),
    )

    assert sorted(aws.operations()) == ["batch_get_secret_value", "get_secret_value", "get_secret_value"]
    assert {"SecretId": "a", "VersionStage": "AWSPENDING"} in [parameters for _, _, parameters in aws.calls]
    assert {"SecretId": "a", "VersionId": "1" * 32} in [parameters for _, _, parameters in aws.calls]


@virtual_time
async def test_one_bad_secret_of_a_batch_costs_the_others_nothing() -> None:
    aws = FakeAws()
    aws.broken = {
        "gone": error("ResourceNotFoundException"),
        "denied": error("AccessDeniedException"),
        "locked": error("DecryptionFailure"),
        "marked": error("InvalidRequestException", "the secret was marked for deletion"),
        "broken": error("InternalServiceError"),
    }
    found = await read_all(reader_of(aws), ["fine", *aws.broken])

    assert [type(one) for one in found[1:]] == [
        NotFound,
        AccessDenied,
        AccessDenied,
        MarkedForDeletion,
        type(error("InternalServiceError")),
    ]
    assert found[0].string == "value of fine"
    assert aws.operations() == ["batch_get_secret_value"]


@virtual_time
async def test_each_reader_gets_an_error_of_its_own() -> None:
    aws = FakeAws()
    aws.broken["a"] = error("ResourceNotFoundException")
    first, second = await read_all(reader_of(aws), ["a", "a"])

    assert first is not second
    assert str(first) == str(second)


@virtual_time
async def test_a_denied_batch_verb_is_remembered_for_an_hour_and_for_that_identity_only() -> None:
    aws = FakeAws()
    aws.batch_error = error("AccessDeniedException", operation="BatchGetSecretValue")
    reader = reader_of(aws)
    first = await read_all(reader, ["a", "b"])
    await read_all(reader, ["a", "b"])

    assert [version.name for version in first] == ["a", "b"]
    assert aws.operations() == ["batch_get_secret_value", *["get_secret_value"] * 4]

    aws.calls.clear()
    await read_all(reader, ["a", "b"], OTHER)
    assert aws.operations()[0] == "batch_get_secret_value"

    aws.calls.clear()
    aws.batch_error = None
    await asyncio.sleep(DENIED_SECONDS)
    await read_all(reader, ["a", "b"])
    assert aws.operations() == ["batch_get_secret_value"]


@virtual_time
async def test_a_role_that_cannot_be_assumed_is_not_a_denied_batch_verb() -> None:
    aws = FakeAws()
    aws.batch_error = error("AccessDenied", operation="AssumeRole")
    found = await read_all(reader_of(aws), ["a", "b"])

    assert [type(one) for one in found] == [AccessDenied, AccessDenied]
    assert aws.operations() == ["batch_get_secret_value"]


@virtual_time
async def test_a_batch_that_aws_refuses_is_read_one_by_one() -> None:
    aws = FakeAws()
    aws.batch_error = error("ValidationException", operation="BatchGetSecretValue")
    aws.broken["bad"] = error("ValidationException")
    found = await read_all(reader_of(aws), ["good", "bad"])

    assert found[0].string == "value of good"
    assert found[1].code == "ValidationException"


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalServiceError"])
@virtual_time
async def test_a_failed_batch_fails_all_and_asks_no_more(code: str) -> None:
    aws = FakeAws()
    aws.batch_error = error(code, operation="BatchGetSecretValue")
    found = await read_all(reader_of(aws), ["a", "b"])

    assert [one.code for one in found] == [code, code]
    assert len(aws.calls) == 1


@virtual_time
async def test_a_throttle_holds_what_comes_after() -> None:
    aws = FakeAws()
    aws.batch_error = from_code("ThrottlingException", "slow", operation="BatchGetSecretValue", after=7)
    reader = reader_of(aws)
    first = await read_all(reader, ["a", "b"])
    aws.batch_error = None
    began = now()
    await read_all(reader, ["a", "b"])

    assert isinstance(first[0], Throttling)
    assert now() - began >= 7


@virtual_time
async def test_pages_are_read_to_the_end_also_empty_ones() -> None:
    aws = FakeAws()

    def pages(ids: list[str], token: str | None) -> dict[str, Any]:
        following = {None: "1", "1": "2", "2": None}[token]
        page: dict[str, Any] = {"NextToken": following} if following else {}
        if token == "1":
            page["SecretValues"] = [aws.version(ids[0])]
        if token == "2":
            page["SecretValues"] = [aws.version(ids[1])]
        return page

    aws.pages = pages
    found = await read_all(reader_of(aws), ["a", "b"])

    assert [version.name for version in found] == ["a", "b"]
    assert aws.operations() == ["batch_get_secret_value"] * 3


@virtual_time
async def test_what_a_batch_says_nothing_of_is_read_alone() -> None:
    aws = FakeAws()
    aws.pages = lambda ids, _token: {"SecretValues": [aws.version(ids[0])]}
    found = await read_all(reader_of(aws), ["a", "b"])

    assert [version.name for version in found] == ["a", "b"]
    assert aws.operations() == ["batch_get_secret_value", "get_secret_value"]


@virtual_time
async def test_arns_and_partial_arns_find_their_secret() -> None:
    aws = FakeAws()
    arn = f"arn:aws:secretsmanager:{REGION}:1:secret:"
    aws.pages = lambda _ids, _token: {"SecretValues": [aws.version("shop/a"), aws.version("shop/b")]}
    found = await read_all(reader_of(aws), [f"{arn}shop/a", f"{arn}shop/b-AbCdEf"])

    assert [version.name for version in found] == ["shop/a", "shop/b"]
    assert len(aws.calls) == 1


@virtual_time
async def test_a_reader_that_gives_up_costs_the_others_nothing() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    impatient = asyncio.create_task(reader.read(ME, REGION, "a"))
    patient = asyncio.create_task(reader.read(ME, REGION, "a"))
    await settle()
    impatient.cancel()

    assert (await patient).string == "value of a"
    assert len(aws.calls) == 1


@virtual_time
async def test_a_bug_reaches_those_who_wait() -> None:
    aws = FakeAws()
    aws.pages = lambda _ids, _token: {"SecretValues": [{"unexpected": 1}]}
    found = await read_all(reader_of(aws), ["a", "b"])

    assert [type(one) for one in found] == [KeyError, KeyError]


@virtual_time
async def test_closing_ends_what_is_under_way() -> None:
    aws = FakeAws()
    reader = reader_of(aws)
    waiting = asyncio.create_task(read_all(reader, ["a", "b"]))
    await asyncio.sleep(0.05)
    await reader.close()

    assert [type(one) for one in await waiting] == [Unavailable, Unavailable]


@virtual_time
async def test_calls_keep_below_the_quota() -> None:
    aws = FakeAws()
    aws.batch_error = error("AccessDeniedException", operation="BatchGetSecretValue")
    reader = reader_of(aws, gets_per_second=10)
    await read_all(reader, ["x", "y"])
    began = now()
    await read_all(reader, [f"s{number}" for number in range(50)])

    assert now() - began > 3.5


@virtual_time
async def test_only_absence_or_a_deletion_mark_proves_that_a_secret_is_gone() -> None:
    aws = FakeAws()
    aws.broken = {
        "missing": error("ResourceNotFoundException"),
        "denied": error("AccessDeniedException"),
        "away": error("InternalServiceError"),
    }
    reader = reader_of(aws)

    assert await reader.is_gone(ME, REGION, "missing")
    assert await reader.is_gone(ME, REGION, "deleted")
    assert not await reader.is_gone(ME, REGION, "there")
    for unproven in ("denied", "away"):
        with pytest.raises(AwsError):
            await reader.is_gone(ME, REGION, unproven)


@virtual_time
async def test_a_version_shows_no_value() -> None:
    version = await reader_of(FakeAws()).read(ME, REGION, "a")

    assert "value of a" not in repr(version)
