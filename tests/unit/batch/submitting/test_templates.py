"""Each form of a template becomes what Batch takes for it, and its jobs carry the index contract."""

from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.definition import definition_request
from pierhead.batch.submitting.forms import Form, form_of
from pierhead.batch.submitting.requests import (
    job_request,
    map_limit,
    refuse_unknown_container,
    refuse_without_room,
)
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

Json = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role/team-execution"
INDEX = [{"name": "PIERHEAD_COMPLETIONS", "value": "1"}, {"name": "PIERHEAD_INDEX_OFFSET", "value": "0"}]
MODE = {"name": "MODE", "value": "m"}
NEEDS = {"cpu": "1", "memory": "2048Mi"}
SIDE = {"name": "side", "image": "s"}
TASK = {"executionRoleArn": ROLE, "containers": [SIDE, {"name": "b", "image": "i"}]}


def spec_of(**fields: Any) -> BatchJobSpec:
    return parse(BatchJobSpec, {"queue": "team-q", **fields})


def request_of(spec: BatchJobSpec, *, form: Form | None = None) -> Json:
    return job_request(
        spec, name="job", definition="arn", indexes=IndexSet.of([0]), tags={"a": "b"}, form=form
    )


def refused_by_boto3(operation: str, request: Json) -> str:
    model = boto3.client("batch", region_name="us-east-1").meta.service_model
    return str(
        ParamValidator().validate(request, model.operation_model(operation).input_shape).generate_report()
    )


FORMS = {
    "Fargate": (
        {
            "container": {
                "image": "i",
                "command": ["run"],
                "executionRoleArn": ROLE,
                "fargate": {
                    "assignPublicIp": True,
                    "ephemeralStorageGiB": 30,
                    "platformVersion": "1.4.0",
                    "cpuArchitecture": "ARM64",
                },
                "properties": {"user": "nobody"},
            }
        },
        {
            "type": "container",
            "platformCapabilities": ["FARGATE"],
            "containerProperties": {
                "user": "nobody",
                "image": "i",
                "resourceRequirements": [
                    {"type": "VCPU", "value": "1"},
                    {"type": "MEMORY", "value": "2048"},
                ],
                "executionRoleArn": ROLE,
                "networkConfiguration": {"assignPublicIp": "ENABLED"},
                "fargatePlatformConfiguration": {"platformVersion": "1.4.0"},
                "ephemeralStorage": {"sizeInGiB": 30},
                "runtimePlatform": {"cpuArchitecture": "ARM64"},
            },
        },
        {"containerOverrides": {"command": ["run"], "environment": INDEX}},
    ),
    "a Pod": (
        {
            "eks": {
                "image": "i",
                "args": ["run"],
                "env": [MODE],
                "serviceAccountName": "team",
                "secretVolumes": [{"secret": "team-token", "path": "/token"}],
                "containerProperties": {"imagePullPolicy": "Always"},
                "podProperties": {
                    "containers": [SIDE],
                    "initContainers": [{"name": "first", "image": "f"}],
                    "dnsPolicy": "Default",
                },
            }
        },
        {
            "type": "container",
            "eksProperties": {
                "podProperties": {
                    "containers": [
                        {
                            "imagePullPolicy": "Always",
                            "name": "main",
                            "image": "i",
                            "resources": {"limits": NEEDS, "requests": NEEDS},
                            "volumeMounts": [
                                {"name": "pierhead-secret-0", "mountPath": "/token", "readOnly": True}
                            ],
                        },
                        SIDE,
                    ],
                    "initContainers": [{"name": "first", "image": "f"}],
                    "dnsPolicy": "Default",
                    "hostNetwork": False,
                    "serviceAccountName": "team",
                    "volumes": [
                        {
                            "name": "pierhead-secret-0",
                            "secret": {"secretName": "team-token", "optional": False},
                        }
                    ],
                }
            },
        },
        {
            "eksPropertiesOverride": {
                "podProperties": {
                    "containers": [
                        {"name": "main", "args": ["run"], "env": [MODE, *INDEX]},
                        {"name": "side", "env": INDEX},
                    ],
                    "initContainers": [{"name": "first", "env": INDEX}],
                }
            }
        },
    ),
    "several containers": (
        {
            "ecs": {
                "platform": "Fargate",
                "ecsProperties": {"taskProperties": [TASK]},
            }
        },
        {
            "type": "container",
            "ecsProperties": {"taskProperties": [TASK]},
            "platformCapabilities": ["FARGATE"],
        },
        {
            "ecsPropertiesOverride": {
                "taskProperties": [
                    {
                        "containers": [
                            {"name": "side", "environment": INDEX},
                            {"name": "b", "environment": INDEX},
                        ]
                    }
                ]
            }
        },
    ),
    "several nodes": (
        {
            "nodes": {
                "count": 3,
                "mainNode": 1,
                "instanceType": "c7g.large",
                "container": {"image": "i", "command": ["run"], "env": [MODE]},
            }
        },
        {
            "type": "multinode",
            "nodeProperties": {
                "numNodes": 3,
                "mainNode": 1,
                "nodeRangeProperties": [
                    {
                        "targetNodes": "0:",
                        "container": {
                            "image": "i",
                            "resourceRequirements": [
                                {"type": "VCPU", "value": "1"},
                                {"type": "MEMORY", "value": "2048"},
                            ],
                            "command": ["run"],
                            "environment": [MODE],
                        },
                        "instanceTypes": ["c7g.large"],
                    }
                ],
            },
        },
        {
            "nodeOverrides": {
                "nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": {"environment": INDEX}}]
            }
        },
    ),
    "nodes that differ": (
        {
            "nodes": {
                "count": 2,
                "nodeRangeProperties": [
                    {"targetNodes": "0:0", "container": {"image": "i"}},
                    {"targetNodes": "1:", "eksProperties": {"podProperties": {"containers": [SIDE]}}},
                ],
            }
        },
        {
            "type": "multinode",
            "nodeProperties": {
                "numNodes": 2,
                "mainNode": 0,
                "nodeRangeProperties": [
                    {"targetNodes": "0:0", "container": {"image": "i"}},
                    {
                        "targetNodes": "1:",
                        "eksProperties": {"podProperties": {"containers": [SIDE], "hostNetwork": False}},
                    },
                ],
            },
        },
        {
            "nodeOverrides": {
                "nodePropertyOverrides": [
                    {"targetNodes": "0:0", "containerOverrides": {"environment": INDEX}},
                    {
                        "targetNodes": "1:",
                        "eksPropertiesOverride": {
                            "podProperties": {"containers": [{"name": "side", "env": INDEX}]}
                        },
                    },
                ]
            }
        },
    ),
}


