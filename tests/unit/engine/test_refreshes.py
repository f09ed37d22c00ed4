"""Refreshes: spread over the interval, and together enough to share batches."""

import asyncio
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import ObjectKey
from support.virtual_time import now, virtual_time


def refreshes_of(seed: int = 0) -> Refreshes[ObjectKey]:
    loop = asyncio.get_running_loop()
    return Refreshes[ObjectKey](clock=now, random=Random(seed), call_later=loop.call_later)


def key_of(number: int) -> ObjectKey:
    return ObjectKey("shop", f"s{number}")


@given(st.floats(1, 100_000), st.integers(0, 100))
def test_a_key_comes_due_between_nine_tenths_of_the_interval_and_its_end(interval: float, seed: int) -> None:
    @virtual_time
    async def run() -> None:
        refreshes = refreshes_of(seed)
        woken = asyncio.Event()
        refreshes.start(lambda _key: woken.set())
        refreshes.plan(key_of(0), interval)
        assert not refreshes.due(key_of(0))
        await woken.wait()
        assert interval * 0.9 - 1e-3 <= now() <= interval * (1 + 1 / 60) + 0.06
        assert refreshes.due(key_of(0))

    run()


@virtual_time
async def test_a_thousand_objects_seen_at_once_share_few_moments_all_over_the_interval() -> None:
    refreshes = refreshes_of()
    moments: dict[float, int] = {}

    def woken(_key: ObjectKey) -> None:
        moments[now()] = moments.get(now(), 0) + 1

    refreshes.start(woken)
    for number in range(1000):
        refreshes.plan(key_of(number), 3600, first=True)
    await asyncio.sleep(3700)

    assert sum(moments.values()) == 1000
    assert 50 <= len(moments) <= 56
    assert max(moments.values()) < 50


@virtual_time
async def test_what_was_planned_anew_or_discarded_is_not_woken_for_the_old_plan() -> None:
    refreshes = refreshes_of()
    woken: list[tuple[str, float]] = []
    refreshes.start(lambda key: woken.append((key.name, now())))
    refreshes.plan(key_of(0), 10)
    refreshes.plan(key_of(1), 10)
    refreshes.plan(key_of(2), None)
    await asyncio.sleep(5)
    refreshes.discard(key_of(0))
    refreshes.plan(key_of(1), 10)

    assert refreshes.due(key_of(0))
    assert not refreshes.due(key_of(2))
    await asyncio.sleep(60)
    assert [name for name, _ in woken] == ["s1"]
    assert 14 <= woken[0][1] <= 15.3
    assert not refreshes.due(key_of(2))


@virtual_time
async def test_nobody_is_woken_after_the_end() -> None:
    refreshes = refreshes_of()
    woken: list[ObjectKey] = []
    refreshes.start(woken.append)
    refreshes.plan(key_of(0), 10)
    refreshes.stop()
    await asyncio.sleep(60)

    assert woken == []
