"""What a BatchJob's status says.

Invariant: all of it together stays below 64 KiB whatever the size: index sets are shortened interval text,
lists are bounded, and what is exact but large lives in the index record.
"""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from pierhead.batch.model.dependencies import MOST_DEPENDENCIES
from pierhead.model import Model, Status

INTERVALS_LIMIT = 16_384
"""Characters of one interval text."""

MOST_OPEN = 64
"""Jobs of one BatchJob that are in Batch at once; a round of more shards goes on as they end."""

MOST_ENDED = 16
MOST_FAILURES_SHOWN = 10
TEXT_LIMIT = 200
"""Bytes of a text of Batch's that is repeated."""

LOG_NAME_LIMIT = 256
INLINE_LIMIT = 4_096
REQUEST_LIMIT = 64
ROLE_LIMIT = 640
"""More characters than a role's ARN can have: 512 of its path, 64 of its name. Source: IAM, quotas."""

BEYOND = 101
"""The place in a queue of a job that all those are before whose order Batch tells."""

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, StringConstraints(max_length=TEXT_LIMIT)]
LogName = Annotated[str, StringConstraints(max_length=LOG_NAME_LIMIT)]
Timestamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]

ShardState = Literal["Intent", "Refused", "Submitted", "Succeeded", "Failed", "Terminated", "Lost"]


class Stored(Model):
    """A part of the status."""

    # A status may have been written by a newer pierhead.
    model_config = ConfigDict(extra="ignore")


class Interruptions(Stored):
    """What the loss of hosts has ended: Spot interruptions, and instances that died."""

    indexes: Count = 0
    """Runs of indexes that failed because their last attempt's host was lost. The other failures are the
    application's."""

    attempts: Count = 0
    """Attempts that are known to have ended so: at least one of each of these runs, all of an index in
    `failures`, and all of a job of one index. Those of an array's children that went on to succeed are not
    known."""


class Shard(Stored):
    """One Batch job: a stretch of one round's indexes."""

    round: Count
    """Round, from 0."""

    shard: Count
    """Number within the round, from 0."""

    first: Count
    """Place of its first index among the indexes of the round."""

    size: Annotated[int, Field(ge=1)]
    """Number of indexes; 1 is a plain job, more an array job."""

    state: ShardState
    """Intent: may be in Batch, without its id being known. Refused: certainly not in Batch, to be sent again.
    Submitted: in Batch. The others are ends; Lost: Batch forgot the job before its results were read."""

    since: Timestamp
    """When it came into this state, or when its submission was last tried."""

    tries: Count = 0
    """Submissions that may have been accepted."""

    job_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Batch's job id."""

    interrupted: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    """While it is in Batch: `indexes` and `attempts` of its part of `status.interruptions`, if any."""


class Failure(Stored):
    """One index that failed in its last run."""

    index: Count
    """The index."""

    round: Count
    """The round it failed in."""

    exit_code: int | None = None
    """Exit code of the last attempt, where the container came to one."""

    reason: Text | None = None
    """The container's reason."""

    status_reason: Text | None = None
    """The job's statusReason."""

    attempts: Count = 0
    """Attempts in that round."""

    interruptions: Count | None = None
    """How many of them ended because their host was lost, if any."""

    log_group: LogName | None = None
    """CloudWatch Logs group."""

    log_stream: LogName | None = None
    """CloudWatch Logs stream of the last attempt."""


class States(Stored):
    """The indexes that are in Batch and have not ended, by Batch's states. They add up to `active`."""

    submitted: Count = 0
    """Accepted by Batch."""

    pending: Count = 0
    """Waiting for something they depend on."""

    runnable: Count = 0
    """Waiting for capacity."""

    starting: Count = 0
    """Being started."""

    running: Count = 0
    """Running."""


class IndexRecord(Stored):
    """Where the exact sets of indexes are kept."""

    inline: Annotated[str, StringConstraints(max_length=INLINE_LIMIT)] | None = None
    """The compressed sets, base64."""

    config_map: Annotated[str, StringConstraints(max_length=253)] | None = None
    """ConfigMap of this namespace with the compressed sets."""


class Retry(Stored):
    """The last answer to the annotation pierhead.dev/retry-at."""

    request: Annotated[str, StringConstraints(max_length=REQUEST_LIMIT)]
    """The annotation's value that was answered; of a longer one the beginning."""

    count: Count = 0
    """How often what had not succeeded was taken up again."""

    refused: Text | None = None
    """Why nothing was, on that request."""


class BatchJobStatus(Status):
    """How far the work is: succeeded, failed, active and waiting add up to size."""

    model_config = ConfigDict(extra="ignore")

    size: Count = 0
    """Number of indexes."""

    progress: Annotated[str, StringConstraints(max_length=32)] = ""
    """Succeeded indexes of all, as `3/10`."""

    succeeded: Count = 0
    """Indexes that succeeded."""

    failed: Count = 0
    """Indexes that failed, and have not been sent to run again."""

    active: Count = 0
    """Indexes in Batch that have not ended."""

    waiting: Count = 0
    """Indexes yet to be sent to Batch, for the first time or again."""

    states: States = Field(default_factory=States)
    """The active ones by Batch's states."""

    queue_position: Count | None = None
    """Place in the queue of the first of its jobs that waits for capacity, from 1, while no index of that job
    runs; 101 behind the first hundred, further than Batch tells. It is looked at every few minutes."""

    start_time: Timestamp | None = None
    """When work began, or was last resumed."""

    completion_time: Timestamp | None = None
    """When the last index succeeded."""

    completed_indexes: Annotated[str, StringConstraints(max_length=INTERVALS_LIMIT)] | None = None
    """Indexes that succeeded, as in a Job: `1,3-5`. Of a longer text the beginning, followed by `,...`."""

    failed_indexes: Annotated[str, StringConstraints(max_length=INTERVALS_LIMIT)] | None = None
    """Indexes that failed for good, as in a Job. Of a longer text the beginning, followed by `,...`."""

    failures: Annotated[list[Failure], Field(max_length=MOST_FAILURES_SHOWN)] | None = None
    """Up to ten failed indexes, with what is known about why."""

    round: Count = 0
    """The round under way: 0 at first, one more whenever failed or missing indexes run again."""

    planned: Count = 0
    """How many of the round's indexes are in shards already."""

    next_shard: Count = 0
    """Number of the round's next shard."""

    shards: Annotated[list[Shard], Field(max_length=MOST_OPEN + MOST_ENDED)] | None = None
    """Jobs in Batch, and the last few that ended."""

    lost: Count = 0
    """Indexes whose results Batch forgot before they were read; they count as failed."""

    interruptions: Interruptions | None = None
    """What the loss of hosts has ended so far, in all rounds, if anything."""

    suspended: bool = False
    """Whether the work is suspended."""

    retry: Retry | None = None
    """What came of the last request to run again what had not succeeded."""

    met: Annotated[list[Count], Field(max_length=MOST_DEPENDENCIES)] | None = None
    """Numbers of the entries of `spec.dependsOn` that were ready, and are not looked at again."""

    job_definition: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Job definition that the jobs run."""

    role: Annotated[str, StringConstraints(max_length=ROLE_LIMIT)] | None = None
    """Role that the ServiceAccount's annotation named when jobs were last submitted."""

    spec_digest: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Digest of the fields that cannot be changed, as they were when work began."""

    index_record: IndexRecord | None = None
    """Where the exact sets of indexes are kept."""
