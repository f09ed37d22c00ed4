"""One account's Batch in one region: queues, environments, definitions and jobs by name.

Invariant: holds records and finds them; it decides nothing.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from pierhead_sandbox.aws.batch.children import Children
from pierhead_sandbox.aws.batch.states import Status

Json = dict[str, Any]


@dataclass(slots=True, eq=False)
class Ready:
    """A run of RUNNABLE children of one job, waiting in line."""

    not_before: float
    job: "Job"
    next: int
    end: int


@dataclass(slots=True, eq=False)
class Queue:
    """A job queue: `line` is who runs next, `in_flight` the children that are STARTING or RUNNING."""

    name: str
    arn: str
    request: Json
    tags: dict[str, str]
    state: str = "ENABLED"
    jobs: list["Job"] = field(default_factory=list)
    line: deque[Ready] = field(default_factory=deque)
    in_flight: int = 0
    dispatch_at: float = 0


@dataclass(slots=True, eq=False)
class Definition:
    """One revision of a job definition."""

    name: str
    revision: int
    arn: str
    request: Json
    tags: dict[str, str]
    active: bool = True

    @property
    def kind(self) -> str:
        """container, ecs, eks or multinode."""
        for key, kind in (
            ("eksProperties", "eks"),
            ("ecsProperties", "ecs"),
            ("nodeProperties", "multinode"),
        ):
            if self.request.get(key):
                return kind
        return "container"


@dataclass(slots=True, eq=False)
class Environment:
    """A compute environment; nothing runs on it."""

    name: str
    arn: str
    request: Json
    tags: dict[str, str]


@dataclass(slots=True, eq=False)
class Job:
    """One accepted submission."""

    number: int
    id: str
    arn: str
    name: str
    queue: Queue
    definition: Definition
    request: Json
    created_at: float
    array_size: int | None
    children: Children
    tags: dict[str, str]
    region: "Region"
    spawned: bool = False
    parent_status: Status = Status.SUBMITTED
    stopped_at: float = 0
    ended_because: str = ""
    stop: int = 0
    stop_reason: str = ""
    unmet: set[str] = field(default_factory=set)
    blocked: bytearray | None = None
    held: set[int] = field(default_factory=set)
    summary: tuple[float, list[int]] = (0.0, [])
    shape: Json | None = None

    @property
    def is_array(self) -> bool:
        """Whether it has children of its own."""
        return self.array_size is not None

    @property
    def status(self) -> Status:
        """The parent's state, or the single job's."""
        return self.parent_status if self.is_array else self.children.status(0)

    @property
    def strategy(self) -> Json:
        """Retry strategy in force."""
        found: Json = self.request.get("retryStrategy") or self.definition.request.get("retryStrategy") or {}
        return found

    @property
    def timeout(self) -> int | None:
        """Seconds an attempt may run, or None."""
        for source in (self.request, self.definition.request):
            seconds = (source.get("timeout") or {}).get("attemptDurationSeconds")
            if seconds is not None:
                return int(seconds)
        return None

    @property
    def sequential(self) -> bool:
        """Whether child n+1 waits for child n."""
        return any(item.get("type") == "SEQUENTIAL" for item in self.request.get("dependsOn") or ())

    @property
    def dependencies(self) -> list[tuple[str, bool]]:
        """Ids waited for, and whether child by child."""
        return [
            (str(item["jobId"]), item.get("type") == "N_TO_N")
            for item in self.request.get("dependsOn") or ()
            if item.get("jobId")
        ]

    def child_id(self, index: int) -> str:
        """Id of the child, which is the job's own where it is no array."""
        return f"{self.id}:{index}" if self.is_array else self.id


@dataclass(slots=True, eq=False)
class Region:
    """Everything of one account in one region."""

    account: str
    name: str
    queues: dict[str, Queue] = field(default_factory=dict)
    environments: dict[str, Environment] = field(default_factory=dict)
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    waiters: dict[str, list[Job]] = field(default_factory=dict)

    def arn(self, resource: str) -> str:
        """ARN of a Batch resource here."""
        return f"arn:aws:batch:{self.name}:{self.account}:{resource}"

    def queue(self, name_or_arn: str) -> Queue | None:
        """A queue by name or ARN."""
        return self.queues.get(name_or_arn.rpartition("job-queue/")[2])

    def environment(self, name_or_arn: str) -> Environment | None:
        """A compute environment by name or ARN."""
        return self.environments.get(name_or_arn.rpartition("compute-environment/")[2])

    def definition(self, reference: str) -> Definition | None:
        """By ARN, `name:revision`, or name alone: then the newest that is active."""
        name, _, revision = reference.rpartition("job-definition/")[2].partition(":")
        revisions = self.definitions.get(name, [])
        if revision:
            return next((item for item in revisions if str(item.revision) == revision), None)
        return next((item for item in reversed(revisions) if item.active), None)

    def find(self, job_id: str) -> tuple[Job, int | None] | None:
        """A job by its id, or a child that exists by the parent's id and its index."""
        parent_id, colon, index = job_id.partition(":")
        job = self.jobs.get(parent_id)
        if job is None:
            return None
        if not colon:
            return job, None
        if not (job.is_array and job.spawned and index.isascii() and index.isdigit()):
            return None
        return (job, int(index)) if int(index) < job.children.size and str(int(index)) == index else None