@pytest.mark.parametrize(("template", "content", "overrides"), FORMS.values(), ids=FORMS)
def test_what_a_template_becomes(template: Json, content: Json, overrides: Json) -> None:
    spec = spec_of(template=template)
    assert spec.template is not None
    registration = definition_request(spec.template, "team")
    request = request_of(spec)

    names = ("jobDefinitionName", "tags")
    assert {name: value for name, value in registration.items() if name not in names} == content
    common = ("jobName", "jobQueue", "jobDefinition", "retryStrategy", "tags")
    assert {name: value for name, value in request.items() if name not in common} == overrides
    assert not refused_by_boto3("RegisterJobDefinition", registration)
    assert not refused_by_boto3("SubmitJob", request)


def test_long_commands_of_a_pod_are_in_the_definition() -> None:
    spec = spec_of(template={"eks": {"image": "i", "args": ["x" * 5000], "env": [MODE]}})
    assert spec.template is not None
    pod = definition_request(spec.template, "team")["eksProperties"]["podProperties"]
    assert pod["containers"][0]["args"] == ["x" * 5000]
    assert pod["containers"][0]["env"] == [MODE]
    assert request_of(spec)["eksPropertiesOverride"]["podProperties"]["containers"] == [
        {"name": "main", "env": INDEX}
    ]


def test_what_travels_with_a_job_whatever_runs() -> None:
    request = request_of(
        spec_of(
            jobDefinition="team-d",
            parameters={"mode": "m"},
            shareIdentifier="share",
            schedulingPriority=7,
            tags={"team": "t"},
            propagateTags=True,
            consumableResources=[{"name": "team-licence", "quantity": 2}],
        )
    )
    assert {name: request[name] for name in ("parameters", "shareIdentifier", "tags", "propagateTags")} == {
        "parameters": {"mode": "m"},
        "shareIdentifier": "share",
        "tags": {"team": "t", "a": "b"},
        "propagateTags": True,
    }
    assert request["schedulingPriorityOverride"] == 7
    assert request["consumableResourcePropertiesOverride"] == {
        "consumableResourceList": [{"consumableResource": "team-licence", "quantity": 2}]
    }
    assert not refused_by_boto3("SubmitJob", request)


