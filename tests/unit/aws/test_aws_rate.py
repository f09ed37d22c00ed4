"""Token buckets keep their rate, whoever takes and whenever."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.rate import TokenBucket, TokenBuckets
from support.virtual_time import now, virtual_time


@virtual_time
async def test_a_burst_is_free_and_the_rest_waits_its_turn() -> None:
    bucket = TokenBucket(10, 5, clock=now)
    times: list[float] = []

    async def one() -> None:
        await bucket.take()
        times.append(round(now(), 3))

    await asyncio.gather(*(one() for _ in range(8)))

    assert times == [0, 0, 0, 0, 0, 0.1, 0.2, 0.3]


@given(
    st.lists(st.tuples(st.floats(0, 0.5), st.booleans()), max_size=30), st.integers(1, 20), st.integers(1, 10)
)
def test_no_stretch_of_time_sees_more_than_burst_and_rate(
    takes: list[tuple[float, bool]], rate: int, burst: int
) -> None:
    @virtual_time
    async def run() -> None:
        bucket = TokenBucket(rate, burst, clock=now)
        taken: list[float] = []

        async def one(*, ahead: bool) -> None:
            await (bucket.take_ahead() if ahead else bucket.take())
            taken.append(now())

        async with asyncio.TaskGroup() as group:
            for pause, ahead in takes:
                await asyncio.sleep(pause)
                group.create_task(one(ahead=ahead))
        for first, start in enumerate(taken):
            for last in range(first, len(taken)):
                assert last - first + 1 <= burst + rate * (taken[last] - start) + 1e-6

    run()


@virtual_time
async def test_who_goes_ahead_waits_for_the_next_token_only() -> None:
    bucket = TokenBucket(10, 1, clock=now)
    times: list[tuple[str, float]] = []

    async def one(who: str) -> None:
        await (bucket.take_ahead() if who == "ahead" else bucket.take())
        times.append((who, round(now(), 3)))

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(one("in line"))
        await asyncio.sleep(0.05)
        group.create_task(one("ahead"))
        group.create_task(one("ahead"))

    assert times == [
        ("in line", 0),
        ("ahead", 0.1),
        ("ahead", 0.2),
        ("in line", 0.3),
        ("in line", 0.4),
        ("in line", 0.5),
    ]


@virtual_time
async def test_who_would_wait_for_long_is_sent_away_each_until_another_moment() -> None:
    bucket = TokenBucket(10, 1, clock=now)
    assert bucket.turn(1) == 0
    waiting = asyncio.create_task(bucket.take(21))
    await asyncio.sleep(0)

    assert [round(bucket.turn(1), 3) for _ in range(3)] == [2, 2.1, 2.2]
    await asyncio.sleep(1.5)
    assert bucket.turn(1) == 0
    await waiting


@virtual_time
async def test_nobody_goes_ahead_while_the_bucket_is_held() -> None:
    bucket = TokenBucket(10, 5, clock=now)
    bucket.hold(3)
    await bucket.take_ahead()

    assert round(now(), 3) == 3.1


@virtual_time
async def test_a_held_bucket_gives_nothing_and_then_no_burst() -> None:
    bucket = TokenBucket(10, 5, clock=now)
    bucket.hold(3)
    await bucket.take()
    first = now()
    await bucket.take()

    assert (round(first, 3), round(now(), 3)) == (3.1, 3.2)


def test_each_key_has_its_own_bucket() -> None:
    buckets = TokenBuckets(lambda: TokenBucket(1, 1))

    assert buckets["a", "eu-west-1"] is buckets["a", "eu-west-1"]
    assert buckets["a", "eu-west-1"] is not buckets["b", "eu-west-1"]
