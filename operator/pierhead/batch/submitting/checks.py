"""What a spec uses of AWS and of the hosts, wherever in it that is said, and what may not be said there.

Invariant: a power that a field of ours has passes the operator's policy inside a pass-through too. A
pass-through holds no field that AWS does not know (boto3 refuses it before it calls), so the names below,
which are AWS's own, are all the ways to say it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.policy import Power
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.containers import Container
from pierhead.batch.model.pods import Pod
from pierhead.batch.model.template import Task, Template
from pierhead.batch.submitting.contract import RESERVED_PREFIXES
from pierhead.batch.submitting.forms import listed, mapped
from pierhead.batch.submitting.templates import MAIN
from pierhead.engine.outcome import Invalid

_CONTAINER_OWNED: Final = frozenset(
    {
        "image", "command", "environment", "secrets", "resourceRequirements", "vcpus", "memory", "jobRoleArn",
        "executionRoleArn", "networkConfiguration", "fargatePlatformConfiguration", "ephemeralStorage",
        "runtimePlatform",
    }
)  # fmt: skip
_POD_CONTAINER_OWNED: Final = frozenset({"name", "image", "command", "args", "env", "resources"})
_POD_OWNED: Final = frozenset({"serviceAccountName", "hostNetwork"})

MOST_CONTAINERS: Final = 10
"""Of a task, and of a Pod beside as many initContainers. Source: Batch API reference."""

_NODES: Final = re.compile(r"[0-9]+|[0-9]*:[0-9]*")

_POWERS: Final[Mapping[str, Power]] = {
    "jobRoleArn": "jobRole",
    "taskRoleArn": "jobRole",
    "executionRoleArn": "executionRole",
    "credentialsParameter": "secret",
    "fileSystemId": "fileSystem",
    "fileSystemArn": "fileSystem",
    "awslogs-group": "logGroup",
    "consumableResource": "consumableResource",
    "sourcePath": "host",
    "hostPath": "host",
    "secretName": "podReference",
    "serviceAccountName": "podReference",
    "claimName": "podReference",
    "namespace": "podReference",
}
_HOST_SWITCHES: Final = ("privileged", "hostNetwork", "allowPrivilegeEscalation")
_HOST_MODES: Final = ("pidMode", "ipcMode", "networkMode")
_FREE: Final = ("labels", "annotations")
"""Whose own names mean nothing to AWS."""
_VARIABLES: Final = ("env", "environment")


@dataclass(frozen=True, slots=True)
class Use:
    """Something that the namespace must be allowed to use."""

    power: Power
    value: str
    field: str


def used(spec: BatchJobSpec) -> Iterator[Use]:
    """All that what runs uses, but queue and job definition."""
    for number, resource in enumerate(spec.consumable_resources or ()):
        field = f"spec.consumableResources[{number}].name"
        yield Use("consumableResource", resource.name, field)
    template, path = spec.template, "spec.template"
    if template is None:
        return
    if template.container is not None:
        yield from _by_container(template.container, f"{path}.container")
    if template.eks is not None:
        yield from _by_pod(template.eks, f"{path}.eks")
    if template.ecs is not None:
        yield from walked(template.ecs.ecs_properties, f"{path}.ecs.ecsProperties")
    if template.nodes is not None:
        if template.nodes.container is not None:
            yield from _by_container(template.nodes.container, f"{path}.nodes.container")
        yield from walked(template.nodes.node_range_properties, f"{path}.nodes.nodeRangeProperties")


def walked(value: Any, path: str) -> Iterator[Use]:
    """All that a pass-through uses."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from walked(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _named(name, item, f"{path}.{name}")


