"""Every form of a template runs on the stand-in, finds its index, and says why it failed."""

from typing import Any

import pytest

from support.batch_lab import CONTAINER, Lab, condition

Json = dict[str, Any]


def role(lab: Lab) -> str:
    return f"arn:aws:iam::123456789012:role/{lab.namespace}-role"


def fargate(lab: Lab) -> Json:
    return {"container": {**CONTAINER, "executionRoleArn": role(lab), "fargate": {}}}


def pod(lab: Lab) -> Json:
    secret = {"secret": f"{lab.namespace}-token", "path": "/token"}
    side = {"name": "side", "image": "example.com/side:1"}
    return {"eks": {**CONTAINER, "secretVolumes": [secret], "podProperties": {"containers": [side]}}}


def task(lab: Lab) -> Json:
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    containers = [{"name": name, **CONTAINER, "resourceRequirements": needs} for name in ("main", "side")]
    properties = {"taskRoleArn": role(lab), "containers": containers}
    return {"ecs": {"ecsProperties": {"taskProperties": [properties]}}}


def nodes(_lab: Lab) -> Json:
    return {"nodes": {"count": 3, "container": CONTAINER}}


def offsets(job: Json) -> list[str]:
    """What each container of a described job has as PIERHEAD_INDEX_OFFSET."""
    if "eksProperties" in job:
        containers = job["eksProperties"]["podProperties"]["containers"]
    elif "ecsProperties" in job:
        containers = job["ecsProperties"]["taskProperties"][0]["containers"]
    elif "nodeProperties" in job:
        containers = [part["container"] for part in job["nodeProperties"]["nodeRangeProperties"]]
    else:
        containers = [job["container"]]
    return [
        entry["value"]
        for container in containers
        for entry in container.get("environment") or container.get("env") or ()
        if entry["name"] == "PIERHEAD_INDEX_OFFSET"
    ]


@pytest.mark.parametrize(
    ("template", "containers", "completions"),
    [(fargate, 1, 3), (pod, 2, 3), (task, 2, 3), (nodes, 1, 1)],
    ids=["Fargate", "a Pod", "several containers", "several nodes"],
)
async def test_it_runs_finds_its_index_and_says_why_it_failed(
    lab: Lab, template: Any, containers: int, completions: int
) -> None:
    lab.batch.script(exit_code=7, reason="it broke")
    lab.operator()
    name = await lab.job(template=template(lab), completions=completions, maxFailedIndexes=completions)
    obj = await lab.has(name, "Failed")
    failure = obj["status"]["failures"][0]
    assert (failure["exitCode"], failure["reason"], failure["attempts"]) == (7, "it broke", 1)
    (submission,) = lab.submissions()
    (job,) = lab.described(submission.job_id)
    assert offsets(job) == ["0"] * containers


@pytest.mark.parametrize("template", [pod, task], ids=["a Pod", "several containers"])
async def test_indexes_that_failed_run_again(lab: Lab, template: Any) -> None:
    lab.batch.script(job_name="*-r0-*", indexes="1,3", exit_code=1)
    lab.operator()
    name = await lab.job(template=template(lab), completions=5, backoffLimitPerIndex=1)
    assert (await lab.has(name, "Complete"))["status"]["completedIndexes"] == "0-4"


async def test_an_existing_definition_of_a_pod_gets_its_overrides_where_they_belong(lab: Lab) -> None:
    definition = f"{lab.namespace}-pod"
    containers = [{"name": "main", "image": "example.com/work:1"}]
    lab.boto.register_job_definition(
        jobDefinitionName=definition,
        type="container",
        eksProperties={"podProperties": {"containers": containers}},
    )
    lab.batch.script(job_name="*-r0-*", indexes="0", exit_code=1)
    lab.operator()
    name = await lab.job(
        jobDefinition=definition, completions=2, backoffLimitPerIndex=1, overrides={"command": ["run"]}
    )
    await lab.has(name, "Complete")
    described = lab.described(*(submission.job_id for submission in lab.submissions()))
    assert [offsets(job) for job in described] == [["0"], ["0"]]
    container = described[0]["eksProperties"]["podProperties"]["containers"][0]
    assert container["args"] == ["run"]


