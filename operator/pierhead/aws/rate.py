"""How fast pierhead calls AWS.

Invariant: within any stretch of t seconds at most `burst + rate * t` tokens of a bucket are taken, in the
order they were asked for. AWS's quotas are per account and region, so buckets are keyed by these.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable


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

    async def take(self, tokens: int = 1) -> None:
        """Returns when `tokens` are there. A cancelled wait has taken them all the same."""
        now = self._clock()
        self._spent_until = max(self._spent_until, now - self._credit) + tokens * self._interval
        if self._spent_until > now:
            await self._sleep(self._spent_until - now)

    def hold(self, seconds: float) -> None:
        """Gives nothing for `seconds`, and no burst after: what a throttled answer asks for."""
        self._spent_until = max(self._spent_until, self._clock() + seconds)


class TokenBuckets:
    """One bucket a key, such as (account, region, service)."""

    def __init__(self, make: Callable[[], TokenBucket]) -> None:
        self._make = make
        self._buckets: dict[Hashable, TokenBucket] = {}

    def __getitem__(self, key: Hashable) -> TokenBucket:
        if key not in self._buckets:
            self._buckets[key] = self._make()
        return self._buckets[key]