def _named(name: str, value: Any, path: str) -> Iterator[Use]:
    power = _POWERS.get(name)
    if name in _FREE:
        return
    if isinstance(value, dict | list):
        if name == "imagePullSecrets" and isinstance(value, list):
            for number, entry in enumerate(value):
                if isinstance(entry, dict):
                    yield Use("podReference", str(entry.get("name")), f"{path}[{number}].name")
            return
        if name == "hostPath" and isinstance(value, dict):
            yield Use("host", str(value.get("path")), f"{path}.path")
            return
        yield from walked(value, path)
    elif name == "valueFrom":
        yield Use("parameter" if _is_parameter(str(value)) else "secret", str(value), path)
    elif power is not None and value is not None:
        yield Use(power, str(value), path)
    elif _reaches_the_host(name, value):
        yield Use("host", name, path)


def _reaches_the_host(name: str, value: Any) -> bool:
    return (name in _HOST_SWITCHES and value not in (None, False)) or (
        name in _HOST_MODES and value == "host"
    )


def _is_parameter(reference: str) -> bool:
    """A secret is named by its ARN only; what is no ARN is a parameter's name."""
    return ":ssm:" in reference or not reference.startswith("arn:")


def _by_container(container: Container, path: str) -> Iterator[Use]:
    if container.job_role_arn is not None:
        yield Use("jobRole", container.job_role_arn, f"{path}.jobRoleArn")
    if container.execution_role_arn is not None:
        yield Use("executionRole", container.execution_role_arn, f"{path}.executionRoleArn")
    for number, secret in enumerate(container.secrets or ()):
        power: Power = "parameter" if ":ssm:" in secret.value_from else "secret"
        yield Use(power, secret.value_from, f"{path}.secrets[{number}].valueFrom")
    yield from walked(container.properties, f"{path}.properties")


def _by_pod(pod: Pod, path: str) -> Iterator[Use]:
    if pod.service_account_name is not None:
        yield Use("podReference", pod.service_account_name, f"{path}.serviceAccountName")
    if pod.host_network:
        yield Use("host", "hostNetwork", f"{path}.hostNetwork")
    for number, volume in enumerate(pod.secret_volumes or ()):
        yield Use("podReference", volume.secret, f"{path}.secretVolumes[{number}].secret")
    yield from walked(pod.container_properties, f"{path}.containerProperties")
    yield from walked(pod.pod_properties, f"{path}.podProperties")


def refuse_misplaced(template: Template) -> None:
    """Raises Invalid for what a pass-through may not hold: fields of ours, and reserved variables."""
    path = "spec.template"
    for container, place in (
        (template.container, f"{path}.container"),
        (template.nodes.container if template.nodes else None, f"{path}.nodes.container"),
    ):
        if container is not None:
            _refuse_owned(container.properties, _CONTAINER_OWNED, f"{place}.properties")
    if template.eks is not None:
        _refuse_in_pod(template.eks, f"{path}.eks")
    if template.ecs is not None:
        _refuse_in_task(template.ecs, f"{path}.ecs.ecsProperties")
    if template.nodes is not None:
        _refuse_in_ranges(template.nodes.node_range_properties or [], f"{path}.nodes.nodeRangeProperties")


def _refuse_in_task(task: Task, path: str) -> None:
    _refuse_in_tasks(task.ecs_properties, path)
    _refuse_variables(task.ecs_properties, path)
    if task.platform == "Fargate" and not task.ecs_properties["taskProperties"][0].get("executionRoleArn"):
        raise Invalid("is required on Fargate", field=f"{path}.taskProperties[0].executionRoleArn")


def _refuse_in_ranges(ranges: list[dict[str, Any]], path: str) -> None:
    for number, part in enumerate(ranges):
        place = f"{path}[{number}]"
        if not _NODES.fullmatch(str(part.get("targetNodes"))):
            raise Invalid("must be a range of nodes, such as 0:3 or 4:", field=f"{place}.targetNodes")
        if part.get("ecsProperties"):
            _refuse_in_tasks(mapped(part["ecsProperties"]), f"{place}.ecsProperties")
        pods = mapped(part.get("eksProperties"))
        if pods and not isinstance(pods.get("podProperties"), dict):
            raise Invalid("is no object", field=f"{place}.eksProperties.podProperties")
        for kind in ("containers", "initContainers"):
            members = mapped(pods.get("podProperties")).get(kind)
            _refuse_more(members, MOST_CONTAINERS, f"{place}.eksProperties.podProperties.{kind}")
    _refuse_variables(ranges, path)


