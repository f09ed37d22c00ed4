"""What Batch refuses.

Invariant: every function raises ClientError or changes nothing. Bounds are those of the AWS Batch API
reference and quota pages; where AWS documents a rule but no text, the text is ours.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pierhead_sandbox.aws.batch.errors import ClientError
from pierhead_sandbox.aws.batch.region import Definition, Queue, Region

Json = Mapping[str, Any]

SUBMIT_BYTES = 30 * 1024
REGISTER_BYTES = 24 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_SHARE = re.compile(r"[A-Za-z0-9]{1,255}\*?")
_EXIT_CODE = re.compile(r"[0-9]*\*?")
_ARRAY = (2, 10_000)
_DEPENDENCIES = 20
_ATTEMPTS = (1, 10)
_RULES = 5
_PATTERN = 512
_TIMEOUT = 60
_PRIORITY = (0, 9999)
_CONTAINERS = 10
_RANGES = 5
_NODES = re.compile(r"[0-9]+|[0-9]*:[0-9]*")
REASON = 1024


def name(value: Any, field: str) -> str:
    """A name of ours: letters, digits, hyphens and underscores, to 128 characters."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ClientError(
            f"{field}: must match ^[A-Za-z0-9][A-Za-z0-9_-]*$ and be at most 128 characters long"
        )
    return value


def size(length: int, limit: int) -> None:
    """The bytes of a request."""
    if length > limit:
        raise ClientError(f"Request payload is {length} bytes, at most {limit} are allowed")


def bounded(value: Any, field: str, bounds: tuple[int, int]) -> int:
    """A whole number within bounds."""
    low, high = bounds
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ClientError(f"{field}: must be between {low} and {high}")
    return value


def reason(value: Any) -> str:
    """Why somebody stops a job."""
    if not isinstance(value, str) or not value or len(value) > REASON:
        raise ClientError(f"reason: must be 1 to {REASON} characters long")
    return value


def retry(strategy: Json | None) -> None:
    """A retry strategy with its rules."""
    if not strategy:
        return
    if strategy.get("attempts") is not None:
        bounded(strategy["attempts"], "retryStrategy.attempts", _ATTEMPTS)
    rules: Sequence[Json] = strategy.get("evaluateOnExit") or ()
    if rules and strategy.get("attempts") is None:
        raise ClientError("retryStrategy.attempts: required when evaluateOnExit is given")
    if len(rules) > _RULES:
        raise ClientError(f"retryStrategy.evaluateOnExit: at most {_RULES} rules are allowed")
    for rule in rules:
        _rule(rule)


def _rule(rule: Json) -> None:
    if str(rule.get("action", "")).upper() not in {"RETRY", "EXIT"}:
        raise ClientError("retryStrategy.evaluateOnExit.action: must be RETRY or EXIT")
    given = [key for key in ("onStatusReason", "onReason", "onExitCode") if rule.get(key)]
    if not given:
        raise ClientError("retryStrategy.evaluateOnExit: a rule needs onStatusReason, onReason or onExitCode")
    for key in given:
        pattern = str(rule[key])
        if len(pattern) > _PATTERN:
            raise ClientError(f"retryStrategy.evaluateOnExit.{key}: at most {_PATTERN} characters")
        if "*" in pattern[:-1]:
            raise ClientError(f"retryStrategy.evaluateOnExit.{key}: an asterisk may only be at the end")
        if key == "onExitCode" and not _EXIT_CODE.fullmatch(pattern):
            raise ClientError("retryStrategy.evaluateOnExit.onExitCode: only digits and a final asterisk")


def timeout(value: Json | None) -> None:
    """A timeout per attempt."""
    if value and value.get("attemptDurationSeconds") is not None:
        seconds = value["attemptDurationSeconds"]
        if not isinstance(seconds, int) or seconds < _TIMEOUT:
            raise ClientError(f"timeout.attemptDurationSeconds: must be at least {_TIMEOUT} seconds")


def environment(variables: Sequence[Json] | None, field: str) -> None:
    """Environment variables of a container."""
    for variable in variables or ():
        if str(variable.get("name", "")).upper().startswith("AWS_BATCH"):
            raise ClientError(f"{field}: {variable['name']} uses the prefix AWS_BATCH, which is reserved")


