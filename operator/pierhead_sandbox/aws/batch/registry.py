"""Job definitions, queues and compute environments.

Invariant: a queue or an environment is VALID as soon as it exists; a definition's revisions count up and are
never reused.
"""

from typing import Any
from uuid import uuid4

from pierhead_sandbox.aws.batch import tagging, validation
from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Definition, Environment, Queue, Region
from pierhead_sandbox.aws.batch.states import FINAL
from pierhead_sandbox.aws.batch.world import World

Json = dict[str, Any]

_MOST = 50
_ENVIRONMENTS_PER_QUEUE = 3
_LIMIT_SECONDS = (600, 86_400)
_PAGE = 100


def register_definition(region: Region, request: Json, length: int) -> Json:
    """RegisterJobDefinition."""
    validation.size(length, validation.REGISTER_BYTES)
    validation.definition(request)
    tags = tagging.check(request.get("tags"))
    name = str(request["jobDefinitionName"])
    revisions = region.definitions.setdefault(name, [])
    revision = len(revisions) + 1
    definition = Definition(name, revision, region.arn(f"job-definition/{name}:{revision}"), request, tags)
    revisions.append(definition)
    return {"jobDefinitionName": name, "jobDefinitionArn": definition.arn, "revision": revision}


def deregister_definition(region: Region, request: Json) -> Json:
    """DeregisterJobDefinition: jobs under way keep it."""
    reference = str(request.get("jobDefinition") or "")
    definition = region.definition(reference)
    if definition is None or ":" not in reference.rpartition("job-definition/")[2]:
        raise ClientError(f"jobDefinition: {reference} is not a name:revision or ARN of a job definition")
    definition.active = False
    return {}


def describe_definitions(region: Region, request: Json) -> Json:
    """DescribeJobDefinitions by name, status or a list of references."""
    references = request.get("jobDefinitions")
    if references:
        found = [item for reference in references if (item := _exact(region, str(reference))) is not None]
    else:
        name = request.get("jobDefinitionName")
        names = [str(name)] if name else sorted(region.definitions)
        found = [item for key in names for item in reversed(region.definitions.get(key, []))]
    status = request.get("status")
    if status:
        found = [item for item in found if _definition_status(item) == status]
    return _paged("jobDefinitions", [_definition_detail(item) for item in found], request)


def _exact(region: Region, reference: str) -> Definition | None:
    return region.definition(reference)


def _definition_status(definition: Definition) -> str:
    return "ACTIVE" if definition.active else "INACTIVE"


def _definition_detail(definition: Definition) -> Json:
    return {
        **definition.request,
        "jobDefinitionName": definition.name,
        "jobDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": _definition_status(definition),
        "tags": dict(definition.tags),
        "containerOrchestrationType": "EKS" if definition.kind == "eks" else "ECS",
    }


def create_queue(region: Region, request: Json) -> Json:
    """CreateJobQueue."""
    name = validation.name(request.get("jobQueueName"), "jobQueueName")
    if name in region.queues:
        raise ClientError(f"JobQueue {name} already exists")
    if len(region.queues) >= _MOST:
        raise ClientError(f"At most {_MOST} job queues are allowed")
    _check_queue(region, request)
    order = request.get("computeEnvironmentOrder") or []
    if not order:
        raise ClientError("computeEnvironmentOrder: required")
    queue = Queue(
        name=name,
        arn=region.arn(f"job-queue/{name}"),
        request=dict(request),
        tags=tagging.check(request.get("tags")),
        state=_state(request.get("state")),
    )
    region.queues[name] = queue
    return {"jobQueueName": name, "jobQueueArn": queue.arn}


def update_queue(region: Region, request: Json) -> Json:
    """UpdateJobQueue."""
    queue = _queue(region, request.get("jobQueue"))
    _check_queue(region, request)
    if request.get("state"):
        queue.state = _state(request["state"])
    for key in ("priority", "computeEnvironmentOrder", "schedulingPolicyArn", "jobStateTimeLimitActions"):
        if request.get(key) is not None:
            queue.request[key] = request[key]
    return {"jobQueueName": queue.name, "jobQueueArn": queue.arn}


def delete_queue(world: World, region: Region, request: Json) -> Json:
    """DeleteJobQueue: it must be disabled; what is in it is terminated."""
    queue = _queue(region, request.get("jobQueue"))
    if queue.state != "DISABLED":
        raise ClientError(f"JobQueue {queue.name} must be DISABLED before it is deleted")
    for job in list(queue.jobs):
        if job.status not in FINAL:
            world.stop_job(job, None, "Job Queue deleted", terminate=True)
    del region.queues[queue.name]
    return {}


