"""How long ago each SyncedSecret was last read.

Invariants: an age that is told is never more than the true one, so nothing is called stale that is not; what
is told changes once, when an age passes its limit while reads fail. Only Secrets that exist age.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nlargest
from typing import Final

from pierhead.engine.conditions import READY, Condition
from pierhead.engine.resource import ObjectKey, Resource
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.settings import Settings

STALE: Final = "Stale"
MOST_NAMESPACES: Final = 50
"""Namespaces that the metric names: those with the oldest Secrets."""

METRIC: Final = "pierhead_syncedsecret_oldest_read_age_seconds"
METRIC_LABEL: Final = "object_namespace"
"""Not `namespace`, which Prometheus gives to the namespace of what it scrapes."""

METRIC_TEXT: Final = (
    "Time since the last good read of the SyncedSecret that waits for one longest, by namespace; "
    f"the {MOST_NAMESPACES} oldest."
)

_UNITS: Final = (("d", 86400), ("h", 3600), ("m", 60))


@dataclass(frozen=True, slots=True)
class Limits:
    """From which age on a Secret whose reads fail is stale: so many intervals, and no less than `least`."""

    intervals: float = 3.0
    least: float = 900.0

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """As the operator is set."""
        return cls(settings.secret_stale_intervals, settings.secret_stale_seconds)

    def of_interval(self, interval: float) -> float:
        """The limit in seconds for what is read every `interval` seconds."""
        return max(self.least, self.intervals * interval)


@dataclass(frozen=True, slots=True)
class _Read:
    at: float
    again: bool
    """Whether another read is due some time."""

    failing: float | None = None
    """When the first read after it failed."""


class Freshness:
    """The last good read of every object."""

    def __init__(
        self,
        limits: Limits,
        *,
        clock: Callable[[], float],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._now = now
        self._reads: dict[ObjectKey, _Read] = {}

    def read(self, key: ObjectKey, *, again: bool = True) -> None:
        """The Secret holds now what AWS holds; `again`: whether that will be looked at another time."""
        self._reads[key] = _Read(self._clock(), again)

    def failed(
        self, resource: Resource, stored: SyncedSecretStatus, interval: float
    ) -> tuple[Condition, ...]:
        """Condition Stale, once the last good read is too long ago for this interval in seconds."""
        if stored.target is None:
            self.forget(resource.key)
            return ()
        now, last = self._clock(), self._reads.get(resource.key)
        at = last.at if last is not None else now - self._known_age(stored)
        failing = at if last is None else now if last.failing is None else last.failing
        self._reads[resource.key] = _Read(at, again=True, failing=failing)
        limit = self._limits.of_interval(interval)
        # While events arrive hours may pass between two good reads: the first that fails makes nothing stale.
        if now - at < limit or now - failing < limit - interval:
            return ()
        text = (
            f"no read has succeeded for more than {shown(limit)}; "
            "the Secret keeps what was read last, and Ready says what is wrong"
        )
        return (Condition(STALE, "True", "ReadsFail", text),)

    def forget(self, key: ObjectKey) -> None:
        """Drops the object."""
        self._reads.pop(key, None)

    def oldest(self) -> Mapping[str, float]:
        """The greatest age in seconds by namespace, of the namespaces where it is greatest."""
        now = self._clock()
        ages: dict[str, float] = {}
        for key, read in self._reads.items():
            if read.again:
                ages[key.namespace] = max(ages.get(key.namespace, 0.0), now - read.at)
        return dict(nlargest(MOST_NAMESPACES, ages.items(), key=lambda item: item[1]))

    def _known_age(self, stored: SyncedSecretStatus) -> float:
        """How long reads have failed at least, by what a process before this one has told."""
        for condition in stored.conditions or ():
            if condition.type == READY and condition.status == "False":
                try:
                    since = datetime.fromisoformat(condition.last_transition_time)
                    return max(0.0, (self._now() - since).total_seconds())
                except (TypeError, ValueError):
                    return 0.0
        return 0.0


def shown(seconds: float) -> str:
    """A length of time in its greatest whole unit: `3h`, `15m`, `100s`."""
    for unit, size in _UNITS:
        if seconds >= size and seconds % size == 0:
            return f"{int(seconds // size)}{unit}"
    return f"{seconds:g}s"
