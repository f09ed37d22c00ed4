"""What dependencies let run. Pure.

Invariant: an index that is let run once stays so: what was ready is not looked at again.
"""

from dataclasses import dataclass, field
from datetime import datetime

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.state import Target
from pierhead.engine.conditions import Condition
from pierhead.engine.outcome import ReconcileError

FAILED = "DependencyFailed"
WAITING = "WaitingForDependencies"
CONDITION = "DependenciesMet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What of a BatchJob may run, as far as others are concerned."""

    wanted: bool = False
    """Whether the BatchJob has dependencies at all."""
    lacking: str = ""
    """What is waited for, in words; empty when all is there."""
    closed: bool = False
    """Whether nothing at all may begin."""
    ready: IndexSet | None = None
    """The indexes that may run; None: all."""
    never: IndexSet = field(default_factory=IndexSet)
    """Indexes that what they wait for has ended without."""
    failed: Target | None = None
    """Why nothing can ever begin."""
    error: ReconcileError | None = None
    """What somebody has to change before more can run."""
    until: datetime | None = None
    """When to look again where no event tells of a change."""

    @property
    def restricted(self) -> bool:
        """Whether not every index may run."""
        return self.ready is not None or bool(self.never)

    @property
    def waiting(self) -> str:
        """What is waited for, as a message."""
        return f"waiting for {self.lacking}" if self.lacking else ""

    def conditions(self, target: Target | None) -> list[Condition]:
        """What the status says of them; `target` is why the BatchJob is to end."""
        if not self.wanted:
            return []
        if target is not None and target.reason == FAILED:
            return [Condition(CONDITION, "False", FAILED, target.message)]
        if self.error is not None:
            return [Condition(CONDITION, "False", self.error.reason, str(self.error))]
        if self.lacking:
            return [Condition(CONDITION, "False", WAITING, self.waiting)]
        return [Condition(CONDITION, "True", CONDITION, "everything in spec.dependsOn is ready")]
