"""Output of local processes in CloudWatch Logs, where Batch puts it.

Invariant: group `/aws/batch/job`, the stream that DescribeJobs names; at most a mebibyte an attempt.
"""

import time
from pathlib import Path

from moto.logs.models import logs_backends

from pierhead_sandbox.aws.batch.describe import log_stream
from pierhead_sandbox.aws.batch.region import Job

GROUP = "/aws/batch/job"
_LIMIT = 1 << 20


def ship(job: Job, index: int, attempt: int, path: Path) -> None:
    """Put a log file's lines into the attempt's stream."""
    backend = logs_backends[job.region.account][job.region.name]
    stream = log_stream(job, index, attempt)
    backend.ensure_log_group(GROUP)
    backend.ensure_log_stream(GROUP, stream)
    if not path.exists():
        return
    with path.open("rb") as file:
        lines = file.read(_LIMIT).decode("utf-8", "replace").splitlines()
    now = int(time.time() * 1000)
    if lines:
        backend.put_log_events(GROUP, stream, [{"timestamp": now, "message": line} for line in lines])