def parameters(value: Json | None) -> None:
    """Substitution parameters."""
    for key, text in (value or {}).items():
        if not isinstance(text, str):
            raise ClientError(f"parameters.{key}: must be a string")


def queue_for_submit(region: Region, reference: Any) -> Queue:
    """The queue, if it takes jobs."""
    queue = region.queue(str(reference or ""))
    if queue is None:
        raise ClientError(f"JobQueue {reference} does not exist")
    if queue.state != "ENABLED":
        raise ClientError(f"JobQueue {queue.name} is {queue.state} and cannot accept jobs")
    return queue


def definition_for_submit(region: Region, reference: Any) -> Definition:
    """The definition, if it is active."""
    definition = region.definition(str(reference or ""))
    if definition is None:
        raise ClientError(f"JobDefinition {reference} does not exist")
    if not definition.active:
        raise ClientError(f"JobDefinition {reference} is INACTIVE")
    return definition


def array_size(request: Json) -> int | None:
    """The array's size, None for a single job."""
    given = request.get("arrayProperties") or {}
    if given.get("size") is None:
        return None
    return bounded(given["size"], "arrayProperties.size", _ARRAY)


def dependencies(region: Region, request: Json, own_size: int | None) -> None:
    """What a job waits for."""
    given: Sequence[Json] = request.get("dependsOn") or ()
    if len(given) > _DEPENDENCIES:
        raise ClientError(f"dependsOn: {len(given)} dependencies, at most {_DEPENDENCIES} are allowed")
    for item in given:
        _dependency(region, item, own_size)


def _dependency(region: Region, item: Json, own_size: int | None) -> None:
    kind, job_id = item.get("type"), item.get("jobId")
    if kind not in {None, "N_TO_N", "SEQUENTIAL"}:
        raise ClientError(f"dependsOn.type: {kind} is not N_TO_N or SEQUENTIAL")
    if kind == "SEQUENTIAL":
        if job_id:
            raise ClientError("dependsOn: a SEQUENTIAL dependency takes no jobId")
        if own_size is None:
            raise ClientError("dependsOn: only an array job can be SEQUENTIAL")
        return
    found = region.find(str(job_id)) if job_id else None
    if found is None:
        raise ClientError(f"dependsOn: job {job_id} does not exist")
    if kind == "N_TO_N":
        upstream_size = None if found[1] is not None else found[0].array_size
        if own_size is None or upstream_size is None:
            raise ClientError("dependsOn: N_TO_N is only possible between array jobs")
        if upstream_size != own_size:
            raise ClientError(f"dependsOn: N_TO_N needs arrays of equal size, {job_id} has {upstream_size}")


def share(request: Json, queue: Queue) -> None:
    """Fair-share fields."""
    identifier = request.get("shareIdentifier")
    fair = bool(queue.request.get("schedulingPolicyArn"))
    if fair and not identifier:
        raise ClientError(f"shareIdentifier: required, JobQueue {queue.name} has a scheduling policy")
    if identifier and not fair:
        raise ClientError(f"shareIdentifier: JobQueue {queue.name} has no scheduling policy")
    if identifier and not _SHARE.fullmatch(str(identifier)):
        raise ClientError("shareIdentifier: letters and digits, at most 255")
    if request.get("schedulingPriorityOverride") is not None:
        bounded(request["schedulingPriorityOverride"], "schedulingPriorityOverride", _PRIORITY)


def overrides(request: Json, definition: Definition) -> None:
    """Overrides have to be of the definition's kind."""
    allowed = {
        "container": "containerOverrides",
        "ecs": "ecsPropertiesOverride",
        "eks": "eksPropertiesOverride",
        "multinode": "nodeOverrides",
    }[definition.kind]
    if definition.kind == "multinode" and request.get("arrayProperties"):
        raise ClientError("arrayProperties: a multi-node parallel job cannot be an array")
    for field in ("containerOverrides", "ecsPropertiesOverride", "eksPropertiesOverride", "nodeOverrides"):
        if request.get(field) and field != allowed:
            raise ClientError(f"{field}: JobDefinition {definition.name} takes {allowed}, not {field}")
    environment(
        (request.get("containerOverrides") or {}).get("environment"), "containerOverrides.environment"
    )
    for task in (request.get("ecsPropertiesOverride") or {}).get("taskProperties") or ():
        for container in task.get("containers") or ():
            environment(container.get("environment"), "ecsPropertiesOverride environment")
    pod = (request.get("eksPropertiesOverride") or {}).get("podProperties") or {}
    for container in [*(pod.get("containers") or ()), *(pod.get("initContainers") or ())]:
        environment(container.get("env"), "eksPropertiesOverride env")
    for part in (request.get("nodeOverrides") or {}).get("nodePropertyOverrides") or ():
        if not part.get("targetNodes"):
            raise ClientError("nodeOverrides.nodePropertyOverrides.targetNodes: required")
        variables = (part.get("containerOverrides") or {}).get("environment")
        environment(variables, "nodeOverrides environment")


