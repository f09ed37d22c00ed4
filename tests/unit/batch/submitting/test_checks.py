"""A pass-through gives no power that a field would not give, and says nothing that has a field."""

from typing import Any

import pytest

from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.checks import refuse_misplaced, used
from pierhead.batch.submitting.forms import form_of
from pierhead.batch.submitting.templates import content_of
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

Json = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role/team-job"
SECRET = "arn:aws:secretsmanager:us-east-1:111122223333:secret:team/a-AbCdEf"
PARAMETER = "arn:aws:ssm:us-east-1:111122223333:parameter/team/a"
CONTAINER = "spec.template.container.properties"
TASK = "spec.template.ecs.ecsProperties.taskProperties[0]"
POD = "spec.template.eks.podProperties"


def spec_of(template: Json) -> BatchJobSpec:
    return parse(BatchJobSpec, {"queue": "team-q", "template": template})


def container(**properties: Any) -> Json:
    return {"container": {"image": "i", "properties": properties}}


def task(**properties: Any) -> Json:
    containers = properties.pop("containers", [{"name": "a", "image": "i"}])
    return {"ecs": {"ecsProperties": {"taskProperties": [{"containers": containers, **properties}]}}}


def one(**properties: Any) -> Json:
    return task(containers=[{"name": "a", "image": "i", **properties}])


def pod(**properties: Any) -> Json:
    return {"eks": {"image": "i", "podProperties": properties}}


@pytest.mark.parametrize(
    ("template", "power", "value", "field"),
    [
        (task(taskRoleArn=ROLE), "jobRole", ROLE, f"{TASK}.taskRoleArn"),
        (task(executionRoleArn=ROLE), "executionRole", ROLE, f"{TASK}.executionRoleArn"),
        (
            one(secrets=[{"name": "A", "valueFrom": SECRET}]),
            "secret",
            SECRET,
            f"{TASK}.containers[0].secrets[0].valueFrom",
        ),
        (
            one(secrets=[{"name": "A", "valueFrom": PARAMETER}]),
            "parameter",
            PARAMETER,
            f"{TASK}.containers[0].secrets[0].valueFrom",
        ),
        (
            one(secrets=[{"name": "A", "valueFrom": "/team/a"}]),
            "parameter",
            "/team/a",
            f"{TASK}.containers[0].secrets[0].valueFrom",
        ),
        (
            container(repositoryCredentials={"credentialsParameter": SECRET}),
            "secret",
            SECRET,
            f"{CONTAINER}.repositoryCredentials.credentialsParameter",
        ),
        (
            container(logConfiguration={"secretOptions": [{"name": "token", "valueFrom": SECRET}]}),
            "secret",
            SECRET,
            f"{CONTAINER}.logConfiguration.secretOptions[0].valueFrom",
        ),
        (
            container(logConfiguration={"options": {"awslogs-group": "/team/a"}}),
            "logGroup",
            "/team/a",
            f"{CONTAINER}.logConfiguration.options.awslogs-group",
        ),
        (
            container(volumes=[{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]),
            "fileSystem",
            "fs-1",
            f"{CONTAINER}.volumes[0].efsVolumeConfiguration.fileSystemId",
        ),
        (
            container(volumes=[{"name": "v", "host": {"sourcePath": "/etc"}}]),
            "host",
            "/etc",
            f"{CONTAINER}.volumes[0].host.sourcePath",
        ),
        (container(privileged=True), "host", "privileged", f"{CONTAINER}.privileged"),
        (
            container(linuxParameters={"devices": [{"hostPath": "/dev/a"}]}),
            "host",
            "/dev/a",
            f"{CONTAINER}.linuxParameters.devices[0].hostPath",
        ),
        (task(networkMode="host"), "host", "networkMode", f"{TASK}.networkMode"),
        (
            pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}]),
            "host",
            "/",
            f"{POD}.volumes[0].hostPath.path",
        ),
        (
            pod(volumes=[{"name": "v", "secret": {"secretName": "other"}}]),
            "podReference",
            "other",
            f"{POD}.volumes[0].secret.secretName",
        ),
        (
            pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "other"}}]),
            "podReference",
            "other",
            f"{POD}.volumes[0].persistentVolumeClaim.claimName",
        ),
        (
            pod(imagePullSecrets=[{"name": "other"}]),
            "podReference",
            "other",
            f"{POD}.imagePullSecrets[0].name",
        ),
        (
            pod(metadata={"namespace": "other"}),
            "podReference",
            "other",
            f"{POD}.metadata.namespace",
        ),
        (
            {"eks": {"image": "i", "hostNetwork": True}},
            "host",
            "hostNetwork",
            "spec.template.eks.hostNetwork",
        ),
        (
            {"eks": {"image": "i", "serviceAccountName": "other"}},
            "podReference",
            "other",
            "spec.template.eks.serviceAccountName",
        ),
        (
            {"eks": {"image": "i", "containerProperties": {"securityContext": {"privileged": True}}}},
            "host",
            "privileged",
            "spec.template.eks.containerProperties.securityContext.privileged",
        ),
        (
            {
                "nodes": {
                    "count": 2,
                    "nodeRangeProperties": [{"targetNodes": "0:", "container": {"jobRoleArn": ROLE}}],
                }
            },
            "jobRole",
            ROLE,
            "spec.template.nodes.nodeRangeProperties[0].container.jobRoleArn",
        ),
    ],
)
def test_what_is_used_is_found_wherever_it_is_said(
    template: Json, power: str, value: str, field: str
) -> None:
    assert [(use.power, use.value, use.field) for use in used(spec_of(template))] == [(power, value, field)]