def describe_queues(region: Region, request: Json) -> Json:
    """DescribeJobQueues: unknown names are left out."""
    names = request.get("jobQueues")
    if names:
        found = [queue for name in names if (queue := region.queue(str(name))) is not None]
    else:
        found = list(region.queues.values())
    return _paged("jobQueues", [_queue_detail(queue) for queue in found], request)


def _queue(region: Region, reference: Any) -> Queue:
    queue = region.queue(str(reference or ""))
    if queue is None:
        raise ClientError(f"JobQueue {reference} does not exist")
    return queue


def _state(text: Any) -> str:
    if text not in {None, "ENABLED", "DISABLED"}:
        raise ClientError("state: must be ENABLED or DISABLED")
    return str(text or "ENABLED")


def _check_queue(region: Region, request: Json) -> None:
    order = request.get("computeEnvironmentOrder") or []
    if len(order) > _ENVIRONMENTS_PER_QUEUE:
        raise ClientError(f"computeEnvironmentOrder: at most {_ENVIRONMENTS_PER_QUEUE} are allowed")
    for item in order:
        if region.environment(str(item.get("computeEnvironment"))) is None:
            raise ClientError(f"ComputeEnvironment {item.get('computeEnvironment')} does not exist")
    for action in request.get("jobStateTimeLimitActions") or []:
        if action.get("state") != "RUNNABLE" or action.get("action") not in {"CANCEL", "TERMINATE"}:
            raise ClientError("jobStateTimeLimitActions: the state is RUNNABLE, the action CANCEL")
        validation.bounded(
            action.get("maxTimeSeconds"), "jobStateTimeLimitActions.maxTimeSeconds", _LIMIT_SECONDS
        )


def _queue_detail(queue: Queue) -> Json:
    return {
        "computeEnvironmentOrder": [],
        "priority": 1,
        "jobStateTimeLimitActions": [],
        **{key: value for key, value in queue.request.items() if key not in {"jobQueueName", "tags"}},
        "jobQueueName": queue.name,
        "jobQueueArn": queue.arn,
        "state": queue.state,
        "status": "VALID",
        "statusReason": "JobQueue Healthy",
        "tags": dict(queue.tags),
    }


def create_environment(region: Region, request: Json) -> Json:
    """CreateComputeEnvironment."""
    name = validation.name(request.get("computeEnvironmentName"), "computeEnvironmentName")
    if name in region.environments:
        raise ClientError(f"ComputeEnvironment {name} already exists")
    if len(region.environments) >= _MOST:
        raise ClientError(f"At most {_MOST} compute environments are allowed")
    if request.get("type") not in {"MANAGED", "UNMANAGED"}:
        raise ClientError("type: must be MANAGED or UNMANAGED")
    environment = Environment(
        name=name,
        arn=region.arn(f"compute-environment/{name}"),
        request={**request, "state": _state(request.get("state")), "uuid": str(uuid4())},
        tags=tagging.check(request.get("tags")),
    )
    region.environments[name] = environment
    return {"computeEnvironmentName": name, "computeEnvironmentArn": environment.arn}


def describe_environments(region: Region, request: Json) -> Json:
    """DescribeComputeEnvironments: unknown names are left out."""
    names = request.get("computeEnvironments")
    if names:
        found = [item for name in names if (item := region.environment(str(name))) is not None]
    else:
        found = list(region.environments.values())
    details = [
        {
            **environment.request,
            "computeEnvironmentArn": environment.arn,
            "status": "VALID",
            "statusReason": "ComputeEnvironment Healthy",
            "tags": dict(environment.tags),
            "containerOrchestrationType": "EKS" if environment.request.get("eksConfiguration") else "ECS",
        }
        for environment in found
    ]
    return _paged("computeEnvironments", details, request)


def sandbox_queue(region: Region, name: str) -> Json:
    """A queue on an environment of the sandbox's own, both made if missing."""
    if "sandbox" not in region.environments:
        create_environment(region, {"computeEnvironmentName": "sandbox", "type": "MANAGED"})
    if name in region.queues:
        return {"jobQueueName": name, "jobQueueArn": region.queues[name].arn}
    order = [{"order": 1, "computeEnvironment": region.environments["sandbox"].arn}]
    return create_queue(region, {"jobQueueName": name, "priority": 1, "computeEnvironmentOrder": order})


def _paged(key: str, found: list[Json], request: Json) -> Json:
    limit = request.get("maxResults") or _PAGE
    if not isinstance(limit, int) or not 1 <= limit <= _PAGE:
        raise ClientError(f"maxResults: must be between 1 and {_PAGE}")
    start = int(request.get("nextToken") or 0)
    page: Json = {key: found[start : start + limit]}
    if start + limit < len(found):
        page["nextToken"] = str(start + limit)
    return page
