"""What Batch last said of one job, in the terms decisions are made in.

Invariant: the counts of a job always add up to its size, whatever Batch's own summary, which lags, says.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from pierhead.batch.ledgers.indexes import IndexSet

SUCCEEDED = "SUCCEEDED"
FAILED = "FAILED"

STOP_MARK = "pierhead:"
"""What the reason of every termination of ours begins with."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Indexes by Batch's states."""

    submitted: int = 0
    pending: int = 0
    runnable: int = 0
    starting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, entry.name) + getattr(other, entry.name) for entry in fields(Counts)))

    @property
    def active(self) -> int:
        """Those that have not ended."""
        return self.submitted + self.pending + self.runnable + self.starting + self.running

    @property
    def ended(self) -> int:
        """Those that have."""
        return self.succeeded + self.failed

    @classmethod
    def of_summary(cls, summary: Mapping[str, int], size: int) -> "Counts":
        """Batch's statusSummary of an array of `size`, made to add up: ends are believed first, then the
        states nearest to them; who is in no state counts as submitted.
        """
        left = size
        found = {}
        for name in ("succeeded", "failed", "running", "starting", "runnable", "pending"):
            found[name] = max(0, min(left, summary.get(name.upper(), 0)))
            left -= found[name]
        return cls(submitted=left, **found)

    @classmethod
    def of_status(cls, status: str) -> "Counts":
        """The counts of a single job."""
        name = status.lower()
        known = name in {entry.name for entry in fields(cls)}
        return cls(**{name if known else "submitted": 1})


@dataclass(frozen=True, slots=True)
class Interrupted:
    """What the loss of hosts has ended, and not the application: never more than is true."""

    indexes: int = 0
    """Runs of indexes whose last attempt was ended so."""
    attempts: int = 0
    """Attempts."""

    def __add__(self, other: "Interrupted") -> "Interrupted":
        return Interrupted(self.indexes + other.indexes, self.attempts + other.attempts)

    def at_least(self, other: "Interrupted") -> "Interrupted":
        """The greater figures of both."""
        return Interrupted(max(self.indexes, other.indexes), max(self.attempts, other.attempts))


@dataclass(frozen=True, slots=True)
class Seen:
    """One job as it was last seen."""

    status: str
    counts: Counts
    reason: str = ""
    """Batch's statusReason."""
    interruptions: int = 0
    """Attempts of a single job that ended because their host was lost."""
    stopped: bool = False
    """Whether somebody terminated or cancelled it, ended or not."""
    missing_since: datetime | None = None
    """Since when Batch does not know it."""
    missing_until: datetime | None = None
    """When Batch last said so."""
    ended_since: datetime | None = None
    """Since when it is known to have ended."""

    @property
    def ended(self) -> bool:
        """Whether it is in a final state."""
        return self.status in {SUCCEEDED, FAILED}

    @property
    def idle(self) -> bool:
        """Whether indexes wait for capacity and none has any."""
        return self.counts.runnable > 0 and not self.counts.starting and not self.counts.running

    @property
    def stopped_by_us(self) -> bool:
        """Whether it was told to stop by pierhead."""
        return self.reason.startswith(STOP_MARK)

    def missing(self, now: datetime) -> "Seen":
        """The same job, when Batch did not know it at `now`."""
        return replace(self, missing_since=self.missing_since or now, missing_until=now)


@dataclass(frozen=True, slots=True)
class FailedChild:
    """Why one child of an array, or a single job, failed."""

    place: int
    """Its number among the indexes of the shard, from 0."""
    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None
    attempts: int = 0
    interruptions: int = 0
    """Attempts that ended because their host was lost."""
    log_group: str | None = None
    log_stream: str | None = None


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What is known about the children of an array that still runs; never more than is true."""

    succeeded: IndexSet = field(default_factory=IndexSet)
    """Places of children that succeeded."""
    failed: IndexSet = field(default_factory=IndexSet)
    """Places of children that failed."""
    lost: IndexSet = field(default_factory=IndexSet)
    """Those of them whose host was lost."""
    details: tuple[FailedChild, ...] = ()
    """The first few that failed."""
    stuck: str | None = None
    """Why Batch cannot start a runnable child; empty where it does not say, None while not asked."""

    @property
    def interrupted(self) -> Interrupted:
        """What of it the loss of hosts has ended."""
        return interrupted(self.lost, self.details)


def interrupted(lost: IndexSet, details: Iterable[FailedChild]) -> Interrupted:
    """What is known of failures of which those at `lost` came by the loss of a host."""
    known = {child.place: child.interruptions for child in details}
    untold = len(lost) - sum(1 for place, count in known.items() if place in lost and count)
    return Interrupted(len(lost), sum(known.values()) + untold)


def just_submitted(size: int) -> Seen:
    """A job that Batch accepted a moment ago."""
    return Seen(status="SUBMITTED", counts=Counts(submitted=size))