@pytest.mark.parametrize(
    "template",
    [
        container(user="nobody", volumes=[{"name": "v", "host": {}}], privileged=False),
        pod(metadata={"labels": {"namespace": "a", "privileged": "yes"}}, dnsPolicy="Default"),
        task(networkMode="awsvpc", ipcMode="none"),
    ],
)
def test_what_gives_no_power_needs_none(template: Json) -> None:
    assert list(used(spec_of(template))) == []


def test_consumable_resources_are_used() -> None:
    spec = parse(
        BatchJobSpec,
        {"queue": "q", "jobDefinition": "d", "consumableResources": [{"name": "licence", "quantity": 1}]},
    )
    assert [(use.power, use.value, use.field) for use in used(spec)] == [
        ("consumableResource", "licence", "spec.consumableResources[0].name")
    ]


@pytest.mark.parametrize(
    ("template", "field"),
    [
        (container(image="other"), f"{CONTAINER}.image"),
        (container(environment=[{"name": "A", "value": "b"}]), f"{CONTAINER}.environment"),
        (container(jobRoleArn=ROLE), f"{CONTAINER}.jobRoleArn"),
        (container(networkConfiguration={}), f"{CONTAINER}.networkConfiguration"),
        (pod(hostNetwork=True), f"{POD}.hostNetwork"),
        (pod(serviceAccountName="a"), f"{POD}.serviceAccountName"),
        (pod(containers=[{"name": "main", "image": "i"}]), f"{POD}.containers[0].name"),
        (pod(containers="a"), f"{POD}.containers"),
        (pod(volumes={"a": 1}), f"{POD}.volumes"),
        (
            {"eks": {"image": "i", "containerProperties": {"volumeMounts": 5}}},
            "spec.template.eks.containerProperties.volumeMounts",
        ),
        (
            {
                "nodes": {
                    "count": 2,
                    "nodeRangeProperties": [{"targetNodes": "0:", "eksProperties": {"podProperties": 5}}],
                }
            },
            "spec.template.nodes.nodeRangeProperties[0].eksProperties.podProperties",
        ),
        (pod(containers=[{"image": "i"}]), f"{POD}.containers[0].name"),
        (pod(initContainers=[{"name": "a"}, {"name": "a"}]), f"{POD}.initContainers[1].name"),
        (pod(volumes=[{"name": "pierhead-secret-0"}]), f"{POD}.volumes[0].name"),
        (
            pod(containers=[{"name": "a", "env": [{"name": "AWS_BATCH_JOB_ID", "value": "a"}]}]),
            f"{POD}.containers[0].env[0]",
        ),
        (
            {"eks": {"image": "i", "containerProperties": {"args": ["a"]}}},
            "spec.template.eks.containerProperties.args",
        ),
        ({"ecs": {"ecsProperties": {}}}, "spec.template.ecs.ecsProperties.taskProperties"),
        (task(containers=[]), f"{TASK}.containers"),
        (task(containers=[{"image": "i"}]), f"{TASK}.containers[0].name"),
        (
            one(environment=[{"name": "A", "value": "b"}, {"name": "PIERHEAD_INDEX_MAP", "value": "1"}]),
            f"{TASK}.containers[0].environment[1]",
        ),
        (
            one(secrets=[{"name": "PIERHEAD_X", "valueFrom": SECRET}]),
            f"{TASK}.containers[0].secrets[0]",
        ),
        (
            {"nodes": {"count": 2, "nodeRangeProperties": [{"container": {"image": "i"}}]}},
            "spec.template.nodes.nodeRangeProperties[0].targetNodes",
        ),
    ],
)
def test_what_a_pass_through_may_not_hold_is_refused_with_its_field(template: Json, field: str) -> None:
    spec = spec_of(template)
    assert spec.template is not None
    assert form_of(content_of(spec.template)).carriers > 0
    with pytest.raises(Invalid) as raised:
        refuse_misplaced(spec.template)
    assert raised.value.field == field
