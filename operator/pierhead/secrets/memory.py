"""What this process remembers of the SyncedSecrets it has seen to: how they stand and when they are due.

Invariant: what is remembered holds no value, and can be lost at any time: a pass over the object then reads
AWS once more and finds everything else in the status.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pierhead.engine.conditions import Condition
from pierhead.engine.outcome import Outcome, ReconcileError, Waiting
from pierhead.engine.properties import Fault
from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import ObjectKey, Resource
from pierhead.model import RECONCILE_AT
from pierhead.secrets import report
from pierhead.secrets.decide import is_due
from pierhead.secrets.freshness import Freshness
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.reading.due import Due
from pierhead.secrets.refresh import (
    Repairs,
    interval_of,
    patience_seconds,
    renewal_seconds,
    retry_seconds,
)

_ANNOTATION_LIMIT = 256

InPlace = Callable[[Resource, SyncedSecretStatus], bool]
"""Whether the Secret is as the status tells, as far as the watch knows."""

Cadence = Callable[[SyncedSecretSpec, float], float]
"""How long, in seconds, until the next read of an object that has this interval."""


@dataclass(frozen=True, slots=True)
class Past:
    """How the last complete pass over an object ended."""

    generation: int
    stored: bytes
    """The status, as JSON: a tenth of what the model takes, and there is one for every object."""

    fault: Fault | None
    text: str
    failures: int
    repairs: Repairs
    stale: tuple[Condition, ...] = ()
    """Condition Stale, where it is true."""

    @property
    def status(self) -> SyncedSecretStatus:
        """The status that was true then."""
        return SyncedSecretStatus.model_validate_json(self.stored)

    def outcome(self, status: SyncedSecretStatus, after: float | None = None) -> Outcome:
        """How the object stands with this status; its restarts are looked at in `after` seconds."""
        return Outcome(
            status=report.fields(status),
            conditions=(*report.conditions(status, self.fault, self.text), *self.stale),
            requeue_after=after,
        )


class Memory:
    """The past of every object, and its next refresh."""

    def __init__(
        self,
        refreshes: Refreshes[ObjectKey],
        due: Due,
        freshness: Freshness,
        *,
        poll_seconds: float,
        clock: Callable[[], float],
        cadence: Cadence = lambda _spec, interval: interval,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._now = now
        self._refreshes = refreshes
        self._due = due
        self._freshness = freshness
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._cadence = cadence
        self._past: dict[ObjectKey, Past] = {}
        self._intervals: dict[ObjectKey, float] = {}

    def forget(self, key: ObjectKey) -> None:
        """Drops the object."""
        self._past.pop(key, None)
        self._intervals.pop(key, None)
        self._refreshes.discard(key)
        self._freshness.forget(key)

    def hasten(self, keys: Iterable[ObjectKey], within: float | None = None) -> None:
        """These are to be read within so many seconds, or else within every interval of their own again."""
        for key in keys:
            if key in self._intervals:
                interval = self._intervals[key] if within is None else within
                self._refreshes.hasten(key, interval, group=self._due.group(key) if within is None else None)

    def make_due(self, key: ObjectKey) -> None:
        """The next pass reads AWS, whatever was planned."""
        self._refreshes.discard(key)

    def unmoved(self, key: ObjectKey, interval: float) -> None:
        """What the object is made of was looked at and has not moved: the next look is an interval on."""
        self._freshness.read(key)
        self._refreshes.plan(key, interval, group=self._due.group(key))

    def settled(
        self, resource: Resource, spec: SyncedSecretSpec, stored: SyncedSecretStatus, in_place: InPlace
    ) -> Past | None:
        """How the object stands, if there is nothing to read.

        Raises Waiting when the Secret is to be repaired and was too often of late.
        """
        past = self._past.get(resource.key)
        if past is None:
            return self._read_once(resource, spec, stored, in_place)
        status = past.status
        asked = (past.generation, status.reconcile_at) != (resource.generation, reconcile_at(resource))
        if asked or self._refreshes.due(resource.key):
            return None
        if in_place(resource, status):
            return past
        wait = past.repairs.wait()
        if wait > 0:
            raise Waiting(
                f"somebody else keeps changing the Secret; it is repaired again in {wait:.0f} s",
                reason="Contested",
                after=wait,
            )
        return None

    def end(
        self,
        resource: Resource,
        spec: SyncedSecretSpec,
        status: SyncedSecretStatus,
        *,
        fault: Fault | None = None,
        text: str = "",
    ) -> Outcome:
        """Ends a complete pass: plans the next refresh, and says how the object stands."""
        before = self._past.get(resource.key)
        failures = 0 if fault is None else (before.failures if before else 0) + 1
        interval, group = interval_of(spec, self._poll_seconds), self._due.group(resource.key)
        stale: tuple[Condition, ...] = ()
        if fault is not None:
            stale = self._freshness.failed(resource, status, interval)
            patience = patience_seconds(status, interval)
            self._refreshes.plan(resource.key, retry_seconds(failures, patience), group=group)
        else:
            once = spec.refresh is not None and spec.refresh.mode == "Once"
            self._freshness.read(resource.key, again=not once)
            self._intervals[resource.key] = interval
            swept = spec.refresh is not None and spec.refresh.version_sweep
            planned = None if once else interval if swept else self._cadence(spec, interval)
            sooner = renewal_seconds(status, self._now(), planned)
            first = before is None and sooner is None
            self._refreshes.plan(resource.key, sooner or planned, first=first, group=group)
        status = status.model_copy(update={"reconcile_at": reconcile_at(resource)})
        repairs = before.repairs if before else Repairs(self._clock)
        past = Past(resource.generation, b"", fault, text, failures, repairs, stale)
        return self.keep(resource, past, status)

    def failed(
        self, resource: Resource, spec: SyncedSecretSpec, stored: SyncedSecretStatus, error: ReconcileError
    ) -> None:
        """Ends a pass that raised: the next one reads. Adds to the error whether the object is stale, and
        which annotation was answered, unless it is tried again.
        """
        self._refreshes.discard(resource.key)
        interval = interval_of(spec, self._poll_seconds)
        error.conditions = self._freshness.failed(resource, stored, interval)
        if error.terminal and error.status is None:
            error.status = report.fields(stored.model_copy(update={"reconcile_at": reconcile_at(resource)}))

    def past(self, key: ObjectKey) -> Past:
        """How the last complete pass over the object ended. Raises KeyError where there was none."""
        return self._past[key]

    def keep(
        self, resource: Resource, past: Past, status: SyncedSecretStatus, after: float | None = None
    ) -> Outcome:
        """How the object stands, with what changed in its status since."""
        stored = status.model_dump_json(by_alias=True, exclude_none=True, exclude={"conditions"}).encode()
        self._past[resource.key] = replace(past, stored=stored)
        return past.outcome(status, after)

    def _read_once(
        self, resource: Resource, spec: SyncedSecretSpec, stored: SyncedSecretStatus, in_place: InPlace
    ) -> Past | None:
        """How an object stands that a process before this one has read, and that is not to be read again."""
        ready = next((one for one in stored.conditions or () if one.type == "Ready"), None)
        if (
            spec.refresh is None
            or spec.refresh.mode != "Once"
            or ready is None
            or ready.status != "True"
            or stored.observed_generation != resource.generation
            or stored.reconcile_at != reconcile_at(resource)
            or (stored.renew_at is not None and is_due(stored, self._now()))
            or not in_place(resource, stored)
        ):
            return None
        self.end(resource, spec, stored, text=ready.message)
        return self._past[resource.key]


def reconcile_at(resource: Resource) -> str | None:
    """The annotation that asks for a reconcile."""
    return resource.annotations.get(RECONCILE_AT, "")[:_ANNOTATION_LIMIT] or None