def container_properties(properties: Json, platforms: Sequence[str]) -> None:
    """Container properties of a definition."""
    if not properties.get("image"):
        raise ClientError("containerProperties.image: required")
    environment(properties.get("environment"), "containerProperties.environment")
    given = {str(item.get("type")) for item in properties.get("resourceRequirements") or ()}
    for old, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
        if kind not in given and not properties.get(old):
            raise ClientError(f"containerProperties.resourceRequirements: {kind} is required")
    if "FARGATE" in platforms and not properties.get("executionRoleArn"):
        raise ClientError("containerProperties.executionRoleArn: required on FARGATE")
    if "FARGATE" in platforms and properties.get("privileged"):
        raise ClientError("containerProperties.privileged: not on FARGATE")


def node_properties(properties: Json) -> None:
    """Node properties of a definition."""
    count, main = properties.get("numNodes"), properties.get("mainNode")
    if not isinstance(count, int) or not isinstance(main, int) or not 0 <= main < count:
        raise ClientError("nodeProperties.mainNode: must be one of numNodes nodes")
    ranges = properties.get("nodeRangeProperties") or ()
    if not 1 <= len(ranges) <= _RANGES:
        raise ClientError(f"nodeProperties.nodeRangeProperties: 1 to {_RANGES} are allowed")
    for part in ranges:
        if not _NODES.fullmatch(str(part.get("targetNodes"))):
            raise ClientError("nodeProperties.nodeRangeProperties.targetNodes: a range such as 0:3 or 0:")
        if part.get("container"):
            container_properties(part["container"], ())


def pod_properties(properties: Json) -> None:
    """Pod properties of a definition."""
    containers = properties.get("containers") or ()
    if not containers:
        raise ClientError("eksProperties.podProperties.containers: required")
    for field in ("containers", "initContainers"):
        members = properties.get(field) or ()
        if len(members) > _CONTAINERS:
            raise ClientError(f"eksProperties.podProperties.{field}: at most {_CONTAINERS}")
        for container in members:
            if not container.get("image"):
                raise ClientError(f"eksProperties.podProperties.{field}.image: required")
            environment(container.get("env"), f"eksProperties.podProperties.{field}.env")


def definition(request: Json) -> None:
    """RegisterJobDefinition."""
    name(request.get("jobDefinitionName"), "jobDefinitionName")
    kind = request.get("type")
    if kind not in {"container", "multinode"}:
        raise ClientError("type: must be container or multinode")
    platforms: Sequence[str] = request.get("platformCapabilities") or ()
    if any(platform not in {"EC2", "FARGATE"} for platform in platforms):
        raise ClientError("platformCapabilities: must be EC2 or FARGATE")
    given = [
        key
        for key in ("containerProperties", "ecsProperties", "eksProperties", "nodeProperties")
        if request.get(key)
    ]
    if len(given) != 1 or (kind == "multinode") != (given == ["nodeProperties"]):
        raise ClientError(
            "type: container takes one of containerProperties, ecsProperties and eksProperties; "
            "multinode takes nodeProperties"
        )
    if request.get("containerProperties"):
        container_properties(request["containerProperties"], platforms)
    for task in (request.get("ecsProperties") or {}).get("taskProperties") or ():
        for container in task.get("containers") or ():
            environment(container.get("environment"), "ecsProperties environment")
    if request.get("eksProperties"):
        pod_properties(request["eksProperties"].get("podProperties") or {})
    if request.get("nodeProperties"):
        node_properties(request["nodeProperties"])
    retry(request.get("retryStrategy"))
    timeout(request.get("timeout"))
    parameters(request.get("parameters"))
    if request.get("schedulingPriority") is not None:
        bounded(request["schedulingPriority"], "schedulingPriority", _PRIORITY)
