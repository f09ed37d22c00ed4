"""The Batch with its surroundings: events out, processes out, and back in.

Invariant: after `stop` no thread and no process of it is left.
"""

from pathlib import Path

from pierhead_sandbox.aws.batch.events import Publisher
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.runner import Runner
from pierhead_sandbox.aws.batch.settings import BatchSettings
from pierhead_sandbox.aws.batch.world import World
from pierhead_sandbox.aws.bus import Bus


class Playhouse:
    """Wires the world to the event bus and to local processes."""

    def __init__(self, bus: Bus, directory: Path | None) -> None:
        self._publisher = Publisher(bus, self._now, self._settings)
        self._runner = Runner(directory, self._ended)
        self.world = World(self._publisher, self._runner)

    def _now(self) -> float:
        return self.world.now()

    def _settings(self) -> BatchSettings:
        return self.world.settings

    def _ended(self, job: Job, index: int, attempt: int, exit_code: int | None, reason: str) -> None:
        self.world.process_ended(job, index, attempt, exit_code, reason)

    def start(self, url: str) -> None:
        """Begin; processes will find AWS at `url`."""
        self._runner.use_endpoint(url)
        self._publisher.start()
        self.world.start()

    def stop(self) -> None:
        """End everything."""
        self.world.stop()
        self._runner.close()
        self._publisher.stop()
