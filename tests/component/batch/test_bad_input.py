"""What cannot work gets a condition that names the field and the cause, and no storm of calls."""

import asyncio

import pytest

from pierhead.kube.errors import Rejected
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS
from pierhead_sandbox.aws.protocol import Fault
from support.batch_lab import CONTAINER, Lab, condition


async def stalled(lab: Lab, name: str, reason: str) -> str:
    """The message of Ready, once it is stalled for this reason."""
    obj = await lab.has(name, "Stalled", reason=reason)
    ready = condition(obj, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", reason)
    return ready["message"]


async def test_a_queue_that_does_not_exist_and_later_does(lab: Lab):
    lab.operator()
    queue = f"{lab.namespace}-missing"
    name = await lab.job(queue=queue)
    message = await stalled(lab, name, "QueueNotFound")
    assert message.startswith("spec.queue: ")
    assert queue in message
    await asyncio.sleep(1)
    assert lab.aws.count("batch") == 1
    lab.batch.create_queue(queue)
    await lab.poke(name, "now")
    await lab.has(name, "Complete")


async def test_a_disabled_queue(lab: Lab):
    lab.boto.update_job_queue(jobQueue=lab.queue, state="DISABLED")
    lab.operator()
    message = await stalled(lab, await lab.job(), "QueueNotUsable")
    assert message.startswith("spec.queue: ")
    assert "disabled" in message
    assert lab.aws.count("batch", "SubmitJob") == 0


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"queue": "others-queue"}, "spec.queue"),
        ({"jobDefinition": "others-definition:2"}, "spec.jobDefinition"),
        ({"aws": {"roleArn": "arn:aws:iam::111122223333:role/admin"}}, "spec.aws.roleArn"),
        ({"aws": {"region": "eu-central-1"}}, "spec.aws.region"),
    ],
)
async def test_what_the_namespace_may_not_use_is_refused_before_any_call(lab: Lab, spec, field):
    lab.operator()
    message = await stalled(lab, await lab.job(**spec), "PolicyDenied")
    assert message.startswith(f"{field}: ")
    assert "PIERHEAD_AWS_POLICY" in message
    assert lab.aws.calls() == {}


@pytest.mark.parametrize(
    ("container", "field"),
    [
        ({"jobRoleArn": "arn:aws:iam::111122223333:role/admin"}, "jobRoleArn"),
        ({"executionRoleArn": "arn:aws:iam::111122223333:role/admin"}, "executionRoleArn"),
        (
            {
                "secrets": [
                    {
                        "name": "A",
                        "valueFrom": "arn:aws:secretsmanager:us-east-1:111122223333:secret:other/db",
                    }
                ]
            },
            "secrets[0].valueFrom",
        ),
        (
            {
                "secrets": [
                    {"name": "A", "valueFrom": "arn:aws:ssm:us-east-1:111122223333:parameter/other/db"}
                ]
            },
            "secrets[0].valueFrom",
        ),
    ],
)
async def test_what_a_container_may_not_have_is_refused_before_any_call(lab: Lab, container, field):
    lab.operator()
    name = await lab.job(template={"container": {**CONTAINER, **container}})
    message = await stalled(lab, name, "PolicyDenied")
    assert message.startswith(f"spec.template.container.{field}: ")
    assert lab.aws.calls() == {}


async def test_a_job_definition_that_does_not_exist(lab: Lab):
    lab.operator()
    message = await stalled(lab, await lab.job(jobDefinition=f"{lab.namespace}-d"), "JobDefinitionNotFound")
    assert message.startswith("spec.jobDefinition: ")


async def test_a_job_definition_that_was_deregistered(lab: Lab):
    definition = f"{lab.namespace}-d"
    properties = {
        "image": "a",
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }
    lab.boto.register_job_definition(
        jobDefinitionName=definition, type="container", containerProperties=properties
    )
    lab.boto.deregister_job_definition(jobDefinition=f"{definition}:1")
    lab.operator()
    for name in (definition, f"{definition}:1"):
        message = await stalled(lab, await lab.job(jobDefinition=name), "JobDefinitionNotFound")
        assert message.startswith("spec.jobDefinition: ")
    assert lab.aws.count("batch", "SubmitJob") == 0


async def test_a_template_over_batchs_size_limits(lab: Lab):
    lab.operator()
    env = [{"name": f"V{number}", "value": "x" * 8000} for number in range(4)]
    message = await stalled(
        lab, await lab.job(template={"container": {**CONTAINER, "env": env}}), "TemplateTooLarge"
    )
    assert message.startswith("spec.template.container: ")
    assert "24576" in message
    assert lab.aws.count("batch", "RegisterJobDefinition") == 0


