"""What people ask of Batch about jobs: logs, times, resources and whose they are.

Invariant: it reads and never changes anything; of a job's environment nothing is kept but the variables that
are asked for. A job that Batch does not describe is left out, never an error. Source: Batch's API reference.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.batch import chunks
from pierhead.aws.session import AwsClient

LOG_GROUP: Final = "/aws/batch/job"
"""Where logs are that a job definition does not send elsewhere."""

OPEN_STATES: Final = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
"""The states of jobs that have not ended, in the order a job goes through them."""

TIMED_STATES: Final = ("SUCCEEDED", "FAILED", "RUNNING")

_FILTERED_PAGE: Final = 100
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a job, the one that runs included."""

    log_group: str
    log_stream: str | None
    exit_code: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Span:
    """When something ran, in milliseconds since 1970."""

    started_at: int
    stopped_at: int | None
    """None while it runs."""


@dataclass(frozen=True, slots=True)
class SurveyedJob:
    """One job of DescribeJobs."""

    id: str
    name: str
    status: str
    status_reason: str
    created_at: int
    """Milliseconds since 1970."""

    array_size: int | None
    """None when it is not an array's parent."""

    summary: Mapping[str, int]
    """An array's children by status."""

    tags: Mapping[str, str]
    variables: Mapping[str, str]
    """Of its environment those that were asked for."""

    attempts: tuple[Attempt, ...]
    span: Span | None
    vcpus: float | None
    memory_mib: float | None


async def described(
    client: AwsClient, ids: Collection[str], variables: Collection[str] = ()
) -> list[SurveyedJob]:
    """The jobs Batch knows among these, with these variables of their environments."""
    found: list[SurveyedJob] = []
    for some in chunks(ids):
        answer = await client.call("describe_jobs", jobs=some)
        found += [_job(entry, variables) for entry in answer["jobs"]]
    return found


async def named(client: AwsClient, queue: str, prefix: str) -> list[str]:
    """Ids of a queue's jobs, in every state, whose names begin so: newest first, without children."""
    filters = [{"name": "JOB_NAME", "values": [f"{prefix}*"]}]
    pages = _pages(client, "list_jobs", jobQueue=queue, filters=filters, maxResults=_FILTERED_PAGE)
    return [entry["jobId"] async for answer in pages for entry in answer["jobSummaryList"]]


async def open_in(client: AwsClient, queue: str) -> list[str]:
    """Ids of a queue's jobs that have not ended, without children.

    States are listed in the order a job goes through them, so one that moves on meanwhile is seen later.
    """
    found: dict[str, None] = {}
    for status in OPEN_STATES:
        async for answer in _pages(client, "list_jobs", jobQueue=queue, jobStatus=status, maxResults=_PAGE):
            found |= {entry["jobId"]: None for entry in answer["jobSummaryList"]}
    return list(found)


async def queues(client: AwsClient) -> list[str]:
    """Names of all job queues of the region."""
    pages = _pages(client, "describe_job_queues")
    return [entry["jobQueueName"] async for answer in pages for entry in answer["jobQueues"]]


async def spans_of_children(client: AwsClient, array_id: str, *, pages: int) -> tuple[list[Span], int]:
    """When the children of an array ran last, and how many calls that took: at most `pages`.

    Children that have not started are in no span.
    """
    found: list[Span] = []
    calls = 0
    for status in TIMED_STATES:
        listed = _pages(client, "list_jobs", arrayJobId=array_id, jobStatus=status, maxResults=_PAGE)
        while calls < pages and (answer := await anext(listed, None)) is not None:
            calls += 1
            spans = map(_span, answer["jobSummaryList"])
            found += [span for span in spans if span is not None]
    return found, calls


async def _pages(client: AwsClient, operation: str, **request: Any) -> AsyncIterator[dict[str, Any]]:
    token: dict[str, Any] = {}
    while True:
        answer = await client.call(operation, **request, **token)
        yield answer
        if not answer.get("nextToken"):
            return
        token = {"nextToken": answer["nextToken"]}


def _job(entry: Mapping[str, Any], variables: Collection[str]) -> SurveyedJob:
    array = entry.get("arrayProperties") or {}
    containers = list(_containers(entry))
    environment = [
        variable
        for container in containers
        for variable in container.get("environment") or container.get("env") or ()
    ]
    vcpus, memory = _resources(containers)
    return SurveyedJob(
        id=entry["jobId"],
        name=entry.get("jobName", ""),
        status=entry["status"],
        status_reason=entry.get("statusReason") or "",
        created_at=int(entry.get("createdAt") or 0),
        array_size=array.get("size"),
        summary=array.get("statusSummary") or {},
        tags=entry.get("tags") or {},
        variables={
            variable["name"]: variable.get("value", "")
            for variable in environment
            if variable["name"] in variables
        },
        attempts=tuple(_attempts(entry, containers)),
        span=_span(entry),
        vcpus=vcpus,
        memory_mib=memory,
    )


def _containers(entry: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The containers of one job, or of one attempt of it, whatever it runs on."""
    if entry.get("container"):
        yield entry["container"]
    tasks = (entry.get("ecsProperties") or {}).get("taskProperties") or entry.get("taskProperties") or ()
    for task in tasks:
        yield from task.get("containers") or ()
    yield from ((entry.get("eksProperties") or {}).get("podProperties") or {}).get("containers") or ()


def _attempts(entry: Mapping[str, Any], containers: list[Mapping[str, Any]]) -> Iterator[Attempt]:
    groups = (
        ((container.get("logConfiguration") or {}).get("options") or {}).get("awslogs-group")
        for container in containers
    )
    group = next((found for found in groups if found), LOG_GROUP)
    streams = set()
    for attempt in entry.get("attempts") or ():
        found = _attempt(list(_containers(attempt)), group)
        streams.add(found.log_stream)
        yield found
    now = _attempt(containers, group)
    if now.log_stream is not None and now.log_stream not in streams:
        yield now


def _attempt(containers: list[Mapping[str, Any]], group: str) -> Attempt:
    def first(name: str) -> Any:
        return next((container[name] for container in containers if container.get(name) is not None), None)

    return Attempt(group, first("logStreamName"), first("exitCode"), first("reason"))


def _span(entry: Mapping[str, Any]) -> Span | None:
    started, stopped = entry.get("startedAt"), entry.get("stoppedAt")
    if not started:
        return None
    return Span(int(started), int(stopped) if stopped else None)


def _resources(containers: list[Mapping[str, Any]]) -> tuple[float | None, float | None]:
    """Both of all containers together, memory in MiB; None where a definition does not tell them so."""
    given = [
        (requirement["type"], float(requirement["value"]))
        for container in containers
        for requirement in container.get("resourceRequirements") or ()
    ]
    vcpus = [value for kind, value in given if kind == "VCPU"]
    memory = [value for kind, value in given if kind == "MEMORY"]
    return sum(vcpus) if vcpus else None, sum(memory) if memory else None
