"""When what is polled is looked at again.

Invariant: keys that are due at about the same time come due together, so that their looks share calls; the
moments they come due at are sixtieths of the interval, and keys that were first seen together are spread over
all of them. Keys of one group and one interval always come due together.
"""

import math
import zlib
from collections.abc import Callable, Hashable
from random import Random
from typing import Generic, TypeVar

EARLIEST = 0.9
"""The part of an interval after which a key may be due already."""

_SLOTS = 60
_LEAST_SLOT_SECONDS = 0.05
_LEAST_SHARE = 0.1
"""Of the interval that passes between two looks at least."""

_DETOUR = 0.85
"""Less than an interval, and more than `_LEAST_SHARE` before the moment after."""

CallLater = Callable[[float, Callable[[], None]], object]
"""`loop.call_later`, for the delay in seconds."""

_Key = TypeVar("_Key", bound=Hashable)


class Refreshes(Generic[_Key]):
    """Wakes keys when they are due."""

    def __init__(self, *, clock: Callable[[], float], random: Random, call_later: CallLater) -> None:
        self._clock = clock
        self._random = random
        self._call_later = call_later
        self._slots: dict[float, set[_Key]] = {}
        self._due: dict[_Key, float] = {}
        self._wake: Callable[[_Key], None] | None = None
        self._salt = random.random()

    def start(self, wake: Callable[[_Key], None]) -> None:
        """Where keys that are due go."""
        self._wake = wake

    def due(self, key: _Key) -> bool:
        """Whether the key's time has come, or none is set."""
        return self._clock() >= self._due.get(key, -math.inf)

    def plan(
        self, key: _Key, interval: float | None, *, first: bool = False, group: str | None = None
    ) -> None:
        """Makes the key due within `interval` seconds, after nine tenths of them or more; None: never.

        The `first` time in the life of a process it is any time after a tenth. With a `group` it is after a
        tenth, at the moment that all keys of the group and the interval have: each interval one, chosen at
        random for this process.
        """
        self.discard(key)
        if interval is None:
            self._due[key] = math.inf
            return
        width = max(interval / _SLOTS, _LEAST_SLOT_SECONDS)
        if group is not None:
            slot = self._moment_of(group, interval, width)
        else:
            wanted = self._clock() + interval * self._random.uniform(_LEAST_SHARE if first else EARLIEST, 1.0)
            slot = math.ceil(wanted / width) * width
        if slot not in self._slots:
            self._slots[slot] = set()
            self._call_later(max(0.0, slot - self._clock()), lambda: self._fire(slot))
        self._slots[slot].add(key)
        self._due[key] = slot

    def hasten(self, key: _Key, interval: float, *, group: str | None = None) -> None:
        """As `plan`, at any time within `interval` where there is a group, unless the key is due by then."""
        if self._due.get(key, -math.inf) > self._clock() + interval:
            self.plan(key, interval, first=group is not None, group=group)

    def _moment_of(self, group: str, interval: float, width: float) -> float:
        """The group's next moment; where that is too near, another one which all of the group have too."""
        share = zlib.crc32(f"{self._salt} {group}".encode()) / 2**32
        phase = math.floor(share * max(1, math.floor(interval / width))) * width
        now = self._clock()
        # Half a slot on, as the moment that has just come may not be over by the clock's last digit.
        moment = (math.floor((now + width / 2 - phase) / interval) + 1) * interval + phase
        return moment if moment - now >= _LEAST_SHARE * interval else moment + _DETOUR * interval

    def stop(self) -> None:
        """No key is woken any more."""
        self._wake = None

    def discard(self, key: _Key) -> None:
        """The key is due whenever somebody asks, and is not woken."""
        self._slots.get(self._due.pop(key, math.nan), set()).discard(key)

    def _fire(self, slot: float) -> None:
        for key in self._slots.pop(slot, ()):
            del self._due[key]
            if self._wake is not None:
                self._wake(key)