async def test_a_refusal_of_batch_is_told_and_not_repeated(lab: Lab):
    refusal = {"status": 400, "code": "ClientException", "message": "JobQueue is being deleted"}
    lab.aws.add_fault(Fault(service="batch", operation="SubmitJob", times=1, **refusal))
    lab.operator()
    name = await lab.job()
    message = await stalled(lab, name, "BadRequest")
    assert message.startswith("spec.queue: ")
    await asyncio.sleep(1)
    assert lab.aws.count("batch", "SubmitJob") == 1
    await lab.poke(name, "now")
    await lab.has(name, "Complete")
    assert len(lab.submissions()) == 1


async def test_rights_that_are_missing_while_it_runs_are_told_and_got_over(lab: Lab):
    lab.batch.script(stays="RUNNING")
    operator = lab.operator()
    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    fault = lab.aws.add_fault(Fault.deny("batch", "DescribeJobs"))
    message = await stalled(lab, name, "AccessDenied")
    assert "DescribeJobs" in message
    operator.life.writes.clear()
    await asyncio.sleep(1)
    assert operator.life.writes == []
    lab.aws.remove_fault(fault)
    await lab.has(name, "Reconciling", reason="Running")
    lab.batch.clear_scripts()
    lab.batch.release()
    await lab.has(name, "Complete")


@pytest.mark.parametrize(
    "change",
    [
        {"successPolicy": {"rules": [{"succeededCount": 1}]}},
        {"queue": "other"},
        {"backoffLimitPerIndex": 1},
        {"template": {"container": {"image": "other"}}},
        {"outputUri": "s3://other/out"},
    ],
)
async def test_what_decides_the_work_cannot_be_changed(lab: Lab, change):
    name = await lab.job(completions=3)
    with pytest.raises(Rejected, match="cannot be changed"):
        await lab.change(name, **change)


async def test_what_decides_how_long_it_goes_on_can_be_changed(lab: Lab):
    name = await lab.job(completions=3)
    await lab.change(
        name,
        suspend=True,
        activeDeadlineSeconds=9,
        ttlSecondsAfterFinished=9,
        maxFailedIndexes=1,
        backoffLimit=9,
        parallelism=2,
    )


async def test_a_record_that_is_gone_stops_everything(lab: Lab):
    lab.batch.script(job_name="*-r1-*", stays="RUNNING")
    lab.batch.script(job_name="*-r0-*", indexes="1,3", exit_code=1)
    first = lab.operator()
    name = await lab.job(completions=2_500, backoffLimitPerIndex=1)
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("round") == 1)
    obj = await lab.until(name, lambda obj: obj["status"].get("active") == 2)
    await first.stop()
    record = obj["status"]["indexRecord"]["configMap"]
    await lab.kube.delete(CONFIG_MAPS, record, lab.namespace)
    lab.operator()
    assert record in await stalled(lab, name, "IndexRecordMissing")
    assert len(lab.submissions()) == 2
    await lab.delete(name)
    await lab.gone(name)


async def test_a_status_that_nobody_can_read_stops_everything(lab: Lab):
    name = await lab.job(completions=3)
    await lab.kube.merge_patch(
        BATCH_JOBS,
        name,
        lab.namespace,
        {"status": {"indexRecord": {"inline": "bm90IGEgbGVkZ2Vy"}, "round": 3}},
        subresource="status",
    )
    lab.operator()
    await stalled(lab, name, "IndexRecordUnreadable")
    assert lab.aws.calls() == {}


NEVER_STARTS = {
    "an image that cannot be pulled": (
        {"reason": "CannotPullContainerError: manifest unknown"},
        {},
        "FailedIndexes",
        ("index 0: CannotPullContainerError: manifest unknown", "correct `image`"),
    ),
    "an image of a Pod that cannot be pulled": (
        {"status_reason": "ImagePullBackOff - Back-off pulling image"},
        {"template": {"eks": {"image": "example.com/none:1"}}},
        "FailedIndexes",
        ("index 0: ImagePullBackOff", "imagePullSecrets"),
    ),
    "a role that Batch cannot assume": (
        {"status_reason": "ECS was unable to assume the role 'arn' that was provided for this task."},
        {},
        "FailedIndexes",
        ("index 0: ECS was unable to assume the role", "jobRoleArn and executionRoleArn"),
    ),
    "a command that is not in the image": (
        {"reason": 'CannotStartContainerError: exec: "run": executable file not found in $PATH'},
        {},
        "FailedIndexes",
        ("index 0: CannotStartContainerError", "`command`"),
    ),
    "a container that never starts": (
        {"stays": "STARTING"},
        {"activeDeadlineSeconds": 1},
        "DeadlineExceeded",
        ("activeDeadlineSeconds",),
    ),
}


@pytest.mark.parametrize("case", NEVER_STARTS)
async def test_what_never_runs_is_told_with_its_cause_and_what_to_do(lab: Lab, case: str):
    script, spec, reason, fragments = NEVER_STARTS[case]
    if "stays" not in script:
        script = {"exit_code": None, "fails_in": "STARTING", **script}
    lab.batch.script(**script)
    lab.operator()
    message = await stalled(lab, await lab.job(completions=2, **spec), reason)
    assert [fragment for fragment in fragments if fragment not in message] == [], message
