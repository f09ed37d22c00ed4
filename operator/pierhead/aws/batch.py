"""AWS Batch, as far as pierhead uses it.

Invariants: SubmitJob is sent once at most per call, so an answer that does not come is `Ambiguous` and
never a second job; all calls of one account and region share one token bucket; an id that Batch does not
know is absent from an answer, never an error. Sources: the Batch API reference; quotas in AWS's "Service
quotas" for Batch.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pierhead.aws.errors import NotFound, Throttling
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.aws.session import OPERATOR, AwsClient, AwsIdentity, AwsSessions

CALLS_PER_SECOND = 20.0
"""Of Batch's 50 SubmitJob calls per second, account and region; the rest is for others."""

_PATIENCE_SECONDS = 1.0
"""How long a call may wait for its token before who needs it is better sent away."""

DESCRIBE_LIMIT = 100
FRONT_LIMIT = 100
"""Jobs of a queue whose order Batch tells."""

_FILTERED_PAGE = 100
_CHILDREN_PAGE = 1000
_REASON_LIMIT = 1024
HOST_LOST = ("Host EC2", "Your Spot Task was interrupted")
"""What the statusReason of an attempt begins with that ended because its host went: a Spot interruption, or
an instance that died; on instances, and on Fargate. Sources: AWS Batch user guide, "Automated job retries";
Amazon ECS developer guide, "Stopped tasks error codes"."""

_CONTENTS = ("containerProperties", "ecsProperties", "eksProperties", "nodeProperties")


@dataclass(frozen=True, slots=True)
class Job:
    """One job of DescribeJobs: a single job, an array's parent, or a child of one."""

    id: str
    name: str
    status: str
    status_reason: str
    stopped: bool
    """Whether it was cancelled or terminated by somebody."""
    created_at: int
    """Milliseconds since 1970."""
    array_size: int | None
    """None when it is not an array's parent."""
    summary: Mapping[str, int]
    """An array's children by status."""
    index: int | None
    exit_code: int | None
    reason: str | None
    """The container's reason."""
    attempts: int
    log_group: str | None
    log_stream: str | None
    """Of the last attempt."""
    interruptions: int = 0
    """Attempts that ended because their host was lost."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """One job of ListJobs."""

    id: str
    name: str
    created_at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child of an array, as ListJobs shows it."""

    index: int
    status_reason: str
    stopped: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """One job queue."""

    name: str
    state: str
    """`ENABLED` or `DISABLED`."""
    status: str
    """`VALID`, `INVALID`, or on the way to one of them."""
    status_reason: str


