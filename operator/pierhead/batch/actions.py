"""What can be done next for a BatchJob: the vocabulary between `decide` and what carries it out."""

from dataclasses import dataclass
from datetime import datetime

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model.status import Shard
from pierhead.batch.state import Target
from pierhead.batch.submitting.shards import Part


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do before `until`, or before an event."""

    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Wait for the first look at the jobs."""


@dataclass(frozen=True, slots=True)
class Refused:
    """There is something to submit, and the last refusal still holds."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Start:
    """Work begins, or is resumed: the start time is now; `again` plans the indexes that are missing anew.

    With `waits` it is no longer suspended and has not begun either: others are not ready yet.
    """

    again: bool
    waits: bool = False


@dataclass(frozen=True, slots=True)
class Suspend:
    """Work is suspended, although something may run on for a while."""


@dataclass(frozen=True, slots=True)
class Again:
    """What has not succeeded is to run again, as was asked: the BatchJob is no longer Failed."""

    request: str


@dataclass(frozen=True, slots=True)
class Decline:
    """A request to retry is answered by no."""

    request: str
    why: str


@dataclass(frozen=True, slots=True)
class Aim:
    """The BatchJob is to end."""

    target: Target


@dataclass(frozen=True, slots=True)
class LookUp:
    """Find out by name whether these shards' jobs are in Batch."""

    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Submit:
    """Record the intent and submit: new shards, and shards of which it is certain that no job exists."""

    parts: tuple[Part, ...]
    again: tuple[Shard, ...] = ()


@dataclass(frozen=True, slots=True)
class Harvest:
    """Read the results of jobs that ended."""

    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Lose:
    """Batch does not know these jobs any more: their results cannot be read."""

    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Drop:
    """Nothing of these shards is in Batch, or anything about them of interest."""

    shards: tuple[Shard, ...]


@dataclass(frozen=True, slots=True)
class Terminate:
    """Stop these jobs."""

    shards: tuple[Shard, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Advance:
    """Begin the next round."""


@dataclass(frozen=True, slots=True)
class Plan:
    """These indexes run in the round, of which nothing has been submitted."""

    indexes: IndexSet


@dataclass(frozen=True, slots=True)
class Finish:
    """Complete or Failed for this reason; None: every index has succeeded."""

    target: Target | None


@dataclass(frozen=True, slots=True)
class Release:
    """The object may go: nothing of it is in Batch."""


Action = (
    Rest | Look | Refused | Start | Suspend | Aim | LookUp | Submit | Harvest | Lose | Drop
    | Terminate | Advance | Plan | Again | Decline | Finish | Release
)  # fmt: skip
