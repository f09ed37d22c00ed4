"""What a job's container is: its definition with the submission's overrides, and Batch's own variables.

Invariant: pure. Source: AWS Batch API reference (ContainerOverrides, EksPropertiesOverride,
TaskContainerOverrides) and user guide, "Job environment variables".
"""

import copy
import re
from collections.abc import Mapping
from typing import Any

from pierhead_sandbox.aws.batch.region import Job

Json = dict[str, Any]

_REFERENCE = re.compile(r"Ref::([A-Za-z0-9_-]+)")


def merged(job: Job) -> Json:
    """`container`, `ecsProperties` or `eksProperties` of the job's detail, before anything ran.

    Made once a job and never changed afterwards: callers copy what they add to.
    """
    if job.shape is None:
        job.shape = {"container": _container, "ecs": _ecs, "eks": _eks, "multinode": _multinode}[
            job.definition.kind
        ](job)
    return job.shape


def variables(job: Job, index: int, attempt: int) -> dict[str, str]:
    """The variables Batch itself gives a container."""
    environments = job.queue.request.get("computeEnvironmentOrder") or []
    name = str(environments[0]["computeEnvironment"]).rpartition("/")[2] if environments else "sandbox"
    found = {
        "AWS_BATCH_JOB_ID": job.child_id(index),
        "AWS_BATCH_JOB_ATTEMPT": str(attempt),
        "AWS_BATCH_JQ_NAME": job.queue.name,
        "AWS_BATCH_CE_NAME": name,
    }
    if job.is_array:
        found["AWS_BATCH_JOB_ARRAY_INDEX"] = str(index)
        found["AWS_BATCH_JOB_ARRAY_SIZE"] = str(job.children.size)
    return found


def parameters(job: Job) -> dict[str, str]:
    """Parameters of the definition, then those of the submission."""
    return {**(job.definition.request.get("parameters") or {}), **(job.request.get("parameters") or {})}


def substituted(command: list[str], values: Mapping[str, str]) -> list[str]:
    """A command with its `Ref::name` parts filled in; a name without a value stays."""
    return [_REFERENCE.sub(lambda match: values.get(match[1], match[0]), part) for part in command]


def first_container(job: Job) -> Json:
    """What a local process stands for: of several containers, the first."""
    shape = merged(job)
    if job.definition.kind == "container":
        found: Json = shape["container"]
    elif job.definition.kind == "multinode":
        found = shape["nodeProperties"]["nodeRangeProperties"][0].get("container") or {}
    elif job.definition.kind == "ecs":
        found = shape["ecsProperties"]["taskProperties"][0]["containers"][0]
    else:
        found = shape["eksProperties"]["podProperties"]["containers"][0]
    return found


def command_and_environment(job: Job) -> tuple[list[str], dict[str, str]]:
    """What a local process runs, and the variables of the definition and the submission."""
    found = first_container(job)
    command = [*(found.get("command") or []), *(found.get("args") or [])]
    variables_ = found.get("env" if job.definition.kind == "eks" else "environment") or []
    environment = {str(item["name"]): str(item.get("value", "")) for item in variables_}
    return substituted(command, parameters(job)), environment


def _container(job: Job) -> Json:
    base = copy.deepcopy(job.definition.request.get("containerProperties") or {})
    _override(base, job.request.get("containerOverrides") or {}, "environment")
    base.setdefault("command", [])
    for key in ("volumes", "environment", "mountPoints", "ulimits", "resourceRequirements", "secrets"):
        base.setdefault(key, [])
    return {"container": base}


def _ecs(job: Job) -> Json:
    base = copy.deepcopy(job.definition.request["ecsProperties"])
    changes = (job.request.get("ecsPropertiesOverride") or {}).get("taskProperties") or []
    for task, change in zip(base.get("taskProperties") or [], changes, strict=False):
        _override_named(task.get("containers") or [], change.get("containers") or [], "environment")
    return {"ecsProperties": base}


def _multinode(job: Job) -> Json:
    base = copy.deepcopy(job.definition.request["nodeProperties"])
    changes = (job.request.get("nodeOverrides") or {}).get("nodePropertyOverrides") or []
    for change in changes:
        for part in base["nodeRangeProperties"]:
            if part["targetNodes"] == change["targetNodes"] and part.get("container"):
                _override(part["container"], change.get("containerOverrides") or {}, "environment")
    return {"nodeProperties": base}


def _eks(job: Job) -> Json:
    base = copy.deepcopy(job.definition.request["eksProperties"])
    pod = base.setdefault("podProperties", {})
    change = (job.request.get("eksPropertiesOverride") or {}).get("podProperties") or {}
    _override_named(pod.get("containers") or [], change.get("containers") or [], "env")
    _override_named(pod.get("initContainers") or [], change.get("initContainers") or [], "env")
    metadata = pod.setdefault("metadata", {})
    for key in ("labels", "annotations"):
        added = (change.get("metadata") or {}).get(key)
        if added:
            metadata[key] = {**(metadata.get(key) or {}), **added}
    pod.setdefault("hostNetwork", True)
    return {"eksProperties": base}


def _override_named(members: list[Json], changes: list[Json], environment_key: str) -> None:
    for position, change in enumerate(changes):
        chosen = [member for member in members if member.get("name") == change.get("name")]
        # An override without a name means the container at the same place.
        target = chosen or members[position : position + 1]
        for member in target[:1]:
            _override(member, change, environment_key)


def _override(base: Json, change: Json, environment_key: str) -> None:
    for key, value in change.items():
        if value is None:
            continue
        if key in {environment_key, "resourceRequirements"}:
            by = "type" if key == "resourceRequirements" else "name"
            rest = {item[by]: item for item in base.get(key) or []}
            rest.update({item[by]: item for item in value})
            base[key] = list(rest.values())
        else:
            base[key] = value
