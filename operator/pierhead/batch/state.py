"""A BatchJob's progress as one immutable value, and the steps it can take.

Invariant: every step leaves the shards of the round disjoint, and together they are the `planned` lowest
indexes of its plan; nothing here knows a clock, Batch or the API server.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.batch.following.jobs import Interrupted
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.model.status import (
    MOST_ENDED,
    BatchJobStatus,
    Failure,
    Interruptions,
    Retry,
    Shard,
    ShardState,
)
from pierhead.batch.retrying import refused
from pierhead.batch.submitting.shards import Part

OPEN_STATES = frozenset({"Intent", "Refused", "Submitted"})


@dataclass(frozen=True, slots=True)
class Target:
    """Why the BatchJob is to end: it does as soon as nothing of it runs any more."""

    reason: str
    message: str
    success: bool = False
    """Whether it is Complete then, and not Failed."""


@dataclass(frozen=True, slots=True)
class State:
    """Everything durable about one BatchJob that has not finished."""

    ledger: Ledger
    planned: int = 0
    """How many indexes of the round's plan are in shards already."""
    next_shard: int = 0
    open: tuple[Shard, ...] = ()
    ended: tuple[Shard, ...] = ()
    """The last few shards that ended, oldest first."""
    failures: tuple[Failure, ...] = ()
    lost: int = 0
    interrupted: Interrupted = field(default_factory=Interrupted)
    """Of the shards that ended."""
    start_time: datetime | None = None
    suspended: bool = False
    target: Target | None = None
    retry: Retry | None = None
    """The last answer to a request to retry."""
    met: tuple[int, ...] = ()
    """Numbers of the dependencies that were ready, ascending."""
    job_definition: str | None = None
    role: str | None = None
    """The role that a ServiceAccount's annotation named when something was submitted last."""
    spec_digest: str | None = None

    @property
    def begun(self) -> bool:
        """Whether anything may have been submitted, in this round or before."""
        return self.planned > 0 or self.ledger.round > 0

    @property
    def round_ended(self) -> bool:
        """Whether every index of the round's plan has had its run."""
        return not self.open and self.planned >= len(self.ledger.plan)

    def intending(self, parts: Iterable[Part], again: Iterable[Shard], now: datetime) -> "State":
        """With new shards for these stretches, and shards sent once more, all about to be submitted."""
        since = to_text(now)
        renewed = {
            key_of(shard): shard.model_copy(
                update={"state": "Intent", "since": since, "tries": shard.tries + 1}
            )
            for shard in again
        }
        fresh = [
            Shard(
                round=self.ledger.round,
                shard=self.next_shard + number,
                first=part.first,
                size=part.size,
                state="Intent",
                since=since,
                tries=1,
            )
            for number, part in enumerate(parts)
        ]
        return replace(
            self,
            open=(*(renewed.get(key_of(shard), shard) for shard in self.open), *fresh),
            planned=self.planned + sum(shard.size for shard in fresh),
            next_shard=self.next_shard + len(fresh),
        )

    def with_open(self, changed: Iterable[Shard]) -> "State":
        """With these open shards in place of those of the same round and number."""
        changes = {key_of(shard): shard for shard in changed}
        return replace(self, open=tuple(changes.get(key_of(shard), shard) for shard in self.open))

    def closing(self, shard: Shard, state: ShardState, now: datetime) -> "State":
        """With an open shard ended."""
        closed = shard.model_copy(update={"state": state, "since": to_text(now), "interrupted": None})
        return replace(
            self.without([shard]),
            ended=(*self.ended, closed)[-MOST_ENDED:],
            interrupted=self.interrupted + part_of(shard),
        )

    def without(self, dropped: Iterable[Shard]) -> "State":
        """Without these open shards, of which nothing is or will be in Batch."""
        gone = {key_of(shard) for shard in dropped}
        return replace(self, open=tuple(shard for shard in self.open if key_of(shard) not in gone))

    def advanced(self, limit: int) -> "State":
        """At the start of the next round."""
        return replace(self, ledger=self.ledger.advance(limit), planned=0, next_shard=0)

    def retried(self, request: str) -> "State":
        """With all that has not succeeded yet to be run, and nothing counted against it."""
        count = self.retry.count if self.retry else 0
        return replace(
            self,
            ledger=self.ledger.again(),
            planned=0,
            next_shard=0,
            lost=0,
            start_time=None,
            target=None,
            retry=Retry(request=request, count=count + 1),
        )

    def refusing(self, request: str, why: str) -> "State":
        """With a request to retry answered by no."""
        return replace(self, retry=refused(self.retry, request, why))


def key_of(shard: Shard) -> tuple[int, int]:
    """What tells the shards of one BatchJob apart."""
    return shard.round, shard.shard


def load(status: BatchJobStatus, conditions: Iterable[Mapping[str, Any]], ledger: Ledger) -> State:
    """The state a stored status and the index record describe.

    The record is written before the status. A record that is a round ahead has the results of every shard
    the status still has as open: they ended, and the status was not written any more.
    """
    shards = tuple(status.shards or ())
    current = status.round == ledger.round
    still_open = tuple(
        shard for shard in shards if shard.state in OPEN_STATES and shard.round == ledger.round
    )
    return State(
        ledger=ledger,
        planned=status.planned if current else 0,
        next_shard=status.next_shard if current else 0,
        open=still_open,
        ended=tuple(shard for shard in shards if shard.state not in OPEN_STATES),
        failures=tuple(status.failures or ()),
        lost=status.lost,
        interrupted=_of_ended(status.interruptions, still_open),
        start_time=to_moment(status.start_time) if status.start_time else None,
        suspended=status.suspended,
        target=_target(conditions),
        retry=status.retry,
        met=tuple(status.met or ()),
        job_definition=status.job_definition,
        role=status.role,
        spec_digest=status.spec_digest,
    )


def finished(conditions: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the BatchJob became Complete or Failed; None while it is neither."""
    for condition in conditions:
        if condition.get("type") in {"Complete", "Failed"} and condition.get("status") == "True":
            return to_moment(str(condition["lastTransitionTime"]))
    return None


def part_of(shard: Shard) -> Interrupted:
    """What is known of an open shard."""
    return Interrupted(*shard.interrupted) if shard.interrupted else Interrupted()


def _of_ended(known: Interruptions | None, still_open: Iterable[Shard]) -> Interrupted:
    """What is known in all, less what is of the open shards."""
    total = Interrupted(known.indexes, known.attempts) if known is not None else Interrupted()
    for part in map(part_of, still_open):
        total = Interrupted(max(0, total.indexes - part.indexes), max(0, total.attempts - part.attempts))
    return total


def _target(conditions: Iterable[Mapping[str, Any]]) -> Target | None:
    for condition in conditions:
        if (
            condition.get("type") in {"FailureTarget", "SuccessCriteriaMet"}
            and condition.get("status") == "True"
        ):
            success = condition["type"] == "SuccessCriteriaMet"
            return Target(str(condition.get("reason")), str(condition.get("message")), success)
    return None


def to_text(moment: datetime) -> str:
    """A moment as Kubernetes writes it. Rounded up to a second: waits counted from it are never too short."""
    rounded = moment + timedelta(microseconds=999_999)
    return rounded.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_moment(text: str) -> datetime:
    """What `to_text` wrote. Raises ValueError."""
    return datetime.fromisoformat(text)
