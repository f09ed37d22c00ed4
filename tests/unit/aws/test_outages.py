"""An outage costs one call at a time, and its end is noticed once."""

import asyncio

import pytest

from pierhead.aws.errors import AccessDenied, AwsError, Unavailable
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.outages import FAILURES, PATIENCE_SECONDS, Outages
from pierhead.aws.sharing import Lane
from support.virtual_time import now, virtual_time

HERE = Lane(AwsIdentity(), "eu-west-1")
THERE = Lane(AwsIdentity(), "us-east-1")


class Aws:
    """Something to ask that fails as it is told."""

    def __init__(self) -> None:
        self.failure: AwsError | None = Unavailable("away")
        self.seconds = 10.0
        self.asked = 0
        self.back: list[Lane] = []
        self.outages = Outages(self.back.append)

    async def ask(self) -> str:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.failure is not None:
            raise self.failure
        return "answer"

    async def call(self, lane: Lane = HERE) -> str:
        return await self.outages.call(lane, self.ask)

    async def fail(self, times: int = FAILURES) -> None:
        for _ in range(times):
            with pytest.raises(AwsError):
                await self.call()


@virtual_time
async def test_while_a_lane_is_away_one_call_asks_and_the_others_share_its_failure() -> None:
    aws = Aws()
    await aws.fail()
    asked, began = aws.asked, now()
    results = await asyncio.gather(*(aws.call() for _ in range(50)), return_exceptions=True)

    assert aws.asked == asked + 1
    assert {str(result) for result in results} == {"away"}
    assert len({id(result) for result in results}) == 50
    assert now() - began == pytest.approx(aws.seconds)


@virtual_time
async def test_who_waits_goes_on_when_the_lane_is_back_and_that_is_told_once() -> None:
    aws = Aws()
    await aws.fail()
    aws.failure, aws.seconds = None, PATIENCE_SECONDS / 2

    assert set(await asyncio.gather(*(aws.call() for _ in range(10)))) == {"answer"}
    assert aws.asked == FAILURES + 10
    assert aws.back == [HERE]


@virtual_time
async def test_a_few_failures_and_refusals_are_no_outage() -> None:
    aws = Aws()
    await aws.fail(FAILURES - 1)
    aws.failure = AccessDenied("no")
    await aws.fail(5)
    aws.failure = Unavailable("away")
    await aws.fail(FAILURES - 1)
    asked = aws.asked
    await asyncio.gather(*(aws.call() for _ in range(4)), return_exceptions=True)

    assert aws.asked == asked + 4
    assert aws.back == []


@virtual_time
async def test_lanes_have_their_own_weather() -> None:
    aws = Aws()
    await aws.fail()
    slow = asyncio.create_task(aws.call())
    await asyncio.sleep(0.1)
    asked = aws.asked
    await asyncio.gather(aws.call(THERE), aws.call(THERE), return_exceptions=True)

    assert aws.asked == asked + 2
    await asyncio.gather(slow, return_exceptions=True)


@virtual_time
async def test_a_cancelled_call_leaves_the_way_free_for_the_next() -> None:
    aws = Aws()
    await aws.fail()
    task = asyncio.create_task(aws.call())
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    aws.failure = None

    assert await aws.call() == "answer"