def _refuse_owned(properties: Mapping[str, Any] | None, owned: frozenset[str], path: str) -> None:
    for name in properties or {}:
        if name in owned:
            raise Invalid(
                f"{name} has a field of its own beside this one, or is pierhead's", field=f"{path}.{name}"
            )


def _refuse_in_pod(pod: Pod, path: str) -> None:
    _refuse_owned(pod.container_properties, _POD_CONTAINER_OWNED, f"{path}.containerProperties")
    _refuse_owned(pod.pod_properties, _POD_OWNED, f"{path}.podProperties")
    rest = pod.pod_properties or {}
    _refuse_no_list(pod.container_properties, ("volumeMounts",), f"{path}.containerProperties")
    _refuse_no_list(rest, ("containers", "initContainers", "volumes"), f"{path}.podProperties")
    for kind, most in (("containers", MOST_CONTAINERS - 1), ("initContainers", MOST_CONTAINERS)):
        place = f"{path}.podProperties.{kind}"
        _refuse_more(rest.get(kind), most, place)
        _refuse_unnamed(rest.get(kind), place, taken={MAIN})
        _refuse_variables(rest.get(kind), place)
    for number, volume in enumerate(listed(rest.get("volumes"))):
        if str(_name(volume)).startswith("pierhead-"):
            field = f"{path}.podProperties.volumes[{number}].name"
            raise Invalid("names that begin with pierhead- are reserved", field=field)


def _refuse_no_list(properties: Mapping[str, Any] | None, names: Iterable[str], path: str) -> None:
    for name in names:
        if not isinstance((properties or {}).get(name, []), list):
            raise Invalid("is no list", field=f"{path}.{name}")


def _refuse_more(containers: Any, most: int, path: str) -> None:
    count = len(listed(containers))
    if count > most:
        raise Invalid(f"has {count} containers; Batch takes {most} here", field=path)


def _refuse_in_tasks(properties: Mapping[str, Any], path: str) -> None:
    tasks = listed(properties.get("taskProperties"))
    if len(tasks) != 1 or not isinstance(tasks[0], dict):
        raise Invalid("exactly one task is required", field=f"{path}.taskProperties")
    place = f"{path}.taskProperties[0].containers"
    if not listed(tasks[0].get("containers")):
        raise Invalid("at least one container is required", field=place)
    _refuse_more(tasks[0]["containers"], MOST_CONTAINERS, place)
    _refuse_unnamed(tasks[0]["containers"], place, taken=set())


def _refuse_unnamed(containers: Any, path: str, *, taken: set[str]) -> None:
    """A container is told its index by its name."""
    for number, container in enumerate(listed(containers)):
        name = _name(container)
        if not isinstance(name, str) or not name:
            raise Invalid(
                "is required: by it the container is told its index", field=f"{path}[{number}].name"
            )
        if name in taken:
            raise Invalid(f"there is another container {name!r}", field=f"{path}[{number}].name")
        taken.add(name)


def _refuse_variables(value: Any, path: str) -> None:
    if isinstance(value, list):
        for number, item in enumerate(value):
            _refuse_variables(item, f"{path}[{number}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if name in (*_VARIABLES, "secrets"):
                for number, variable in enumerate(listed(item)):
                    if str(_name(variable)).upper().startswith(RESERVED_PREFIXES):
                        field = f"{path}.{name}[{number}]"
                        prefixes = " or ".join(RESERVED_PREFIXES)
                        raise Invalid(f"names that begin with {prefixes} are reserved", field=field)
            else:
                _refuse_variables(item, f"{path}.{name}")


def _name(value: Any) -> Any:
    return value.get("name") if isinstance(value, dict) else None