OVERRIDES = {"command": ["run"], "env": [MODE], "resources": {"vcpu": 2, "memoryMiB": 64, "gpu": 1}}
REQUIREMENTS = [
    {"type": "VCPU", "value": "2"},
    {"type": "MEMORY", "value": "64"},
    {"type": "GPU", "value": "1"},
]
QUANTITIES = {"cpu": "2", "memory": "64Mi", "nvidia.com/gpu": "1"}


@pytest.mark.parametrize(
    ("content", "target", "expected"),
    [
        (
            {"containerProperties": {"image": "i"}},
            None,
            {
                "containerOverrides": {
                    "command": ["run"],
                    "resourceRequirements": REQUIREMENTS,
                    "environment": [MODE, *INDEX],
                }
            },
        ),
        (
            {"ecsProperties": {"taskProperties": [{"containers": [{"name": "a"}, {"name": "b"}]}]}},
            "b",
            {
                "ecsPropertiesOverride": {
                    "taskProperties": [
                        {
                            "containers": [
                                {"name": "a", "environment": INDEX},
                                {
                                    "name": "b",
                                    "command": ["run"],
                                    "resourceRequirements": REQUIREMENTS,
                                    "environment": [MODE, *INDEX],
                                },
                            ]
                        }
                    ]
                }
            },
        ),
        (
            {"eksProperties": {"podProperties": {"containers": [{"image": "i"}]}}},
            None,
            {
                "eksPropertiesOverride": {
                    "podProperties": {
                        "containers": [
                            {
                                "args": ["run"],
                                "resources": {"limits": QUANTITIES, "requests": QUANTITIES},
                                "env": [MODE, *INDEX],
                            }
                        ]
                    }
                }
            },
        ),
    ],
    ids=["a container", "a task", "a Pod"],
)
def test_overrides_go_where_an_existing_definition_has_them(
    content: Json, target: str | None, expected: Json
) -> None:
    overrides = {**OVERRIDES, **({"container": target} if target else {})}
    request = request_of(spec_of(jobDefinition="team-d", overrides=overrides), form=form_of(content))
    assert {name: value for name, value in request.items() if name in expected} == expected
    assert not refused_by_boto3("SubmitJob", request)


def test_overrides_for_a_container_that_is_not_there_name_the_field() -> None:
    spec = spec_of(jobDefinition="team-d", overrides={"container": "other", "command": ["run"]})
    refuse_unknown_container(spec, Form("ecs", ("main", "other")))
    with pytest.raises(Invalid) as raised:
        refuse_unknown_container(spec, Form("ecs", ("main",)))
    assert raised.value.field == "spec.overrides.container"


def test_overrides_that_leave_no_room_for_the_indexes_name_the_field() -> None:
    spec = spec_of(jobDefinition="team-d", completions=9, overrides={"command": ["x" * 8000]})
    with pytest.raises(Invalid) as raised:
        refuse_without_room(spec, form_of({}))
    assert (raised.value.field, raised.value.reason) == ("spec.overrides", "TemplateTooLarge")


def test_overrides_above_what_batch_checks_too_late_name_the_field() -> None:
    spec = spec_of(jobDefinition="team-d", overrides={"command": ["x" * 8150]})
    with pytest.raises(Invalid) as raised:
        request_of(spec)
    assert raised.value.field == "spec.overrides"
    assert "8192" in raised.value.message


def test_parameters_above_the_request_limit_name_the_field() -> None:
    spec = spec_of(jobDefinition="team-d", parameters={f"p{n}": "x" * 4000 for n in range(8)})
    with pytest.raises(Invalid) as raised:
        request_of(spec)
    assert raised.value.field == "spec.jobDefinition"
    assert "30720" in raised.value.message


def test_an_index_map_is_shorter_the_more_containers_carry_it() -> None:
    one, many = Form("ecs", ("a",)), Form("ecs", tuple("abcde"))
    spec = spec_of(jobDefinition="team-d", completions=1000)
    assert map_limit(spec) == 512
    assert map_limit(spec, one) > 5 * map_limit(spec, many) > 5 * 512
