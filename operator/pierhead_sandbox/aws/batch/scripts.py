"""Which script decides an attempt.

Invariant: the answer depends only on the scripts, the job's name, the index and the attempt's number, never
on the order in which children run.
"""

import hashlib
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.settings import Script
from pierhead_sandbox.aws.batch.states import in_intervals, parse_intervals


@dataclass(frozen=True, slots=True)
class _Compiled:
    script: Script
    indexes: tuple[tuple[int, int], ...] | None
    attempts: tuple[tuple[int, int], ...] | None

    def applies(self, job: Job, index: int, attempt: int) -> bool:
        script = self.script
        if not (fnmatchcase(job.name, script.job_name) and fnmatchcase(job.queue.name, script.queue)):
            return False
        if self.indexes is not None and not (job.is_array and in_intervals(index, self.indexes)):
            return False
        if self.attempts is not None and not in_intervals(attempt, self.attempts):
            return False
        return script.share >= 1 or _lot(job.name, index) < script.share


class ScriptBook:
    """The scripts in force."""

    def __init__(self) -> None:
        self._scripts: list[_Compiled] = []

    def add(self, script: Script) -> None:
        """Put a script in force, above the older ones."""
        self._scripts.insert(
            0,
            _Compiled(
                script,
                None if script.indexes is None else parse_intervals(script.indexes),
                None if script.attempts is None else parse_intervals(script.attempts),
            ),
        )

    def clear(self) -> None:
        """Back to jobs that succeed."""
        self._scripts.clear()

    def find(self, job: Job, index: int, attempt: int) -> Script | None:
        """The newest script that matches."""
        for compiled in self._scripts:
            if compiled.applies(job, index, attempt):
                return compiled.script
        return None


def _lot(name: str, index: int) -> float:
    digest = hashlib.blake2b(f"{name}/{index}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
