"""Batch's own events, as hints. Pure.

Invariant: an event decides nothing: it only makes a job that is followed be looked at before its time. Of an
array only its end counts: its children tell of themselves tens of thousands of times. Source: AWS Batch user
guide, "Batch job events".
"""

from typing import Final

from pierhead.aws.events import AwsEvent

SOURCE: Final = "aws.batch"
_ENDS: Final = frozenset({"SUCCEEDED", "FAILED"})
_BLOCKED: Final = "Batch Job Queue Blocked"


def hinted(event: AwsEvent) -> str | None:
    """The id of the job that an event says something worth knowing of; None for none."""
    if event.source != SOURCE:
        return None
    job_id, array = event.detail.get("jobId"), event.detail.get("arrayProperties")
    child = isinstance(array, dict) and "index" in array
    worth = event.detail.get("status") in _ENDS or event.detail_type == _BLOCKED
    return job_id if isinstance(job_id, str) and worth and not child else None
