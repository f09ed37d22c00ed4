"""From a template to what a job definition is made of.

Invariant: equal templates give equal content, and a template that an older pierhead knew gives the content
that it gave, so no definition is registered anew. Shapes: Batch API reference, RegisterJobDefinition.
"""

from typing import Any, Final

from pierhead.batch.model.containers import Container, Fargate
from pierhead.batch.model.nodes import Nodes
from pierhead.batch.model.pods import Pod
from pierhead.batch.model.template import Template
from pierhead.batch.model.variables import Resources, Variable
from pierhead.batch.submitting.forms import listed, mapped
from pierhead.batch.submitting.sizes import length

MAIN: Final = "main"
"""The container of a Pod that is described by fields of ours."""

OWN_OVERRIDES_LIMIT: Final = 4096
"""Characters of a template's command and variables that travel with each job. What is longer goes into the
definition: half of the overrides is for the index map."""

Json = dict[str, Any]


def content_of(template: Template) -> Json:
    """The fields of a RegisterJobDefinition request that say what runs."""
    if template.eks is not None:
        return {"type": "container", "eksProperties": {"podProperties": _pod(template.eks)}}
    if template.ecs is not None:
        platform = {"platformCapabilities": ["FARGATE"]} if template.ecs.platform == "Fargate" else {}
        return {"type": "container", "ecsProperties": template.ecs.ecs_properties, **platform}
    if template.nodes is not None:
        return {"type": "multinode", "nodeProperties": _nodes(template.nodes)}
    container = template.container
    if container is None:
        raise ValueError("a template has one form")
    content: Json = {"type": "container", "containerProperties": _container(container)}
    if container.fargate is not None:
        content["platformCapabilities"] = ["FARGATE"]
    return content


def own_overrides(template: Template) -> Json:
    """What of a template travels with each job, in the form that containerOverrides have it.

    Empty where it is in the definition.
    """
    described = template.container or template.eks
    own = _own(described) if described is not None else {}
    return own if length(own) <= OWN_OVERRIDES_LIMIT else {}


def requirements(resources: Resources) -> list[dict[str, str]]:
    """What a container on ECS needs."""
    found = [
        {"type": "VCPU", "value": f"{resources.vcpu:g}"},
        {"type": "MEMORY", "value": str(resources.memory_mib)},
    ]
    if resources.gpu is not None:
        found.append({"type": "GPU", "value": str(resources.gpu)})
    return found


def environment(variables: list[Variable]) -> list[dict[str, str]]:
    """Variables as Batch has them."""
    return [{"name": variable.name, "value": variable.value} for variable in variables]


def _container(container: Container, *, travels: bool = True) -> Json:
    properties: Json = {**(container.properties or {})}
    properties |= {"image": container.image, "resourceRequirements": requirements(container.resources)}
    if container.job_role_arn is not None:
        properties["jobRoleArn"] = container.job_role_arn
    if container.execution_role_arn is not None:
        properties["executionRoleArn"] = container.execution_role_arn
    if container.secrets:
        properties["secrets"] = [
            {"name": secret.name, "valueFrom": secret.value_from} for secret in container.secrets
        ]
    own = _own(container)
    if not travels or length(own) > OWN_OVERRIDES_LIMIT:
        properties |= own
    if container.fargate is not None:
        properties |= _fargate(container.fargate)
    return properties


def _fargate(fargate: Fargate) -> Json:
    properties: Json = {
        "networkConfiguration": {"assignPublicIp": "ENABLED" if fargate.assign_public_ip else "DISABLED"}
    }
    if fargate.platform_version is not None:
        properties["fargatePlatformConfiguration"] = {"platformVersion": fargate.platform_version}
    if fargate.ephemeral_storage_gib is not None:
        properties["ephemeralStorage"] = {"sizeInGiB": fargate.ephemeral_storage_gib}
    runtime = {
        "cpuArchitecture": fargate.cpu_architecture,
        "operatingSystemFamily": fargate.operating_system,
    }
    given = {name: value for name, value in runtime.items() if value is not None}
    return properties | ({"runtimePlatform": given} if given else {})


def _pod(pod: Pod) -> Json:
    rest = pod.pod_properties or {}
    volumes, mounts = _secret_volumes(pod)
    own = _own(pod)
    needs = quantities(pod.resources)
    container: Json = {
        **(pod.container_properties or {}),
        "name": MAIN,
        "image": pod.image,
        "resources": {"limits": needs, "requests": needs},
    }
    if mounts:
        container["volumeMounts"] = [*listed(container.get("volumeMounts")), *mounts]
    if length(own) > OWN_OVERRIDES_LIMIT:
        container |= {"env" if name == "environment" else name: value for name, value in own.items()}
    properties: Json = {
        **rest,
        "containers": [container, *listed(rest.get("containers"))],
        "hostNetwork": pod.host_network,
    }
    if volumes:
        properties["volumes"] = [*listed(rest.get("volumes")), *volumes]
    if pod.service_account_name is not None:
        properties["serviceAccountName"] = pod.service_account_name
    return properties


def quantities(resources: Resources) -> dict[str, str]:
    """What a container of a Pod needs; Batch takes no other units of memory than Mi."""
    needs = {"cpu": f"{resources.vcpu:g}", "memory": f"{resources.memory_mib}Mi"}
    return needs | ({"nvidia.com/gpu": str(resources.gpu)} if resources.gpu is not None else {})


def _secret_volumes(pod: Pod) -> tuple[list[Json], list[Json]]:
    volumes, mounts = [], []
    for number, volume in enumerate(pod.secret_volumes or ()):
        name = f"pierhead-secret-{number}"
        volumes.append({"name": name, "secret": {"secretName": volume.secret, "optional": volume.optional}})
        mounts.append({"name": name, "mountPath": volume.path, "readOnly": True})
    return volumes, mounts


def _nodes(nodes: Nodes) -> Json:
    ranges = [_own_network(part) for part in nodes.node_range_properties or ()]
    if nodes.container is not None:
        same: Json = {"targetNodes": "0:", "container": _container(nodes.container, travels=False)}
        if nodes.instance_type is not None:
            same["instanceTypes"] = [nodes.instance_type]
        ranges = [same]
    return {"numNodes": nodes.count, "mainNode": nodes.main_node, "nodeRangeProperties": ranges}


def _own_network(part: Json) -> Json:
    """A node range whose Pods, where it has some, have their own network unless it says otherwise."""
    pods = part.get("eksProperties")
    if not isinstance(pods, dict):
        return part
    pod = {"hostNetwork": False, **mapped(pods.get("podProperties"))}
    return {**part, "eksProperties": {**pods, "podProperties": pod}}


def _own(described: Container | Pod) -> Json:
    """The command and the variables."""
    own: Json = {}
    if described.command:
        own["command"] = list(described.command)
    if isinstance(described, Pod) and described.args:
        own["args"] = list(described.args)
    if described.env:
        own["environment"] = environment(described.env)
    return own
