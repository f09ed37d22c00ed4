"""Many requests at once, but not all."""

import asyncio

import pytest

from pierhead.engine.outcome import Transient
from pierhead.kube.bounded import gathered


async def test_results_come_in_order_and_no_more_than_so_many_are_under_way() -> None:
    under_way: list[int] = [0, 0]

    async def one(number: int) -> int:
        under_way[0] += 1
        under_way[1] = max(under_way)
        await asyncio.sleep(0)
        under_way[0] -= 1
        return number

    assert await gathered(map(one, range(10)), 3) == list(range(10))
    assert under_way[1] == 3


async def test_an_error_is_raised_as_it_is_and_ends_the_others() -> None:
    """An outage fails several at once: in a group it would be taken for a bug."""
    ended: list[int] = []

    async def fail() -> None:
        raise Transient("no answer")

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    with pytest.raises(Transient, match="no answer") as raised:
        await gathered([fail(), wait(), fail()], 3)
    assert ended == [1]
    assert raised.value.__context__ is None
