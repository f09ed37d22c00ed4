"""Whether the watch still tells what happens.

Invariant: a change that a list brought first must come by the watch too, a little later. If it does not,
the watch is deaf, and only a new process cures it; a list that fails for long says the same of the lists.
"""

import time
from collections.abc import Callable, Collection

# A watch is seconds behind at worst; the API server's own bookmark period is one minute.
_DEAF_AFTER_SECONDS = 180.0
# Lists come every resync_seconds, a quarter either way: this many are missed before it counts.
_MISSED_LISTS = 3.0


class Freshness:
    """Compares what lists and the watch bring, for one kind."""

    def __init__(self, *, resync_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._longest_gap = resync_seconds * 1.25 * _MISSED_LISTS
        self._undelivered: dict[str, tuple[int, float]] = {}
        self._listed_at = clock()

    def listed_first(self, uid: str, resource_version: str) -> None:
        """A list brought this version before the watch did."""
        self._undelivered.setdefault(uid, (int(resource_version), self._clock()))

    def delivered(self, uid: str, resource_version: str) -> None:
        """The watch brought this version."""
        awaited = self._undelivered.get(uid)
        if awaited is not None and int(resource_version) >= awaited[0]:
            del self._undelivered[uid]

    def relisted(self, seen: Collection[str]) -> None:
        """A complete list is in; what it did not have needs no delivery any more."""
        self._listed_at = self._clock()
        for uid in [uid for uid in self._undelivered if uid not in seen]:
            del self._undelivered[uid]

    def problem(self) -> str | None:
        """What is wrong, in words; None while all is well."""
        now = self._clock()
        if now - self._listed_at > self._longest_gap:
            return f"no complete list for {now - self._listed_at:.0f} s"
        oldest = next(iter(self._undelivered.values()), None)
        if oldest is not None and now - oldest[1] > _DEAF_AFTER_SECONDS:
            return f"the watch has not told of a change that a list had {now - oldest[1]:.0f} s ago"
        return None
