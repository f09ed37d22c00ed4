"""Moments at which a BatchJob is due although nobody else would wake it.

Invariant: one alarm a key at most. An end that only a change can cure has no time of its own in the engine,
but a deadline passes all the same.
"""

import asyncio

from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey


class Alarms:
    """The alarms of all keys."""

    def __init__(self) -> None:
        self._wake: Wake = lambda _key: None
        self._timers: dict[ObjectKey, asyncio.TimerHandle] = {}

    def start(self, wake: Wake) -> None:
        """`wake` is called from now on."""
        self._wake = wake

    def set(self, key: ObjectKey, seconds: float | None) -> None:
        """Wakes the key after this time, in place of any alarm before; not at all for None."""
        before = self._timers.pop(key, None)
        if before is not None:
            before.cancel()
        if seconds is not None:
            self._timers[key] = asyncio.get_running_loop().call_later(max(0.0, seconds), self._ring, key)

    def stop(self) -> None:
        """Ends all alarms."""
        for key in list(self._timers):
            self.set(key, None)

    def _ring(self, key: ObjectKey) -> None:
        del self._timers[key]
        self._wake(key)
