"""ListJobs and GetJobQueueSnapshot.

Invariant: a page begins where the one before ended, by submission number or by index, so jobs that change
state between two pages may be missed or seen twice, as on AWS, but pages never overlap by position.
Source: AWS Batch API reference, ListJobs.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from pierhead_sandbox.aws.batch.children import CANCELLED, TERMINATED
from pierhead_sandbox.aws.batch.describe import array_properties, milliseconds
from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Job, Queue, Region
from pierhead_sandbox.aws.batch.states import Status, matches
from pierhead_sandbox.aws.batch.world import World

Json = dict[str, Any]

_PAGE = 1000
_FILTERED_PAGE = 100
_FRONT = 100


def list_jobs(world: World, region: Region, request: Json) -> Json:
    """ListJobs by queue or by array."""
    selectors = [key for key in ("jobQueue", "arrayJobId", "multiNodeJobId") if request.get(key)]
    if len(selectors) != 1:
        raise ClientError("Exactly one of jobQueue, arrayJobId and multiNodeJobId is required")
    filters = request.get("filters") or []
    status = _status(request.get("jobStatus"))
    limit = _limit(request.get("maxResults"), _FILTERED_PAGE if filters else _PAGE)
    after = _token(request.get("nextToken"))
    if selectors[0] == "jobQueue":
        return _of_queue(world, region, request, filters, status, limit, after)
    if filters:
        raise ClientError("filters: only jobs of a queue can be filtered")
    if selectors[0] == "multiNodeJobId":
        return {"jobSummaryList": []}
    return _of_array(world, region, str(request["arrayJobId"]), status or Status.RUNNING, limit, after)


def _of_array(world: World, region: Region, job_id: str, status: Status, limit: int, after: int) -> Json:
    job = region.jobs.get(job_id)
    if job is None or not job.is_array or not job.spawned:
        return {"jobSummaryList": []}
    if job.created_at > world.now() - world.settings.list_lag_seconds:
        return {"jobSummaryList": []}
    states, position = job.children.states, after
    indexes: list[int] = []
    while len(indexes) <= limit and (position := states.find(int(status), position)) >= 0:
        indexes.append(position)
        position += 1
    page: Json = {"jobSummaryList": [_child_summary(job, index) for index in indexes[:limit]]}
    if len(indexes) > limit:
        page["nextToken"] = str(indexes[limit])
    return page


def _of_queue(
    world: World,
    region: Region,
    request: Json,
    filters: list[Json],
    status: Status | None,
    limit: int,
    after: int,
) -> Json:
    queue = region.queue(str(request["jobQueue"]))
    if queue is None:
        raise ClientError(f"JobQueue {request['jobQueue']} does not exist")
    if len(filters) > 1:
        raise ClientError("filters: only one filter can be used at a time")
    wanted = _wanted(filters[0] if filters else None, status)
    known_before = world.now() - world.settings.list_lag_seconds
    candidates = (
        job
        for job in reversed(queue.jobs)
        if (not after or job.number < after) and job.created_at <= known_before and wanted(job)
    )
    found = list(itertools.islice(candidates, limit + 1))
    lag = world.settings.summary_lag_seconds
    page: Json = {"jobSummaryList": [_job_summary(job, world.now(), lag) for job in found[:limit]]}
    if len(found) > limit:
        page["nextToken"] = str(found[limit - 1].number)
    return page


def _wanted(filter_: Json | None, status: Status | None) -> Callable[[Job], bool]:
    if filter_ is None:
        wanted_status = status if status is not None else Status.RUNNING
        return lambda job: job.status == wanted_status
    values = [str(value) for value in filter_.get("values") or []]
    if not values:
        raise ClientError("filters.values: required")
    kind = filter_.get("name")
    if kind == "JOB_NAME":
        patterns = [value.lower() for value in values]
        return lambda job: any(matches(job.name.lower(), pattern) for pattern in patterns)
    if kind == "JOB_DEFINITION":
        return lambda job: any(
            job.definition.arn == value if value.startswith("arn:") else matches(job.definition.name, value)
            for value in values
        )
    if kind in {"BEFORE_CREATED_AT", "AFTER_CREATED_AT"}:
        moment = _moment(values[0])
        if kind == "BEFORE_CREATED_AT":
            return lambda job: milliseconds(job.created_at) < moment
        return lambda job: milliseconds(job.created_at) > moment
    if kind == "SHARE_IDENTIFIER":
        return lambda job: (
            job.request.get("shareIdentifier") in values and (status is None or job.status == status)
        )
    raise ClientError(f"filters.name: {kind} is not a filter")


def _moment(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ClientError("filters.values: milliseconds since 1970 as a string")
    return int(text)


def _status(text: Any) -> Status | None:
    if text is None:
        return None
    try:
        return Status[str(text)]
    except KeyError:
        raise ClientError(f"jobStatus: {text} is not a job status") from None


def _limit(given: Any, most: int) -> int:
    if given is None:
        return most
    if not isinstance(given, int) or given < 1:
        raise ClientError("maxResults: must be at least 1")
    return min(given, most)


def _token(text: Any) -> int:
    if text is None:
        return 0
    if not (str(text).isascii() and str(text).isdigit()):
        raise ClientError("nextToken: not a token of this operation")
    return int(text)


def _job_summary(job: Job, now: float, lag: float) -> Json:
    if not job.is_array:
        return _child_summary(job, 0)
    found: Json = {
        "jobArn": job.arn,
        "jobId": job.id,
        "jobName": job.name,
        "createdAt": milliseconds(job.created_at),
        "status": job.parent_status.name,
        "arrayProperties": array_properties(job, None, now, lag),
        "jobDefinition": job.definition.arn,
        "isCancelled": job.stop == CANCELLED,
        "isTerminated": job.stop == TERMINATED,
    }
    if job.ended_because:
        found["statusReason"] = job.ended_because
    if job.stopped_at:
        found["stoppedAt"] = milliseconds(job.stopped_at)
    return found


def _child_summary(job: Job, index: int) -> Json:
    children = job.children
    status = children.status(index)
    child_id = job.child_id(index)
    found: Json = {
        "jobArn": job.region.arn(f"job/{child_id}"),
        "jobId": child_id,
        "jobName": job.name,
        "createdAt": milliseconds(children.created_at),
        "status": status.name,
        "jobDefinition": job.definition.arn,
        "isCancelled": children.stops[index] == CANCELLED,
        "isTerminated": children.stops[index] == TERMINATED,
    }
    if children.status_reason(index):
        found["statusReason"] = children.status_reason(index)
    if children.started[index] and status >= Status.RUNNING:
        found["startedAt"] = milliseconds(children.started[index])
    if children.stopped[index]:
        found["stoppedAt"] = milliseconds(children.stopped[index])
    if job.is_array:
        found["arrayProperties"] = {"index": index}
    if status in {Status.SUCCEEDED, Status.FAILED}:
        container: Json = {}
        exit_code = children.exit_code(index)
        if exit_code is not None:
            container["exitCode"] = exit_code
        if children.reason(index):
            container["reason"] = children.reason(index)
        found["container"] = container
    return found


def queue_snapshot(world: World, region: Region, request: Json) -> Json:
    """GetJobQueueSnapshot: the first hundred RUNNABLE jobs."""
    queue = region.queue(str(request.get("jobQueue")))
    if queue is None:
        raise ClientError(f"JobQueue {request.get('jobQueue')} does not exist")
    now = milliseconds(world.now())
    front = [
        {
            "jobArn": region.arn(f"job/{job.child_id(index)}"),
            "earliestTimeAtPosition": milliseconds(job.children.created_at),
        }
        for job, index in itertools.islice(_runnable(queue), _FRONT)
    ]
    return {"frontOfQueue": {"jobs": front, "lastUpdatedAt": now}}


def _runnable(queue: Queue) -> Iterator[tuple[Job, int]]:
    for job in queue.jobs:
        position = -1
        while (position := job.children.states.find(int(Status.RUNNABLE), position + 1)) >= 0:
            yield job, position
