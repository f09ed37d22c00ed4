"""When objects are read again.

Invariant: objects that are due at about the same time come due together, so that their reads share batches;
the moments they come due at are sixtieths of the interval, and objects that were first seen together are
spread over all of them.
"""

import math
from collections.abc import Callable
from random import Random

from pierhead.engine.resource import ObjectKey

FIRST_RETRY_SECONDS = 30.0
_SLOTS = 60
_LEAST_SLOT_SECONDS = 0.05
_REPAIR_QUIET_SECONDS = 60.0
_LONGEST_REPAIR_SECONDS = 300.0

CallLater = Callable[[float, Callable[[], None]], object]
"""`loop.call_later`, for the delay in seconds."""


class Refreshes:
    """Wakes keys when they are due."""

    def __init__(self, *, clock: Callable[[], float], random: Random, call_later: CallLater) -> None:
        self._clock = clock
        self._random = random
        self._call_later = call_later
        self._slots: dict[float, set[ObjectKey]] = {}
        self._due: dict[ObjectKey, float] = {}
        self._wake: Callable[[ObjectKey], None] | None = None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Where keys that are due go."""
        self._wake = wake

    def due(self, key: ObjectKey) -> bool:
        """Whether the key's time has come, or none is set."""
        return self._clock() >= self._due.get(key, -math.inf)

    def plan(self, key: ObjectKey, interval: float | None, *, first: bool = False) -> None:
        """Makes the key due within `interval` seconds, after nine tenths of them or more; None: never.

        The `first` time in the life of a process it is any time after a tenth.
        """
        self.discard(key)
        if interval is None:
            self._due[key] = math.inf
            return
        width = max(interval / _SLOTS, _LEAST_SLOT_SECONDS)
        wanted = self._clock() + interval * self._random.uniform(0.1 if first else 0.9, 1.0)
        slot = math.ceil(wanted / width) * width
        if slot not in self._slots:
            self._slots[slot] = set()
            self._call_later(max(0.0, slot - self._clock()), lambda: self._fire(slot))
        self._slots[slot].add(key)
        self._due[key] = slot

    def stop(self) -> None:
        """No key is woken any more."""
        self._wake = None

    def discard(self, key: ObjectKey) -> None:
        """The key is due whenever somebody asks, and is not woken."""
        self._slots.get(self._due.pop(key, math.nan), set()).discard(key)

    def _fire(self, slot: float) -> None:
        for key in self._slots.pop(slot, ()):
            del self._due[key]
            if self._wake is not None:
                self._wake(key)


def retry_seconds(failures: int, interval: float) -> float:
    """How long until a failure that only a change in AWS or by the author heals is looked at again."""
    return min(interval, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))


class Repairs:
    """How fast one object's Secret is repaired: at once, but ever slower against somebody who insists."""

    __slots__ = ("_clock", "_count", "_last")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._count = 0
        self._last = -math.inf

    def wait(self) -> float:
        """Seconds until the next repair may be made; counts it when that is now."""
        now = self._clock()
        if now - self._last > _REPAIR_QUIET_SECONDS + _LONGEST_REPAIR_SECONDS:
            self._count = 0
        pause = min(2.0 ** (self._count - 2), _LONGEST_REPAIR_SECONDS) if self._count > 1 else 0.0
        wait = max(0.0, self._last + pause - now)
        if wait == 0.0:
            self._count += 1
            self._last = now
        return wait
