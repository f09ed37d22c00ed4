"""How fast pierhead calls AWS.

Invariant: within any stretch of t seconds at most `burst + rate * t` tokens of a bucket are taken, in the
order they were asked for, but for those that go ahead. AWS's quotas are per account and region, so buckets
are keyed by these.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Hashable

_ROUNDING = 1e-9
"""Moments that differ by less are one."""


class TokenBucket:
    """`rate` tokens a second, `burst` of them at once."""

    def __init__(
        self,
        rate: float,
        burst: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._interval = 1 / rate
        self._credit = burst * self._interval
        self._clock = clock
        self._sleep = sleep
        self._spent_until = clock() - self._credit
        self._overtaken = 0.0
        """How long those who wait have been made to wait more, ever."""
        self._ahead_until = -math.inf
        self._last_turn = -math.inf

    async def take(self, tokens: int = 1) -> None:
        """Returns when `tokens` are there. A cancelled wait has taken them all the same."""
        now = self._clock()
        self._spent_until = max(self._spent_until, now - self._credit) + tokens * self._interval
        wait, seen = self._spent_until - now, self._overtaken
        while wait > _ROUNDING:
            await self._sleep(wait)
            wait, seen = self._overtaken - seen, self._overtaken

    async def take_ahead(self) -> None:
        """Returns when one token is there, before all who wait; each of them waits for one more."""
        now = self._clock()
        waiting = self._spent_until - now
        if waiting <= _ROUNDING:
            await self.take()
            return
        # Tokens come one by one until `_spent_until`; the next of them is still to come.
        after = math.floor(waiting / self._interval - _ROUNDING) * self._interval
        moment = max(self._spent_until - after, self._ahead_until + self._interval)
        self._ahead_until = moment
        self._spent_until += self._interval
        self._overtaken += self._interval
        await self._sleep(moment - now)

    def turn(self, patience: float) -> float:
        """In how many seconds to come again instead of waiting; 0 where a token comes within `patience`.

        Each who is sent away has a moment of its own.
        """
        now = self._clock()
        if self._spent_until + self._interval - now <= patience:
            return 0.0
        self._last_turn = max(self._last_turn + self._interval, self._spent_until)
        return self._last_turn - now

    def hold(self, seconds: float) -> None:
        """Gives nothing for `seconds`, and no burst after: what a throttled answer asks for."""
        self._spent_until = max(self._spent_until, self._clock() + seconds)
        self._ahead_until = max(self._ahead_until, self._clock() + seconds)


class TokenBuckets:
    """One bucket a key, such as (account, region, service)."""

    def __init__(self, make: Callable[[], TokenBucket]) -> None:
        self._make = make
        self._buckets: dict[Hashable, TokenBucket] = {}

    def __getitem__(self, key: Hashable) -> TokenBucket:
        if key not in self._buckets:
            self._buckets[key] = self._make()
        return self._buckets[key]
