"""Refreshes: spread over the interval, and together enough to share batches."""

import asyncio
from random import Random

import pytest
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


@given(st.floats(1, 100_000), st.integers(0, 100), st.floats(0, 1))
def test_a_group_comes_due_together_every_interval_after_a_first_time(
    interval: float, seed: int, late: float
) -> None:
    @virtual_time
    async def run() -> None:
        refreshes = refreshes_of(seed)
        moments: dict[str, list[float]] = {"s0": [], "s1": []}

        def woken(key: ObjectKey) -> None:
            moments[key.name].append(now())
            refreshes.plan(key, interval, group="shop/db")

        refreshes.start(woken)
        refreshes.plan(key_of(0), interval, first=True, group="shop/db")
        await asyncio.sleep(interval * late)
        refreshes.plan(key_of(1), interval, first=True, group="shop/db")
        await asyncio.sleep(6 * interval)

        one, other = moments["s0"], moments["s1"]
        assert one[-2:] == other[-2:]
        assert one[-1] - one[-2] == pytest.approx(interval)
        assert 0.1 * interval - 1e-3 <= one[0] <= interval * (1 + 1 / 60) + 0.06

    run()


@virtual_time
async def test_groups_are_spread_over_the_interval() -> None:
    refreshes = refreshes_of()
    moments = set()
    refreshes.start(lambda _key: moments.add(now()))
    for number in range(500):
        refreshes.plan(key_of(number), 3600, first=True, group=f"shop/{number}")
    await asyncio.sleep(3700)

    assert len(moments) > 50


@virtual_time
async def test_a_group_that_is_planned_over_some_time_is_one_from_its_first_moment_on() -> None:
    refreshes = refreshes_of()
    moments: dict[str, set[float]] = {}

    def woken(key: ObjectKey) -> None:
        group = f"shop/{int(key.name[1:]) % 50}"
        moments.setdefault(group, set()).add(now())
        refreshes.plan(key, 3600, group=group)

    refreshes.start(woken)
    for number in range(1000):
        refreshes.plan(key_of(number), 3600, first=True, group=f"shop/{number % 50}")
        await asyncio.sleep(0.01)
    await asyncio.sleep(3600)
    moments.clear()
    await asyncio.sleep(3600)

    assert [len(found) for found in moments.values()] == [1] * 50
