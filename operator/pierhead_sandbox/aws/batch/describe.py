"""DescribeJobs, and the same detail for events.

Invariant: a job nobody knows is left out without a word. Times are milliseconds since the epoch.
"""

import hashlib
from typing import Any

from pierhead_sandbox.aws.batch import shapes
from pierhead_sandbox.aws.batch.children import CANCELLED, TERMINATED, Attempt
from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Job, Region
from pierhead_sandbox.aws.batch.states import STATUSES, Status
from pierhead_sandbox.aws.batch.world import World

Json = dict[str, Any]

_MOST = 100
_LOG_NAME = 200


def describe_jobs(world: World, region: Region, request: Json) -> Json:
    """DescribeJobs of 1 to 100 ids."""
    ids = request.get("jobs") or []
    if not 1 <= len(ids) <= _MOST:
        raise ClientError(f"jobs: 1 to {_MOST} job ids are allowed, not {len(ids)}")
    known_before = world.now() - world.settings.describe_lag_seconds
    found = []
    for job_id in dict.fromkeys(str(item) for item in ids):
        match = region.find(job_id)
        if match is not None and match[0].created_at <= known_before:
            found.append(detail(match[0], match[1], world.now(), world.settings.summary_lag_seconds))
    return {"jobs": found}


def milliseconds(seconds: float) -> int:
    """As the Batch API writes times."""
    return int(seconds * 1000)


def array_properties(job: Job, index: int | None, now: float, lag: float) -> Json | None:
    """`arrayProperties` of a parent (with counts up to `lag` seconds old) or a child."""
    if not job.is_array:
        return None
    if index is not None:
        return {"index": index}
    at, counts = job.summary
    if not counts or now - at >= lag:
        at, counts = now, list(job.children.counts) if job.spawned else [0] * len(STATUSES)
        job.summary = (at, counts)
    return {
        "size": job.array_size,
        "statusSummary": {status.name: counts[status] for status in STATUSES},
        "statusSummaryLastUpdatedAt": milliseconds(at),
    }


def log_stream(job: Job, index: int, attempt: int) -> str:
    """Log stream of one attempt, in the group /aws/batch/job."""
    return f"{job.definition.name[:_LOG_NAME]}/default/{task_id(job, index, attempt)}"


def task_id(job: Job, index: int, attempt: int) -> str:
    """Id of the ECS task that ran an attempt."""
    return hashlib.blake2b(f"{job.id}:{index}#{attempt}".encode(), digest_size=16).hexdigest()


def detail(job: Job, index: int | None, now: float, summary_lag: float = 0) -> Json:
    """JobDetail of a parent (index None), a child, or a single job."""
    parent = job.is_array and index is None
    position = index or 0
    child_id = job.id if parent else job.child_id(position)
    found: Json = {
        "jobArn": job.region.arn(f"job/{child_id}"),
        "jobName": job.name,
        "jobId": child_id,
        "jobQueue": job.queue.arn,
        "jobDefinition": job.definition.arn,
        "createdAt": milliseconds(job.created_at if parent else job.children.created_at),
        "dependsOn": list(job.request.get("dependsOn") or []),
        "parameters": shapes.parameters(job),
        "tags": {**job.tags},
        "propagateTags": bool(
            job.request.get("propagateTags", job.definition.request.get("propagateTags", False))
        ),
        "platformCapabilities": job.definition.request.get("platformCapabilities") or [],
        "attempts": [],
    }
    if job.request.get("consumableResourcePropertiesOverride"):
        found["consumableResourceProperties"] = job.request["consumableResourcePropertiesOverride"]
    if job.strategy:
        found["retryStrategy"] = {"attempts": 1, "evaluateOnExit": [], **job.strategy}
    if job.timeout is not None:
        found["timeout"] = {"attemptDurationSeconds": job.timeout}
    for ours, theirs in (
        ("shareIdentifier", "shareIdentifier"),
        ("schedulingPriorityOverride", "schedulingPriority"),
    ):
        if job.request.get(ours) is not None:
            found[theirs] = job.request[ours]
    properties = array_properties(job, index, now, summary_lag)
    if properties is not None:
        found["arrayProperties"] = properties
    if parent:
        _add_parent(found, job)
    else:
        _add_child(found, job, position)
    return found


def _add_parent(found: Json, job: Job) -> None:
    found["status"] = job.parent_status.name
    if job.ended_because:
        found["statusReason"] = job.ended_because
    started = [moment for moment in job.children.started if moment]
    if started:
        found["startedAt"] = milliseconds(min(started))
    if job.stopped_at:
        found["stoppedAt"] = milliseconds(job.stopped_at)
    found["isCancelled"] = job.stop == CANCELLED
    found["isTerminated"] = job.stop == TERMINATED
    found.update(shapes.merged(job))


