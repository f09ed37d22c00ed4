"""What is told about the runs of indexes.

Invariant: labels are of a fixed set, and no BatchJob, queue or index is in any. A run is counted when its
job's results are read; where they could not be written, and are read again, it counts again.
"""

from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter

End = Literal["succeeded", "failed", "interrupted", "lost"]
"""How a run ended. interrupted: its host was lost, and Batch had no attempt left. failed: by itself. lost:
Batch forgot it before its result was read. Runs that pierhead stopped count in none."""

_ENDS: Final[tuple[End, ...]] = ("succeeded", "failed", "interrupted", "lost")


class RunMetrics:
    """The series of all BatchJobs together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        runs = Counter("pierhead_batch_index_runs", "Runs of indexes by end.", ("end",), registry=registry)
        self._runs = {end: runs.labels(end) for end in _ENDS}
        self._interruptions = Counter(
            "pierhead_batch_interruptions",
            "Attempts that are known to have ended because their host was lost.",
            registry=registry,
        )

    def ended(self, end: End, count: int) -> None:
        """So many runs ended so."""
        self._runs[end].inc(count)

    def interrupted(self, attempts: int) -> None:
        """So many attempts lost their host."""
        self._interruptions.inc(attempts)
