"""Each limit of Batch's is held before a call: at it all is well, above it field and cause are told.

Source of the limits: AWS Batch user guide, "Service quotas", and the Batch API reference.
"""

from typing import Any

import pytest

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.checks import refuse_misplaced
from pierhead.batch.submitting.definition import definition_request
from pierhead.batch.submitting.forms import form_of
from pierhead.batch.submitting.names import JobNames
from pierhead.batch.submitting.requests import job_request, refuse_without_room
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

Json = dict[str, Any]
ROLE = "arn:aws:iam::111122223333:role/team-role"
SECRET = "arn:aws:ssm:us-east-1:111122223333:parameter/team/a"
OURS = {f"pierhead.dev/{name}": "x" * 36 for name in ("namespace", "name", "uid", "cluster")}


def fault_of(spec: Json) -> tuple[str, str] | None:
    """The field and the cause that a BatchJob's condition would tell before any call."""
    try:
        parsed = parse(BatchJobSpec, {"queue": "team-q", **spec})
        content: Json = {}
        if parsed.template is not None:
            refuse_misplaced(parsed.template)
            content = definition_request(parsed.template, "team")
        refuse_without_room(parsed, form_of(content))
        request = job_request(
            parsed, name="n" * 128, definition="d" * 200, indexes=IndexSet.of([0]), tags=OURS
        )
    except Invalid as error:
        return error.field or "", error.message
    assert len(request["tags"]) <= 50
    return None


def definition(**fields: Any) -> Json:
    return {"jobDefinition": "team-d", **fields}


def container(**fields: Any) -> Json:
    return {"template": {"container": {"image": "i", **fields}}}


def rules(count: int, **rule: Any) -> Json:
    return definition(attempts={"rules": [{"action": "Exit", "onExitCode": "1", **rule}] * count})


def variables(count: int, length: int) -> list[Json]:
    return [{"name": f"V{number}", "value": "x" * length} for number in range(count)]


def pod(kind: str, count: int) -> Json:
    members = [{"name": f"c{number}", "image": "i"} for number in range(count)]
    return {"template": {"eks": {"image": "i", "podProperties": {kind: members}}}}


def task(count: int, **properties: Any) -> Json:
    members = [{"name": f"c{number}", "image": "i"} for number in range(count)]
    return {
        "template": {"ecs": {"ecsProperties": {"taskProperties": [{"containers": members, **properties}]}}}
    }


def nodes(**fields: Any) -> Json:
    return {"template": {"nodes": {"container": {"image": "i"}, **fields}}}


def fargate(vcpu: float, memory: int, **fields: Any) -> Json:
    needs = {"vcpu": vcpu, "memoryMiB": memory}
    return container(**{"executionRoleArn": ROLE, "resources": needs, "fargate": {}, **fields})