@dataclass(frozen=True, slots=True)
class Definition:
    """One revision of a job definition."""

    arn: str
    name: str
    revision: int
    status: str
    tags: Mapping[str, str]
    content: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Its containerProperties, ecsProperties, eksProperties or nodeProperties."""


class BatchClient:
    """Batch in one region as one identity. All methods raise the classes of `pierhead.aws.errors`."""

    def __init__(
        self, sessions: AwsSessions, region: str | None, identity: AwsIdentity, bucket: TokenBucket
    ) -> None:
        self._client = sessions.client("batch", region=region, identity=identity)
        self._once = sessions.client("batch", region=region, identity=identity, retries=False)
        self._bucket = bucket

    def turn(self) -> float:
        """In how many seconds to come again instead of waiting for calls of others; 0 for now."""
        return self._bucket.turn(_PATIENCE_SECONDS)

    async def submit_job(self, request: Mapping[str, Any]) -> str:
        """Submits and returns the job's id.

        Raises Ambiguous when the job may have been accepted all the same; after any other error it was not.
        """
        answer = await self._call("submit_job", client=self._once, **request)
        return str(answer["jobId"])

    async def describe_jobs(self, ids: Sequence[str], *, ahead: bool = False) -> dict[str, Job]:
        """The jobs Batch knows among these, by id; at most 100 ids. It may go ahead of calls that wait."""
        answer = await self._call("describe_jobs", ahead=ahead, jobs=list(ids))
        return {job.id: job for job in map(_job, answer["jobs"])}

    async def jobs_named(self, queue: str, pattern: str) -> list[ListedJob]:
        """The jobs of a queue whose name is `pattern`, or begins with it where it ends in `*`.

        Regardless of case, in every state, newest first; children are not listed.
        """
        found: list[ListedJob] = []
        request: dict[str, Any] = {"filters": [{"name": "JOB_NAME", "values": [pattern]}]}
        async for answer in self._pages("list_jobs", jobQueue=queue, maxResults=_FILTERED_PAGE, **request):
            found += [
                ListedJob(entry["jobId"], entry["jobName"], int(entry.get("createdAt", 0)))
                for entry in answer["jobSummaryList"]
            ]
        return found

    async def children(self, array_id: str, status: str, *, most: int | None = None) -> list[Child]:
        """The children of an array that are in `status`: all of them, or the first `most`."""
        found: list[Child] = []
        size = min(_CHILDREN_PAGE, most or _CHILDREN_PAGE)
        async for answer in self._pages("list_jobs", arrayJobId=array_id, jobStatus=status, maxResults=size):
            found += map(_child, answer["jobSummaryList"])
            if most is not None and len(found) >= most:
                return found[:most]
        return found

    async def terminate_job(self, job_id: str, reason: str) -> None:
        """Stops a job, or an array with all its children; one that is unknown or has ended is left alone."""
        try:
            await self._call("terminate_job", jobId=job_id, reason=reason[:_REASON_LIMIT])
        except NotFound:
            return

    async def queue(self, name: str) -> Queue | None:
        """The queue of that name, if there is one."""
        answer = await self._call("describe_job_queues", jobQueues=[name])
        for entry in answer["jobQueues"]:
            if name in {entry["jobQueueName"], entry["jobQueueArn"]}:
                return Queue(
                    entry["jobQueueName"], entry["state"], entry["status"], entry.get("statusReason", "")
                )
        return None

    async def front_of_queue(self, name: str) -> list[str]:
        """Ids of the first runnable jobs of a queue, in the order in which they are to start."""
        answer = await self._call("get_job_queue_snapshot", jobQueue=name)
        entries = (answer.get("frontOfQueue") or {}).get("jobs") or ()
        return [str(entry["jobArn"]).rpartition("/")[2] for entry in entries][:FRONT_LIMIT]

    async def active_definitions(self, name: str) -> list[Definition]:
        """The active revisions of a job definition, newest first."""
        found: list[Definition] = []
        request = {"jobDefinitionName": name, "status": "ACTIVE"}
        async for answer in self._pages("describe_job_definitions", **request):
            found += map(_definition, answer["jobDefinitions"])
        return sorted(found, key=lambda definition: definition.revision, reverse=True)

    async def definitions_of(self, prefix: str) -> list[Definition]:
        """The active revisions of all job definitions whose name begins so: a call for each hundred."""
        found: list[Definition] = []
        async for answer in self._pages("describe_job_definitions", status="ACTIVE"):
            found += map(_definition, answer["jobDefinitions"])
        return [definition for definition in found if definition.name.startswith(prefix)]

    async def deregister_definition(self, arn: str) -> None:
        """Deregisters a revision: jobs that were submitted with it go on."""
        await self._call("deregister_job_definition", jobDefinition=arn)

    async def definition(self, name_and_revision: str) -> Definition | None:
        """One revision, in whatever status; None if there is none."""
        answer = await self._call("describe_job_definitions", jobDefinitions=[name_and_revision])
        return next((_definition(entry) for entry in answer["jobDefinitions"]), None)

    async def register_definition(self, request: Mapping[str, Any]) -> str:
        """Registers a revision and returns its ARN."""
        answer = await self._call("register_job_definition", **request)
        return str(answer["jobDefinitionArn"])

    async def _pages(self, operation: str, **request: Any) -> AsyncIterator[dict[str, Any]]:
        token: dict[str, Any] = {}
        while True:
            answer = await self._call(operation, **{**request, **token})
            yield answer
            if not answer.get("nextToken"):
                return
            token = {"nextToken": answer["nextToken"]}

    async def _call(
        self, operation: str, *, client: AwsClient | None = None, ahead: bool = False, **parameters: Any
    ) -> dict[str, Any]:
        await (self._bucket.take_ahead() if ahead else self._bucket.take())
        try:
            answer: dict[str, Any] = await (client or self._client).call(operation, **parameters)
        except Throttling as error:
            self._bucket.hold(error.after)
            raise
        return answer


class BatchClients:
    """All clients of Batch, one for each region and identity."""

    def __init__(
        self,
        sessions: AwsSessions,
        *,
        region: str,
        make_bucket: Callable[[], TokenBucket] = lambda: TokenBucket(CALLS_PER_SECOND, CALLS_PER_SECOND),
    ) -> None:
        """`region` is the one that holds where none is named."""
        self._sessions = sessions
        self._region = region
        self._buckets = TokenBuckets(make_bucket)
        self._clients: dict[tuple[str, AwsIdentity], BatchClient] = {}

    def get(self, region: str | None = None, identity: AwsIdentity = OPERATOR) -> BatchClient:
        """The client for a region and identity."""
        key = (region or self._region, identity)
        if key not in self._clients:
            bucket = self._buckets[identity.account, key[0]]
            self._clients[key] = BatchClient(self._sessions, key[0], identity, bucket)
        return self._clients[key]


def chunks(ids: Iterable[str], size: int = DESCRIBE_LIMIT) -> Iterable[list[str]]:
    """The ids in lists that DescribeJobs takes."""
    everything = list(ids)
    return (everything[start : start + size] for start in range(0, len(everything), size))


def _job(entry: Mapping[str, Any]) -> Job:
    array = entry.get("arrayProperties") or {}
    attempts = entry.get("attempts") or entry.get("eksAttempts") or []
    now, last = containers_of(entry), containers_of(attempts[-1] if attempts else {})
    ends = [telling(now), telling(last)]

    def latest(name: str) -> Any:
        return next((part[name] for part in ends if part.get(name) is not None), None)

    options = (ends[0].get("logConfiguration") or {}).get("options") or {}
    return Job(
        id=entry["jobId"],
        name=entry.get("jobName", ""),
        status=entry["status"],
        status_reason=entry.get("statusReason") or "",
        stopped=_stopped(entry),
        created_at=int(entry.get("createdAt") or 0),
        array_size=array.get("size"),
        summary=array.get("statusSummary") or {},
        index=array.get("index"),
        exit_code=latest("exitCode"),
        reason=latest("reason"),
        attempts=len(attempts),
        interruptions=interruptions_in(entry),
        log_group=options.get("awslogs-group"),
        log_stream=latest("logStreamName"),
    )


def host_lost(status_reason: str) -> bool:
    """Whether something ended because its host was lost."""
    return status_reason.startswith(HOST_LOST)


def interruptions_in(entry: Mapping[str, Any]) -> int:
    """How many attempts of a described job ended because their host was lost."""
    attempts = entry.get("attempts") or entry.get("eksAttempts") or ()
    return sum(host_lost(attempt.get("statusReason") or "") for attempt in attempts)


def containers_of(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The containers of a job or of one attempt, wherever its platform has them.

    Source: Batch API reference, JobDetail, AttemptDetail and EksAttemptDetail.
    """
    found = [entry["container"]] if entry.get("container") else []
    ecs = entry.get("ecsProperties") or {}
    for task in [*(ecs.get("taskProperties") or ()), *(entry.get("taskProperties") or ())]:
        found += task.get("containers") or ()
    pod = (entry.get("eksProperties") or {}).get("podProperties") or {}
    for holder in (pod, entry):
        found += [*(holder.get("containers") or ()), *(holder.get("initContainers") or ())]
    return found


def telling(containers: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Of several containers the one that failed; else the first with an exit code, else the first."""
    failed = (container for container in containers if container.get("exitCode"))
    ended = (container for container in containers if container.get("exitCode") is not None)
    return next(failed, None) or next(ended, None) or next(iter(containers), {})


def _child(entry: Mapping[str, Any]) -> Child:
    return Child(
        index=int(entry["arrayProperties"]["index"]),
        status_reason=entry.get("statusReason") or "",
        stopped=_stopped(entry),
    )


def _definition(entry: Mapping[str, Any]) -> Definition:
    return Definition(
        arn=entry["jobDefinitionArn"],
        name=entry["jobDefinitionName"],
        revision=int(entry["revision"]),
        status=entry.get("status", "ACTIVE"),
        tags=entry.get("tags") or {},
        content={name: entry[name] for name in _CONTENTS if entry.get(name)},
    )


def _stopped(entry: Mapping[str, Any]) -> bool:
    return bool(entry.get("isCancelled") or entry.get("isTerminated"))
