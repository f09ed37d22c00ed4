"""Batch's own events, as hints. Pure.

Invariant: an event decides nothing: it only makes a job that is followed be looked at before its time. Of an
array only its end counts: its children tell of themselves tens of thousands of times. Source: AWS Batch user
guide, "Batch job events".
"""

from dataclasses import dataclass
from typing import Final

from pierhead.aws.events import AwsEvent

SOURCE: Final = "aws.batch"
_ENDS: Final = frozenset({"SUCCEEDED", "FAILED"})
_BLOCKED: Final = "Batch Job Queue Blocked"


@dataclass(frozen=True, slots=True)
class Hint:
    """A job that is worth a look."""

    job_id: str
    """Of a child that of its array."""
    blocked: bool = False
    """Whether it may hold up its queue."""


def hinted(event: AwsEvent) -> Hint | None:
    """The job that an event says something worth knowing of; None for none."""
    if event.source != SOURCE:
        return None
    job_id, array = event.detail.get("jobId"), event.detail.get("arrayProperties")
    if not isinstance(job_id, str):
        return None
    if event.detail_type == _BLOCKED:
        return Hint(job_id.partition(":")[0], blocked=True)
    child = isinstance(array, dict) and "index" in array
    return Hint(job_id) if event.detail.get("status") in _ENDS and not child else None