TABLE: dict[str, tuple[Json, Json, str, str]] = {
    "bytes of a job definition": (
        container(env=variables(3, 7800)),
        container(env=variables(4, 7800)),
        "spec.template.container",
        "24576",
    ),
    "bytes of a request": (
        definition(parameters={f"p{number}": "x" * 4000 for number in range(6)}),
        definition(parameters={f"p{number}": "x" * 4000 for number in range(8)}),
        "spec.jobDefinition",
        "30720",
    ),
    "characters of overrides": (
        definition(overrides={"command": ["x" * 8000]}),
        definition(overrides={"command": ["x" * 8150]}),
        "spec.overrides",
        "8192",
    ),
    "room for an index map": (
        definition(completions=2, overrides={"command": ["x" * 7400]}),
        definition(completions=2, overrides={"command": ["x" * 7800]}),
        "spec.overrides",
        "fewer than 512",
    ),
    "least timeout": (
        definition(timeoutSeconds=60),
        definition(timeoutSeconds=59),
        "spec.timeoutSeconds",
        "greater than or equal to 60",
    ),
    "attempts": (
        definition(attempts={"limit": 10}),
        definition(attempts={"limit": 11}),
        "spec.attempts.limit",
        "less than or equal to 10",
    ),
    "least attempts": (
        definition(attempts={"limit": 1}),
        definition(attempts={"limit": 0}),
        "spec.attempts.limit",
        "greater than or equal to 1",
    ),
    "rules": (rules(5), rules(6), "spec.attempts.rules", "at most 5"),
    "characters of a pattern": (
        rules(1, onReason="x" * 512),
        rules(1, onReason="x" * 513),
        "spec.attempts.rules[0].onReason",
        "at most 512",
    ),
    "a star of a reason": (
        rules(1, onReason="a*"),
        rules(1, onReason="a*b"),
        "spec.attempts.rules[0].onReason",
        "match pattern",
    ),
    "a star of a status reason": (
        rules(1, onStatusReason="*"),
        rules(1, onStatusReason="**"),
        "spec.attempts.rules[0].onStatusReason",
        "match pattern",
    ),
    "an exit code": (
        rules(1, onExitCode="13*"),
        rules(1, onExitCode="x"),
        "spec.attempts.rules[0].onExitCode",
        "match pattern",
    ),
    "tags": (
        definition(tags={f"t{number}": "v" for number in range(40)}),
        definition(tags={f"t{number}": "v" for number in range(41)}),
        "spec.tags",
        "at most 40",
    ),
    "characters of a tag's key": (
        definition(tags={"t" * 128: ""}),
        definition(tags={"t" * 129: ""}),
        f"spec.tags.{'t' * 129}",
        "match pattern",
    ),
    "characters of a tag's value": (
        definition(tags={"t": "v" * 256}),
        definition(tags={"t": "v" * 257}),
        "spec.tags.t",
        "at most 256",
    ),
    "prefix of a tag": (
        definition(tags={"aws-t": ""}),
        definition(tags={"aws:t": ""}),
        "spec",
        "are reserved",
    ),
    "characters of a share": (
        definition(shareIdentifier="a" * 255),
        definition(shareIdentifier="a" * 256),
        "spec.shareIdentifier",
        "at most 255",
    ),
    "priority": (
        definition(shareIdentifier="a", schedulingPriority=9999),
        definition(shareIdentifier="a", schedulingPriority=10_000),
        "spec.schedulingPriority",
        "less than or equal to 9999",
    ),
    "prefix of a variable": (
        container(env=[{"name": "AWS_BATC", "value": ""}]),
        container(env=[{"name": "AWS_BATCH_JOB_ID", "value": ""}]),
        "spec.template.container.env[0]",
        "are reserved",
    ),
    "prefix of an overridden variable": (
        definition(overrides={"env": [{"name": "A", "value": ""}]}),
        definition(overrides={"env": [{"name": "AWS_BATCH", "value": ""}]}),
        "spec.overrides.env[0]",
        "are reserved",
    ),
    "a secret's variable": (
        container(secrets=[{"name": "A", "valueFrom": SECRET}]),
        container(secrets=[{"name": "AWS_BATCH_A", "valueFrom": SECRET}]),
        "spec.template.container.secrets[0]",
        "are reserved",
    ),
    "containers of a Pod": (
        pod("containers", 9),
        pod("containers", 10),
        "spec.template.eks.podProperties.containers",
        "Batch takes 9 here",
    ),
    "initContainers of a Pod": (
        pod("initContainers", 10),
        pod("initContainers", 11),
        "spec.template.eks.podProperties.initContainers",
        "Batch takes 10 here",
    ),
    "containers of a task": (
        task(10),
        task(11),
        "spec.template.ecs.ecsProperties.taskProperties[0].containers",
        "Batch takes 10 here",
    ),
    "nodes": (
        nodes(count=1000),
        nodes(count=1001),
        "spec.template.nodes.count",
        "less than or equal to 1000",
    ),
    "an array of nodes": (
        {**nodes(count=2), "completions": 1},
        {**nodes(count=2), "completions": 2},
        "spec",
        "completions must be 1",
    ),
    "the largest of Fargate": (
        fargate(16, 122_880),
        fargate(16, 131_072),
        "spec.template.container",
        "Fargate has no such size",
    ),
    "the least of Fargate": (
        fargate(0.25, 512),
        fargate(0.25, 256),
        "spec.template.container",
        "Fargate has no such size",
    ),
    "disk of Fargate": (
        fargate(1, 2048, fargate={"ephemeralStorageGiB": 200}),
        fargate(1, 2048, fargate={"ephemeralStorageGiB": 201}),
        "spec.template.container.fargate.ephemeralStorageGiB",
        "less than or equal to 200",
    ),
    "a role on Fargate": (
        fargate(1, 2048),
        {"template": {"container": {"image": "i", "fargate": {}}}},
        "spec.template.container",
        "needs an executionRoleArn",
    ),
}


@pytest.mark.parametrize(("taken", "refused", "field", "cause"), TABLE.values(), ids=TABLE)
def test_a_limit_is_held_with_its_field_and_cause(taken: Json, refused: Json, field: str, cause: str) -> None:
    assert fault_of(taken) is None
    fault = fault_of(refused)
    assert fault is not None
    assert fault[0] == field
    assert cause in fault[1]


def test_a_task_on_fargate_needs_a_role() -> None:
    spec = task(1)
    spec["template"]["ecs"]["platform"] = "Fargate"
    fault = fault_of(spec)
    assert fault is not None
    assert fault[0] == "spec.template.ecs.ecsProperties.taskProperties[0].executionRoleArn"


def test_no_name_of_an_object_makes_a_job_name_that_batch_refuses() -> None:
    assert len(JobNames.of("n" * 63, "b" * 253, "0123456789abcdef").job(99, 999_999)) <= 128
