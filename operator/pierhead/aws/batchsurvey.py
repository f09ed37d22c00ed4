"""What people ask of Batch about jobs: logs, times, resources and whose they are.

Invariant: it reads and never changes anything; of a job's environment nothing is kept but the variables that
are asked for. A job that Batch does not describe is left out, never an error. Source: Batch's API reference.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.batch import chunks, containers_of, interruptions_in, telling
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
    """Of everything that runs for one index; None where the job definition does not tell."""

    nodes: int | None = None
    """None where it does not run on several nodes together."""


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


async def interruptions_of(client: AwsClient, job: SurveyedJob) -> list[int]:
    """Of the job, or of each child of an array, the attempts that lost their host; a call for a hundred."""
    size = job.array_size
    ids = [job.id] if size is None else [f"{job.id}:{place}" for place in range(size)]
    found: list[int] = []
    for some in chunks(ids):
        answer = await client.call("describe_jobs", jobs=some)
        found += map(interruptions_in, answer["jobs"])
    return found


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
    containers = containers_of(entry)
    environment = [
        variable
        for container in containers
        for variable in container.get("environment") or container.get("env") or ()
    ]
    vcpus, memory = _resources(entry)
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
        nodes=(entry.get("nodeProperties") or {}).get("numNodes"),
    )


def _attempts(entry: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> Iterator[Attempt]:
    groups = (
        ((container.get("logConfiguration") or {}).get("options") or {}).get("awslogs-group")
        for container in containers
    )
    group = next((found for found in groups if found), LOG_GROUP)
    streams = set()
    for attempt in entry.get("attempts") or entry.get("eksAttempts") or ():
        found = _attempt(containers_of(attempt), group)
        streams.add(found.log_stream)
        yield found
    now = _attempt(containers, group)
    if now.log_stream is not None and now.log_stream not in streams:
        yield now


def _attempt(containers: Sequence[Mapping[str, Any]], group: str) -> Attempt:
    last = telling(containers)
    return Attempt(group, last.get("logStreamName"), last.get("exitCode"), last.get("reason"))


def _span(entry: Mapping[str, Any]) -> Span | None:
    started, stopped = entry.get("startedAt"), entry.get("stoppedAt")
    if not started:
        return None
    return Span(int(started), int(stopped) if stopped else None)


def _resources(entry: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """VCPUs and MiB of everything that runs for one index; None where a definition does not tell them so."""
    nodes = entry.get("nodeProperties")
    if nodes:
        parts = [
            (_node_count(part, int(nodes["numNodes"])), _resources(part))
            for part in nodes.get("nodeRangeProperties") or ()
        ]
        return (
            _sum(vcpus if vcpus is None else count * vcpus for count, (vcpus, _) in parts),
            _sum(memory if memory is None else count * memory for count, (_, memory) in parts),
        )
    pod = (entry.get("eksProperties") or {}).get("podProperties") or {}
    if pod:
        wants = [container.get("resources") or {} for container in pod.get("containers") or ()]
        told = [{**(want.get("limits") or {}), **(want.get("requests") or {})} for want in wants]
        return (
            _sum(float(want["cpu"]) for want in told if "cpu" in want),
            _sum(float(str(want["memory"]).removesuffix("Mi")) for want in told if "memory" in want),
        )
    given = [
        (requirement["type"], float(requirement["value"]))
        for container in containers_of(entry)
        for requirement in container.get("resourceRequirements") or ()
    ]
    return (
        _sum(value for kind, value in given if kind == "VCPU"),
        _sum(value for kind, value in given if kind == "MEMORY"),
    )


def _node_count(part: Mapping[str, Any], nodes: int) -> int:
    """How many nodes a range such as `0:3`, `4:` or `5` has, of so many."""
    first, colon, last = str(part.get("targetNodes") or "0:").partition(":")
    if not colon:
        return 1
    return int(last or nodes - 1) - int(first or 0) + 1


def _sum(values: Iterable[float | None]) -> float | None:
    """None where there is no value, or one is not known."""
    found = list(values)
    known = [value for value in found if value is not None]
    return sum(known) if found and len(known) == len(found) else None
