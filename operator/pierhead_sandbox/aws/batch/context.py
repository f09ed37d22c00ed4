"""What the parts of the Batch share.

Invariant: used only under the world's lock. `Processes` and `emit` must return at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from pierhead_sandbox.aws.batch.clock import Clock
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.scripts import ScriptBook
from pierhead_sandbox.aws.batch.settings import BatchSettings
from pierhead_sandbox.aws.batch.timers import Timers


class Processes(Protocol):
    """Runs attempts as local processes; each end comes back through `World.process_ended`."""

    def start(self, job: Job, index: int, attempt: int) -> None:
        """Begin an attempt."""

    def stop(self, job: Job, index: int, attempt: int, grace_seconds: float) -> bool:
        """SIGTERM, and SIGKILL after the grace period; False where the attempt is no process."""

    def clear(self) -> None:
        """Kill everything; nothing of it comes back."""


class Emit(Protocol):
    """Told of each change of state, after it."""

    @property
    def wanted(self) -> bool:
        """Whether anybody listens; lets bulk changes skip the telling."""

    def __call__(self, job: Job, index: int | None) -> None:
        """A child's state changed, or with None the parent's."""

    def clear(self) -> None:
        """Forget what was not told yet."""


@dataclass(slots=True)
class Context:
    """Switches, scripts, time and the two ways out."""

    emit: Emit
    processes: Processes
    forget: Callable[[Job], None]
    clock: Clock = field(default_factory=Clock)
    timers: Timers = field(default_factory=Timers)
    scripts: ScriptBook = field(default_factory=ScriptBook)
    settings: BatchSettings = field(default_factory=BatchSettings)

    def after(self, seconds: float, callback: Callable[..., None], *arguments: object) -> None:
        """Call back `seconds` from now."""
        self.timers.add(self.clock.now() + seconds, callback, *arguments)
