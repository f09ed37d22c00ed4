"""One read for everybody who waits: answers are held as long as they are wanted, and never too old."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pierhead.aws import held
from pierhead.aws.errors import AwsError, NotFound
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.secretsmanager import SecretReader, SecretVersion
from support.virtual_time import now, settle, virtual_time

REGION = "eu-west-1"
ME = AwsIdentity()
OTHER = AwsIdentity(role_arn="arn:aws:iam::999922223333:role/other")


class CountingAws:
    """Secrets whose value is the number of the read, or what `answer` makes of it."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.answer: Callable[[str, int], str] = lambda name, count: f"{name} {count}"

    def client(self, _service: str, **_where: Any) -> "CountingAws":
        return self

    async def call(self, operation: str, /, **request: Any) -> dict[str, Any]:
        await asyncio.sleep(0.1)
        ids = request.get("SecretIdList") or [request["SecretId"]]
        found = [self._version(name) for name in ids]
        return {"SecretValues": found} if operation == "batch_get_secret_value" else found[0]

    def _version(self, name: str) -> dict[str, Any]:
        self.reads.append(name)
        text = self.answer(name, self.reads.count(name))
        return {"ARN": f"arn:{name}", "Name": name, "VersionId": f"v {text}", "SecretString": text}


def reader_of(aws: CountingAws, *wanted: str) -> SecretReader:
    return SecretReader(aws, clock=now, wanted=set(wanted).__contains__)  # type: ignore[arg-type]


async def text_of(reader: SecretReader, name: str, not_before: float, identity: AwsIdentity = ME) -> str:
    return (await reader.read(identity, REGION, name, not_before=not_before)).string or ""


@virtual_time
async def test_an_answer_serves_who_was_due_before_it_was_asked_for_and_nobody_else() -> None:
    aws = CountingAws()
    reader = reader_of(aws, "a")
    await text_of(reader, "a", now())
    since = now()
    await asyncio.sleep(5)

    assert await text_of(reader, "a", 0.0) == "a 1"
    assert await text_of(reader, "a", since) == "a 2"
    assert await text_of(reader, "a", since) == "a 2"
    assert await text_of(reader, "a", since, OTHER) == "a 3"


@virtual_time
async def test_a_call_under_way_serves_nobody_who_came_due_since() -> None:
    aws = CountingAws()
    reader = reader_of(aws)
    early = asyncio.create_task(text_of(reader, "a", now()))
    await asyncio.sleep(0.05)
    late = asyncio.create_task(text_of(reader, "a", now()))

    assert await asyncio.gather(early, late) == ["a 1", "a 2"]


@virtual_time
async def test_what_nobody_waits_for_is_not_held() -> None:
    aws = CountingAws()
    wanted = {"a"}
    reader = SecretReader(aws, clock=now, wanted=wanted.__contains__)  # type: ignore[arg-type]
    await asyncio.gather(text_of(reader, "a", 0.0), text_of(reader, "b", 0.0))
    assert len(reader._held) == 1
    wanted.clear()
    reader.sweep()

    assert len(reader._held) == 0
    assert await text_of(reader, "a", 0.0) == "a 2"


@virtual_time
async def test_an_answer_is_let_go_after_a_minute_whoever_waits() -> None:
    aws = CountingAws()
    reader = reader_of(aws, "a", "b")
    await text_of(reader, "a", 0.0)
    await asyncio.sleep(held.HELD_SECONDS / 2)
    await text_of(reader, "b", 0.0)
    await asyncio.sleep(held.HELD_SECONDS / 2 + 1)

    assert len(reader._held) == 1
    await asyncio.sleep(held.HELD_SECONDS / 2)
    assert len(reader._held) == 0


@virtual_time
async def test_held_answers_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "HELD_BYTES", 10)
    aws = CountingAws()
    aws.answer = lambda name, _count: "x" * (4 if name != "large" else 11)
    reader = reader_of(aws, "a", "b", "c", "large")
    for name in ("a", "b", "c", "large"):
        await text_of(reader, name, 0.0)

    assert [read.secret_id for read in reader._held._held] == ["b", "c"]


@virtual_time
async def test_a_failure_is_held_like_an_answer_and_raised_as_a_copy() -> None:
    aws = CountingAws()

    def missing(_name: str, _count: int) -> str:
        error = NotFound("not there")
        error.code = "ResourceNotFoundException"
        raise error

    aws.answer = missing
    reader = reader_of(aws, "a")
    raised: list[AwsError] = []
    for _ in range(3):
        try:
            await text_of(reader, "a", 0.0)
        except AwsError as error:
            raised.append(error)

    assert [str(error) for error in raised] == ["not there"] * 3
    assert len({id(error) for error in raised}) == 3
    assert aws.reads == ["a"]


@virtual_time
async def test_nothing_is_held_after_the_end() -> None:
    reader = reader_of(CountingAws(), "a")
    await text_of(reader, "a", 0.0)
    await reader.close()

    assert len(reader._held) == 0


@virtual_time
async def test_a_held_value_is_in_no_representation() -> None:
    aws = CountingAws()
    aws.answer = lambda _name, _count: "canary"
    reader = reader_of(aws, "a")
    await text_of(reader, "a", 0.0)
    await settle()

    assert "canary" not in repr(next(iter(reader._held._held.values())))
    assert SecretVersion.size(await reader.read(ME, REGION, "a", not_before=0.0)) == 6
