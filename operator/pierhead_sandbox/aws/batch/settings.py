"""Switches of the Batch that a test may turn while it runs, and the scripts of what jobs do.

Invariant: with nothing set, every child succeeds after a fifth of a second.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from pierhead_sandbox.aws.batch.states import parse_intervals
from pierhead_sandbox.aws.protocol import Message


class BatchSettings(Message):
    """Paces and lags in seconds."""

    submitted_seconds: float = Field(default=0.02, ge=0)
    """From SubmitJob until an array's children exist."""
    runnable_seconds: float = Field(default=0.0, ge=0)
    """Least time a child waits RUNNABLE."""
    starting_seconds: float = Field(default=0.02, ge=0)
    running_seconds: float = Field(default=0.2, ge=0)
    """How long a simulated attempt runs where no script says otherwise."""
    stopping_seconds: float = Field(default=0.05, ge=0)
    """From the signal to the end of a simulated attempt that is terminated."""
    cascade_seconds: float = Field(default=0.05, ge=0)
    """From CancelJob or TerminateJob until it takes effect."""
    queue_concurrency: int = Field(default=1000, ge=1)
    """Children of one queue that are STARTING or RUNNING at once."""
    execution: Literal["simulated", "process"] = "simulated"
    """Whether containers are local processes; a script that matches simulates all the same."""
    process_concurrency: int = Field(default=2, ge=1)
    """Local processes of one queue at once."""
    stop_grace_seconds: float = Field(default=30, ge=0)
    """From SIGTERM to SIGKILL."""
    retention_seconds: float = Field(default=7 * 86400, gt=0)
    """How long an ended job is remembered."""
    describe_lag_seconds: float = Field(default=0, ge=0)
    """How long DescribeJobs does not know a new job."""
    list_lag_seconds: float = Field(default=0, ge=0)
    """How long ListJobs does not know a new job."""
    summary_lag_seconds: float = Field(default=0, ge=0)
    """How old statusSummary may be."""
    events: bool = True
    """Whether state changes are put on EventBridge."""
    event_duplicates: float = Field(default=0, ge=0, le=1)
    """Share of events delivered twice."""
    event_loss: float = Field(default=0, ge=0, le=1)
    """Share of events never delivered."""
    event_disorder: int = Field(default=0, ge=0)
    """Events are shuffled within windows of this many."""


class Script(Message):
    """What attempts that match do. Of several scripts that match, the newest decides."""

    job_name: str = "*"
    """Glob over the job's name."""
    queue: str = "*"
    """Glob over the queue's name."""
    indexes: str | None = None
    """Array indexes such as `3,7-9`; None for all, and for jobs that are no arrays."""
    attempts: str | None = None
    """Attempt numbers from 1, written likewise."""
    share: float = Field(default=1, ge=0, le=1)
    """Share of the matching children it applies to, chosen by a hash of name and index."""
    exit_code: int | None = Field(default=0, ge=0, le=255)
    """None: the container left none, as when its host is lost."""
    reason: str = ""
    """The container's reason, such as `OutOfMemoryError: Container killed due to memory usage`."""
    status_reason: str = ""
    """The job's; also what a job that `stays` RUNNABLE shows."""
    seconds: float | None = Field(default=None, ge=0)
    """How long it runs; None for the usual time."""
    stays: Literal["RUNNABLE", "STARTING", "RUNNING"] | None = None
    """Never leaves this state by itself."""
    fails_in: Literal["STARTING", "RUNNING"] = "RUNNING"
    """Where an attempt without an exit code or with one other than 0 ends."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        for text in (self.indexes, self.attempts):
            if text is not None:
                parse_intervals(text)
        return self

    @property
    def succeeds(self) -> bool:
        """Whether the attempt ends well."""
        return self.exit_code == 0


class Submission(Message):
    """One accepted SubmitJob, whatever its client came to know of it."""

    at: float
    job_id: str
    job_name: str
    queue: str
    definition: str
    array_size: int | None
    region: str
