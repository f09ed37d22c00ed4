"""While AWS does not answer, one call at a time finds out whether it does again.

Invariant: after `FAILURES` calls of a lane in a row that failed in a way that passes, and until one is
answered, be it by a refusal, one new call at a time goes out; whoever else would call waits for that one's
end, `PATIENCE_SECONDS` at most, and shares its failure. So an outage of one region or role takes one thread,
and ends without a herd.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from pierhead.aws.errors import AwsError, Unavailable
from pierhead.aws.sharing import Lane

FAILURES: Final = 3
PATIENCE_SECONDS: Final = 0.5

_T = TypeVar("_T")


@dataclass(slots=True)
class _Away:
    """A lane whose last call failed."""

    failure: Unavailable
    count: int = 0
    """Failures in a row."""
    probe: "asyncio.Future[None] | None" = None
    """Done when the one call under way has ended."""


class Outages:
    """Which lanes are away."""

    def __init__(self, back: Callable[[Lane], None] = lambda _lane: None) -> None:
        """`back` is told of a lane that was away and is answered again."""
        self._back = back
        self._away: dict[Lane, _Away] = {}

    async def call(self, lane: Lane, ask: Callable[[], Awaitable[_T]]) -> _T:
        """What `ask` gives. Raises what it raises, and what others were told who asked instead."""
        away = self._away.get(lane)
        if away is None or away.count < FAILURES:
            return await self._ask(lane, ask)
        if away.probe is not None:
            await asyncio.wait({away.probe}, timeout=PATIENCE_SECONDS)
            if self._away.get(lane) is away:
                raise away.failure.copy()
            return await self._ask(lane, ask)
        away.probe = asyncio.get_running_loop().create_future()
        try:
            return await self._ask(lane, ask)
        finally:
            away.probe.set_result(None)
            away.probe = None

    async def _ask(self, lane: Lane, ask: Callable[[], Awaitable[_T]]) -> _T:
        try:
            answer = await ask()
        except Unavailable as error:
            away = self._away.setdefault(lane, _Away(error))
            away.failure, away.count = error, away.count + 1
            raise
        except AwsError:
            self._answered(lane)
            raise
        self._answered(lane)
        return answer

    def _answered(self, lane: Lane) -> None:
        away = self._away.pop(lane, None)
        if away is not None and away.count >= FAILURES:
            self._back(lane)
