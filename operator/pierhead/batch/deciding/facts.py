"""Everything a decision is made from.

Invariant: values only; nothing here asks anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pierhead.batch.following.jobs import Seen
from pierhead.batch.gate import Gate
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.limits import Limits
from pierhead.batch.state import State, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision is made from."""

    limits: Limits
    state: State
    now: datetime
    settle: timedelta
    """How long an accepted job may be invisible to a look-up by name."""
    lost_after: timedelta
    """How long Batch may not know a job before that is believed."""
    leading_since: datetime
    """Before this moment another process may have submitted."""
    deleting: bool = False
    failed: bool = False
    """Whether it is Failed, so that nothing of it runs, and only a request to retry changes that."""
    request: str | None = None
    """A request to retry that was not answered yet."""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """By job id."""
    looked_up: Mapping[tuple[int, int], datetime] = field(default_factory=dict)
    """When a shard's job was last looked up by name, by `key_of`."""
    terminated: Mapping[str, datetime] = field(default_factory=dict)
    """When a job was last told to stop, by job id."""
    succeeded_now: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards that are seen to have succeeded."""
    failed_now: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards that are seen to have failed, as far as that counts."""
    barred_now: IndexSet = field(default_factory=IndexSet)
    """Those of them that must not run again."""
    fatal: Target | None = None
    """A failure that is seen and fails the whole BatchJob."""
    gate: Gate = field(default_factory=Gate)
    """What others let run."""
    refused_until: datetime | None = None
    """Until when nothing is submitted because the last attempt was refused."""
