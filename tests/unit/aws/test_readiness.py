"""Whoever waits for an identity's credentials hears the one answer that there is."""

import asyncio
from collections.abc import Callable

import pytest

from pierhead.aws import readiness
from pierhead.aws.errors import AccessDenied, AwsError
from pierhead.aws.readiness import Readiness


class Session:
    def __init__(self) -> None:
        self.warmed = False

    def usable(self) -> bool:
        return self.warmed

    def warm(self) -> None:
        self.warmed = True


class Threads:
    """Ends each run with the next of `answers`; `ended` is set in the same turn of the event loop."""

    def __init__(self, *answers: AwsError | None) -> None:
        self.answers = list(answers)
        self.runs = 0
        self.ended = asyncio.Event()

    async def run(self, function: Callable[[], None], _operation: str) -> AwsError | None:
        self.runs += 1
        await asyncio.sleep(0)
        self.ended.set()
        answer = self.answers.pop(0)
        if answer is None:
            function()
        return answer


def of(session: Session, clock: Callable[[], float] = lambda: 0.0) -> Readiness:
    return Readiness(session, clock)  # type: ignore[arg-type]


async def test_many_wait_for_one_answer() -> None:
    entry, threads = of(Session()), Threads(None)
    await asyncio.gather(*(entry.ready(threads.run) for _ in range(20)))
    assert threads.runs == 1


async def test_who_comes_in_the_turn_of_a_refusal_is_refused_too() -> None:
    entry, threads = of(Session()), Threads(AccessDenied("no"))

    async def late() -> None:
        await threads.ended.wait()
        await entry.ready(threads.run)

    found = await asyncio.gather(late(), entry.ready(threads.run), late(), return_exceptions=True)
    assert [type(error) for error in found] == [AccessDenied] * 3
    assert threads.runs == 1


async def test_a_refusal_is_believed_for_a_while() -> None:
    now = 0.0
    entry, threads = of(Session(), lambda: now), Threads(AccessDenied("no"), None)
    for _ in range(2):
        with pytest.raises(AccessDenied):
            await entry.ready(threads.run)
    assert threads.runs == 1
    now = readiness.REFUSED_SECONDS
    await entry.ready(threads.run)
    assert threads.runs == 2


async def test_one_who_gives_up_takes_nobody_along() -> None:
    entry, threads = of(Session()), Threads(None)
    first = asyncio.ensure_future(entry.ready(threads.run))
    second = asyncio.ensure_future(entry.ready(threads.run))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert threads.runs == 1
