"""What one process remembers of a BatchJob between two reconciles.

Invariant: nothing here is needed for correctness after a crash; it only saves calls, and what an answer of
AWS said before it could be written.
"""

from dataclasses import dataclass, field
from datetime import datetime

from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.model.status import Shard
from pierhead.batch.state import State, key_of
from pierhead.engine.outcome import ReconcileError


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is submitted for a while."""

    error: ReconcileError
    until: datetime
    wish: tuple[int, str]
    """The object's generation and its annotation that forces a reconcile; another wish is tried at once."""


@dataclass(slots=True)
class Memory:
    """About one BatchJob, by its uid."""

    uid: str
    looked_up: dict[tuple[int, int], datetime] = field(default_factory=dict)
    terminated: dict[str, datetime] = field(default_factory=dict)
    answers: dict[tuple[int, int], Shard] = field(default_factory=dict)
    """What became of submissions, by shard, until it is in the stored status."""
    refusal: Refusal | None = None
    _layout: Layout | None = None

    def overlaid(self, state: State) -> State:
        """The stored state with the answers that were not written any more."""
        known = []
        for shard in state.open:
            answer = self.answers.get(key_of(shard))
            if answer is not None and shard.state == "Intent":
                known.append(answer)
        return state.with_open(known)

    def keep_to(self, state: State) -> None:
        """Drops what is about shards that are not open any more."""
        keys = {key_of(shard) for shard in state.open}
        ids = {shard.job_id for shard in state.open}
        self.looked_up = {key: moment for key, moment in self.looked_up.items() if key in keys}
        self.answers = {key: shard for key, shard in self.answers.items() if key in keys}
        self.terminated = {job: moment for job, moment in self.terminated.items() if job in ids}

    def indexes_of(self, state: State, shard: Shard) -> IndexSet:
        """The indexes a shard of the round runs, in the order of its children."""
        if self._layout is None or self._layout.indexes != state.ledger.plan:
            self._layout = Layout(state.ledger.plan)
        return self._layout.part(shard.first, shard.size)