async def test_what_travels_with_a_job(lab: Lab) -> None:
    lab.operator()
    resource = {"name": f"{lab.namespace}-licence", "quantity": 2}
    name = await lab.job(
        parameters={"mode": "m"},
        tags={"team": "t"},
        propagateTags=True,
        consumableResources=[resource],
        template={"container": {**CONTAINER, "command": ["run", "Ref::mode"]}},
    )
    await lab.has(name, "Complete")
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["parameters"] == {"mode": "m"}
    assert job["tags"]["team"] == "t"
    assert job["tags"]["pierhead.dev/name"] == name
    assert job["propagateTags"] is True
    assert job["consumableResourceProperties"]["consumableResourceList"] == [
        {"consumableResource": resource["name"], "quantity": 2}
    ]


@pytest.mark.parametrize(
    ("template", "field"),
    [
        ({"eks": {**CONTAINER, "hostNetwork": True}}, "eks.hostNetwork"),
        ({"eks": {**CONTAINER, "serviceAccountName": "other"}}, "eks.serviceAccountName"),
        ({"container": {**CONTAINER, "properties": {"privileged": True}}}, "container.properties.privileged"),
        (
            {
                "nodes": {
                    "count": 2,
                    "nodeRangeProperties": [{"targetNodes": "0:", "container": {"jobRoleArn": "a"}}],
                }
            },
            "nodes.nodeRangeProperties[0].container.jobRoleArn",
        ),
    ],
)
async def test_a_power_is_refused_wherever_it_is_asked_for(lab: Lab, template: Json, field: str) -> None:
    lab.operator()
    obj = await lab.has(await lab.job(template=template), "Stalled", reason="PolicyDenied")
    ready = condition(obj, "Ready")
    assert ready is not None
    assert ready["message"].startswith(f"spec.template.{field}: ")
    assert lab.aws.calls() == {}


async def test_a_field_that_batch_does_not_have_is_told(lab: Lab) -> None:
    lab.operator()
    template = {"container": {**CONTAINER, "properties": {"userr": "nobody"}}}
    obj = await lab.has(await lab.job(template=template), "Stalled", reason="BadRequest")
    ready = condition(obj, "Ready")
    assert ready is not None
    assert ready["message"].startswith("spec.template.container: ")
    assert "an unknown field in containerProperties" in ready["message"]
    assert lab.aws.count("batch", "RegisterJobDefinition") == 0


async def test_a_role_that_cannot_be_assumed_is_told_with_every_index_it_stopped(lab: Lab) -> None:
    text = f"ECS was unable to assume the role '{role(lab)}' that was provided for this task."
    lab.batch.script(exit_code=None, fails_in="STARTING", status_reason=text)
    lab.operator()
    template = {"container": {**CONTAINER, "jobRoleArn": role(lab)}}
    obj = await lab.has(await lab.job(template=template), "Failed")
    failure = obj["status"]["failures"][0]
    assert failure["statusReason"] == text
    assert "exitCode" not in failure


async def test_a_definition_that_went_before_a_retry_is_told_with_its_field(lab: Lab) -> None:
    definition = f"{lab.namespace}-d"
    needs = [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}]
    lab.boto.register_job_definition(
        jobDefinitionName=definition,
        type="container",
        containerProperties={"image": "a", "resourceRequirements": needs},
    )
    lab.batch.script(stays="RUNNING")
    lab.operator()
    name = await lab.job(jobDefinition=definition, completions=2, backoffLimitPerIndex=1)
    await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    lab.boto.deregister_job_definition(jobDefinition=f"{definition}:1")
    lab.batch.clear_scripts()
    lab.batch.script(exit_code=1)
    lab.batch.release()
    obj = await lab.has(name, "Stalled", reason="BadRequest")
    ready = condition(obj, "Ready")
    assert ready is not None
    assert ready["message"].startswith("spec.jobDefinition: ")
    assert "INACTIVE" in ready["message"]
    assert len(lab.submissions()) == 1
