"""When a SyncedSecret is read again, and how fast its Secret is repaired.

Invariant: what only a person heals is looked at ever more rarely, and whoever insists on changing a Secret is
answered ever more slowly.
"""

import math
from collections.abc import Callable
from datetime import datetime

from pierhead.engine.refreshes import EARLIEST
from pierhead.model import seconds
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.reading.references import moment

FIRST_RETRY_SECONDS = 30.0
_TRIES = 8
_REPAIR_QUIET_SECONDS = 60.0
_LONGEST_REPAIR_SECONDS = 300.0


def interval_of(spec: SyncedSecretSpec, poll_seconds: float) -> float:
    """Seconds between two reads that nothing asks for; `poll_seconds` is the operator's setting."""
    given = spec.refresh.interval if spec.refresh is not None else None
    return seconds(given) if given else poll_seconds


def retry_seconds(failures: int, interval: float) -> float:
    """How long until a failure that only a change in AWS or by the author heals is looked at again."""
    return min(interval, FIRST_RETRY_SECONDS * 2.0 ** min(failures - 1, 20))


def renewal_seconds(status: SyncedSecretStatus, now: datetime, interval: float | None) -> float | None:
    """An interval that ends when what is in the Secret is to be had anew, or a little later, never before.

    None where `interval` ends before, or nothing there ever ends.
    """
    renew_at = moment(status.renew_at)
    if renew_at is None:
        return None
    # Never a moment too early: there would be nothing to renew yet.
    left = max(1.0, (renew_at - now).total_seconds()) / EARLIEST
    return left if interval is None or left < interval else None


def patience_seconds(status: SyncedSecretStatus, interval: float) -> float:
    """The longest time between two tries after failures: what ends must be had anew before it does."""
    renew_at, expires_at = moment(status.renew_at), moment(status.expires_at)
    if renew_at is None or expires_at is None:
        return interval
    return min(interval, max(1.0, (expires_at - renew_at).total_seconds() / _TRIES))


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