def _add_child(found: Json, job: Job, index: int) -> None:
    children = job.children
    status = children.status(index)
    found["status"] = status.name
    if children.status_reason(index):
        found["statusReason"] = children.status_reason(index)
    if children.started[index] and status >= Status.RUNNING:
        found["startedAt"] = milliseconds(children.started[index])
    if children.stopped[index]:
        found["stoppedAt"] = milliseconds(children.stopped[index])
    found["isCancelled"] = children.stops[index] == CANCELLED or (
        job.stop == CANCELLED and not children.started[index]
    )
    found["isTerminated"] = children.stops[index] == TERMINATED
    attempts = children.attempts(index)
    add = {"container": _add_container, "ecs": _add_ecs, "eks": _add_eks, "multinode": _add_nodes}[
        job.definition.kind
    ]
    add(found, job, index, attempts)


def _task(job: Job, index: int, attempt: int) -> Json:
    return {
        "taskArn": f"arn:aws:ecs:{job.region.name}:{job.region.account}:task/sandbox/"
        f"{task_id(job, index, attempt)}",
        "containerInstanceArn": f"arn:aws:ecs:{job.region.name}:{job.region.account}:"
        "container-instance/sandbox/sandbox",
    }


def _result(exit_code: int | None, reason: str) -> Json:
    found: Json = {}
    if exit_code is not None:
        found["exitCode"] = exit_code
    if reason:
        found["reason"] = reason
    return found


def _times(attempt: Attempt) -> Json:
    return {
        "startedAt": milliseconds(attempt.started_at),
        "stoppedAt": milliseconds(attempt.stopped_at),
        "statusReason": attempt.status_reason,
    }


def _add_container(found: Json, job: Job, index: int, attempts: list[Attempt]) -> None:
    children = job.children
    number = children.attempt_number(index)
    container = {**shapes.merged(job)["container"]}
    container["environment"] = [
        *container["environment"],
        *({"name": name, "value": value} for name, value in shapes.variables(job, index, number).items()),
    ]
    if children.started[index]:
        container |= {**_task(job, index, number), "logStreamName": log_stream(job, index, number)}
        container["networkInterfaces"] = []
    found["container"] = container | _result(children.exit_code(index), children.reason(index))
    found["attempts"] = [
        {
            "container": {
                **_task(job, index, attempt.number),
                "logStreamName": log_stream(job, index, attempt.number),
                "networkInterfaces": [],
                **_result(attempt.exit_code, attempt.reason),
            },
            **_times(attempt),
        }
        for attempt in attempts
    ]


def _add_ecs(found: Json, job: Job, index: int, attempts: list[Attempt]) -> None:
    children = job.children
    number = children.attempt_number(index)
    properties = shapes.merged(job)["ecsProperties"]
    result = _result(children.exit_code(index), children.reason(index))
    if children.started[index]:
        result["logStreamName"] = log_stream(job, index, number)
    tasks = [
        {**task, "containers": [{**container, **result} for container in task.get("containers") or []]}
        for task in properties.get("taskProperties") or []
    ]
    found["ecsProperties"] = {**properties, "taskProperties": tasks}
    names = [container.get("name", "default") for container in (tasks[0]["containers"] if tasks else [])]
    found["attempts"] = [
        {
            "taskProperties": [
                {
                    **_task(job, index, attempt.number),
                    "containers": [
                        {
                            "name": name,
                            "logStreamName": log_stream(job, index, attempt.number),
                            **_result(attempt.exit_code, attempt.reason),
                        }
                        for name in names
                    ],
                }
            ],
            **_times(attempt),
        }
        for attempt in attempts
    ]


def _add_nodes(found: Json, job: Job, index: int, attempts: list[Attempt]) -> None:
    """A multi-node job, as its main node ended."""
    children = job.children
    found.update(shapes.merged(job))
    result = _result(children.exit_code(index), children.reason(index))
    if result:
        found["container"] = result
    found["attempts"] = [
        {"container": _result(attempt.exit_code, attempt.reason), **_times(attempt)} for attempt in attempts
    ]


def _add_eks(found: Json, job: Job, index: int, attempts: list[Attempt]) -> None:
    children = job.children
    properties = shapes.merged(job)["eksProperties"]
    pod = {**properties["podProperties"]}
    result = _result(children.exit_code(index), children.reason(index))
    pod["containers"] = [
        {"name": "default", **container, **result} for container in pod.get("containers") or []
    ]
    if children.started[index]:
        pod["podName"] = _pod_name(job, index, children.attempt_number(index))
        pod["nodeName"] = "sandbox-node"
    found["eksProperties"] = {"podProperties": pod}
    found["eksAttempts"] = [
        {
            "podName": _pod_name(job, index, attempt.number),
            "podNamespace": "default",
            "nodeName": "sandbox-node",
            "containers": [
                {
                    "name": container["name"],
                    "containerID": f"containerd://{task_id(job, index, attempt.number)}",
                    **_result(attempt.exit_code, attempt.reason),
                }
                for container in pod["containers"]
            ],
            **_times(attempt),
        }
        for attempt in attempts
    ]


def _pod_name(job: Job, index: int, attempt: int) -> str:
    return f"aws-batch.{task_id(job, index, attempt)}"
