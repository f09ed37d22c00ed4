"""Names of Batch jobs.

Invariant: a job's name follows from its BatchJob, round and shard alone, and no two of them share one; so
a job that may have been accepted can be looked up. Lower case, because Batch looks names up without regard
to case; at most 128 of `[A-Za-z0-9_-]`, beginning with a letter or digit.
"""

import re
from dataclasses import dataclass

_FOREIGN = re.compile(r"[^a-z0-9-]+")
_BASE_LIMIT = 90
_UID_LENGTH = 8


@dataclass(frozen=True, slots=True)
class JobNames:
    """The job names of one BatchJob."""

    base: str

    @classmethod
    def of(cls, namespace: str, name: str, uid: str) -> "JobNames":
        """The names of this BatchJob. The uid tells it from one deleted and created again."""
        readable = _FOREIGN.sub("-", f"{namespace}-{name}".lower())[:_BASE_LIMIT].rstrip("-")
        return cls(f"{readable}-{uid.lower()[:_UID_LENGTH]}")

    def job(self, round_number: int, shard: int) -> str:
        """The name of one shard's job in one round."""
        return f"{self.base}-r{round_number}-s{shard}"

    def prefix(self, round_number: int) -> str:
        """What the names of all jobs of one round begin with."""
        return f"{self.base}-r{round_number}-s"
