"""ParameterReader: ten to a call, and nobody pays for a neighbour's mistake."""

import asyncio
from typing import Any

import pytest

from pierhead.aws.errors import AccessDenied, AwsError, NotFound, Throttling, from_code
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.parameters import ParameterReader
from support.virtual_time import virtual_time

REGION = "eu-west-1"
ME = AwsIdentity()
OTHER = AwsIdentity(role_arn="arn:aws:iam::999922223333:role/other")
ARN = f"arn:aws:ssm:{REGION}:1:parameter"


def error(code: str) -> AwsError:
    return from_code(code, "no", operation="GetParameters")


class FakeAws:
    """What ParameterReader asks of AwsSessions; knows all but what is broken or missing."""

    def __init__(self) -> None:
        self.calls: list[tuple[AwsIdentity, list[str]]] = []
        self.broken: dict[str, AwsError] = {}
        self.missing: set[str] = set()

    def client(self, service: str, *, region: str, identity: AwsIdentity) -> "FakeClient":
        assert (service, region) == ("ssm", REGION)
        return FakeClient(self, identity)

    def get_parameters(self, names: list[str]) -> dict[str, Any]:
        for name in names:
            if name in self.broken:
                raise self.broken[name]
        return {
            "Parameters": [self.parameter(name) for name in names if name not in self.missing],
            "InvalidParameters": [name for name in names if name in self.missing],
        }

    def parameter(self, asked: str) -> dict[str, Any]:
        path, _, selector = asked.removeprefix(ARN).partition(":")
        found = {"Name": path, "ARN": f"{ARN}{path}", "Version": 3, "Value": f"value of {path}"}
        return found | ({"Selector": f":{selector}"} if selector else {})


class FakeClient:
    def __init__(self, aws: FakeAws, identity: AwsIdentity) -> None:
        self._aws = aws
        self._identity = identity

    async def call(self, operation: str, *, Names: list[str], WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        assert (operation, WithDecryption) == ("get_parameters", True)
        self._aws.calls.append((self._identity, Names))
        await asyncio.sleep(0.1)
        return self._aws.get_parameters(Names)


async def read_all(aws: FakeAws, names: list[str], identity: AwsIdentity = ME) -> list[Any]:
    reader = ParameterReader(aws)  # type: ignore[arg-type]
    return await asyncio.gather(
        *(reader.read(identity, REGION, name) for name in names), return_exceptions=True
    )


@virtual_time
async def test_reads_that_meet_go_out_in_tens() -> None:
    aws = FakeAws()
    names = [f"/shop/{number}" for number in range(25)]
    found = await read_all(aws, names)
    assert [parameter.value for parameter in found] == [f"value of {name}" for name in names]
    assert sorted(len(asked) for _, asked in aws.calls) == [5, 10, 10]


@virtual_time
async def test_equal_reads_share_an_answer_and_identities_do_not() -> None:
    aws = FakeAws()
    reader = ParameterReader(aws)  # type: ignore[arg-type]
    await asyncio.gather(*(reader.read(who, REGION, "/shop/a") for who in (ME, OTHER, ME)))
    assert aws.calls == [(ME, ["/shop/a"]), (OTHER, ["/shop/a"])]


@virtual_time
async def test_a_parameter_is_found_by_each_of_its_names() -> None:
    names = ["/shop/a", f"{ARN}/shop/a", "/shop/a:3", f"{ARN}/shop/a:live"]
    assert [found.value for found in await read_all(FakeAws(), names)] == ["value of /shop/a"] * 4


@pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException", "ParameterVersionNotFound"])
@virtual_time
async def test_one_that_cannot_be_read_costs_no_other_its_answer(code: str) -> None:
    aws = FakeAws()
    aws.broken["/shop/bad"] = error(code)
    good, bad = await read_all(aws, ["/shop/good", "/shop/bad"])
    assert good.value == "value of /shop/good"
    assert isinstance(bad, type(error(code)))


@virtual_time
async def test_one_that_is_missing_is_told_by_name() -> None:
    aws = FakeAws()
    aws.missing.add("/shop/b")
    found, missing = await read_all(aws, ["/shop/a", "/shop/b"])
    assert found.version == 3
    assert isinstance(missing, NotFound)
    assert "/shop/b does not exist in eu-west-1" in str(missing)
    assert len(aws.calls) == 1


@virtual_time
async def test_what_fails_for_all_is_asked_once() -> None:
    aws = FakeAws()
    aws.broken["/shop/a"] = error("ThrottlingException")
    found = await read_all(aws, ["/shop/a", "/shop/b"])
    assert [type(one) for one in found] == [Throttling, Throttling]
    assert found[0] is not found[1]
    assert len(aws.calls) == 1


@virtual_time
async def test_a_refused_role_is_told_to_each() -> None:
    aws = FakeAws()
    for name in ("/shop/a", "/shop/b"):
        aws.broken[name] = error("AccessDenied")
    assert all(isinstance(one, AccessDenied) for one in await read_all(aws, ["/shop/a", "/shop/b"]))


@virtual_time
async def test_a_value_is_in_no_representation() -> None:
    (found,) = await read_all(FakeAws(), ["/shop/a"])
    assert "value of" not in repr(found)
