"""Everything Batch refuses, asked for with boto3."""

import pytest

from support.stand_in import CONTAINER

RULE = {"onExitCode": "1", "action": "RETRY"}
ENVIRONMENT = [{"name": "AWS_BATCH_JOB_ID", "value": "x"}]

SUBMISSIONS = {
    "size 1": ({"arrayProperties": {"size": 1}}, "arrayProperties.size: must be between 2 and 10000"),
    "size 10001": ({"arrayProperties": {"size": 10_001}}, "arrayProperties.size"),
    "name begins with a hyphen": ({"jobName": "-x"}, "jobName"),
    "name with a dot": ({"jobName": "a.b"}, "jobName"),
    "name too long": ({"jobName": "x" * 129}, "jobName"),
    "unknown queue": ({"jobQueue": "nowhere"}, "JobQueue nowhere does not exist"),
    "unknown definition": ({"jobDefinition": "none"}, "JobDefinition none does not exist"),
    "unknown revision": ({"jobDefinition": "d:7"}, "JobDefinition d:7 does not exist"),
    "21 dependencies": ({"dependsOn": [{"jobId": str(i)} for i in range(21)]}, "at most 20"),
    "unknown dependency": ({"dependsOn": [{"jobId": "gone"}]}, "job gone does not exist"),
    "dependency without a job": ({"dependsOn": [{"type": "N_TO_N"}]}, "does not exist"),
    "sequential single job": ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "only an array job"),
    "sequential with a job": (
        {"arrayProperties": {"size": 2}, "dependsOn": [{"type": "SEQUENTIAL", "jobId": "x"}]},
        "takes no jobId",
    ),
    "unknown dependency type": ({"dependsOn": [{"type": "FIFO"}]}, "FIFO"),
    "no attempts": ({"retryStrategy": {"attempts": 0}}, "retryStrategy.attempts"),
    "11 attempts": ({"retryStrategy": {"attempts": 11}}, "retryStrategy.attempts"),
    "rules without attempts": (
        {"retryStrategy": {"evaluateOnExit": [RULE]}},
        "retryStrategy.attempts: required",
    ),
    "6 rules": ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [RULE] * 6}}, "at most 5 rules"),
    "rule without a pattern": (
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}},
        "a rule needs",
    ),
    "rule with an unknown action": (
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "x", "action": "STOP"}]}},
        "RETRY or EXIT",
    ),
    "asterisk in the middle": (
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "a*b", "action": "EXIT"}]}},
        "asterisk",
    ),
    "exit code that is no number": (
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onExitCode": "x", "action": "EXIT"}]}},
        "only digits",
    ),
    "pattern too long": (
        {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"onReason": "x" * 513, "action": "EXIT"}]}},
        "512",
    ),
    "timeout under a minute": ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60"),
    "reserved variable": ({"containerOverrides": {"environment": ENVIRONMENT}}, "AWS_BATCH"),
    "51 tags": ({"tags": {str(i): "x" for i in range(51)}}, "at most 50"),
    "tag key too long": ({"tags": {"k" * 129: "x"}}, "128"),
    "tag value too long": ({"tags": {"k": "x" * 257}}, "256"),
    "reserved tag": ({"tags": {"aws:k": "x"}}, "aws:"),
    "share without a policy": ({"shareIdentifier": "a"}, "no scheduling policy"),
    "priority": ({"schedulingPriorityOverride": 10_000}, "schedulingPriorityOverride"),
    "override of another kind": (
        {"eksPropertiesOverride": {"podProperties": {"metadata": {"labels": {"a": "b"}}}}},
        "takes containerOverrides",
    ),
    "payload over 30 KiB": ({"parameters": {"p": "x" * 31_000}}, "at most 30720"),
}


@pytest.mark.parametrize("case", SUBMISSIONS)
def test_submit_job_refuses(batch, case):
    fields, message = SUBMISSIONS[case]
    request = {"jobName": "n", "jobQueue": "q", "jobDefinition": "d", **fields}
    assert message in batch.refused(batch.client.submit_job, **request)
    assert batch.control.submissions() == []


def test_a_dependency_child_by_child_needs_arrays_of_equal_size(batch):
    array, single = batch.submit(3), batch.submit()
    pairs = [{"jobId": array, "type": "N_TO_N"}]
    request = {"jobName": "n", "jobQueue": "q", "jobDefinition": "d", "dependsOn": pairs}
    assert "equal size" in batch.refused(batch.client.submit_job, **request, arrayProperties={"size": 4})
    assert "between array jobs" in batch.refused(batch.client.submit_job, **request)
    request["dependsOn"] = [{"jobId": single, "type": "N_TO_N"}]
    assert "between array jobs" in batch.refused(
        batch.client.submit_job, **request, arrayProperties={"size": 3}
    )


def test_a_definition_that_was_deregistered_takes_no_jobs(batch):
    batch.client.deregister_job_definition(jobDefinition="d:1")
    request = {"jobName": "n", "jobQueue": "q"}
    assert "INACTIVE" in batch.refused(batch.client.submit_job, **request, jobDefinition="d:1")
    assert "does not exist" in batch.refused(batch.client.submit_job, **request, jobDefinition="d")
    batch.define("d")
    assert batch.submit(jobDefinition="d")


def test_a_disabled_queue_takes_no_jobs_and_only_it_can_be_deleted(batch):
    assert "DISABLED" in batch.refused(batch.client.delete_job_queue, jobQueue="q")
    batch.client.update_job_queue(jobQueue="q", state="DISABLED")
    request = {"jobName": "n", "jobQueue": "q", "jobDefinition": "d"}
    assert "is DISABLED" in batch.refused(batch.client.submit_job, **request)
    batch.client.delete_job_queue(jobQueue="q")
    assert batch.client.describe_job_queues(jobQueues=["q"])["jobQueues"] == []


def test_a_queue_with_a_scheduling_policy_wants_a_share(batch):
    environment = batch.client.describe_compute_environments()["computeEnvironments"][0]
    batch.client.create_job_queue(
        jobQueueName="fair",
        priority=1,
        schedulingPolicyArn="arn:aws:batch:eu-west-1:123456789012:scheduling-policy/p",
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment["computeEnvironmentArn"]}],
    )
    request = {"jobName": "n", "jobQueue": "fair", "jobDefinition": "d"}
    assert "shareIdentifier: required" in batch.refused(batch.client.submit_job, **request)
    assert batch.submit(jobQueue="fair", shareIdentifier="teamA")
    (listed,) = batch.client.list_jobs(
        jobQueue="fair", filters=[{"name": "SHARE_IDENTIFIER", "values": ["teamA"]}]
    )["jobSummaryList"]
    assert listed["status"] == "SUBMITTED"


DEFINITIONS = {
    "name": ({"jobDefinitionName": "a.b"}, "jobDefinitionName"),
    "type": ({"type": "pod"}, "type"),
    "two kinds of properties": (
        {"eksProperties": {"podProperties": {"containers": [{"image": "i"}]}}},
        "takes one of",
    ),
    "no image": ({"containerProperties": {**CONTAINER, "image": ""}}, "image: required"),
    "no memory": (
        {
            "containerProperties": {
                "image": "i",
                "resourceRequirements": CONTAINER["resourceRequirements"][:1],
            }
        },
        "MEMORY is required",
    ),
    "reserved variable": (
        {"containerProperties": {**CONTAINER, "environment": ENVIRONMENT}},
        "AWS_BATCH",
    ),
    "Fargate without an execution role": (
        {"platformCapabilities": ["FARGATE"]},
        "executionRoleArn: required",
    ),
    "platform": ({"platformCapabilities": ["LAMBDA"]}, "platformCapabilities"),
    "attempts": ({"retryStrategy": {"attempts": 11}}, "attempts"),
    "timeout": ({"timeout": {"attemptDurationSeconds": 1}}, "at least 60"),
    "payload over 24 KiB": ({"parameters": {"p": "x" * 25_000}}, "at most 24576"),
    "priority": ({"schedulingPriority": -1}, "schedulingPriority"),
}


@pytest.mark.parametrize("case", DEFINITIONS)
def test_register_job_definition_refuses(batch, case):
    fields, message = DEFINITIONS[case]
    request = {"jobDefinitionName": "n", "type": "container", "containerProperties": CONTAINER, **fields}
    assert message in batch.refused(batch.client.register_job_definition, **request)


def test_a_pod_holds_ten_containers(batch):
    containers = [{"name": f"c{i}", "image": "i"} for i in range(11)]
    message = batch.refused(
        batch.client.register_job_definition,
        jobDefinitionName="n",
        type="container",
        eksProperties={"podProperties": {"containers": containers}},
    )
    assert "at most 10" in message


STOPS = {
    "no reason": ({"reason": ""}, "reason"),
    "reason too long": ({"reason": "x" * 1025}, "1024"),
    "51 jobs": ({"jobs": [str(i) for i in range(51)]}, "1 to 50"),
    "no jobs": ({"jobs": []}, "1 to 50"),
}


@pytest.mark.parametrize("case", STOPS)
def test_stopping_jobs_refuses(batch, case):
    fields, message = STOPS[case]
    request = {"jobs": ["a"], "reason": "r", **fields}
    for call in (batch.client.cancel_jobs, batch.client.terminate_jobs):
        assert message in batch.refused(call, **request)


def test_describe_jobs_takes_1_to_100_ids_and_leaves_out_the_unknown(batch):
    known = batch.submit()
    found = batch.client.describe_jobs(jobs=[known, "unknown", f"{known}:0"])["jobs"]
    assert [job["jobId"] for job in found] == [known]
    assert "1 to 100" in batch.refused(batch.client.describe_jobs, jobs=[])
    assert "1 to 100" in batch.refused(batch.client.describe_jobs, jobs=["x"] * 101)


LISTINGS = {
    "no selector": ({}, "Exactly one"),
    "two selectors": ({"jobQueue": "q", "arrayJobId": "x"}, "Exactly one"),
    "unknown queue": ({"jobQueue": "nowhere"}, "does not exist"),
    "unknown status": ({"jobQueue": "q", "jobStatus": "DONE"}, "DONE"),
    "two filters": ({"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": ["a"]}] * 2}, "one filter"),
    "filtered children": (
        {"arrayJobId": "x", "filters": [{"name": "JOB_NAME", "values": ["a"]}]},
        "only jobs of a queue",
    ),
    "unknown filter": ({"jobQueue": "q", "filters": [{"name": "AGE", "values": ["a"]}]}, "AGE"),
    "filter without a value": ({"jobQueue": "q", "filters": [{"name": "JOB_NAME", "values": []}]}, "values"),
    "moment that is no number": (
        {"jobQueue": "q", "filters": [{"name": "AFTER_CREATED_AT", "values": ["today"]}]},
        "milliseconds",
    ),
    "page of nothing": ({"jobQueue": "q", "maxResults": 0}, "maxResults"),
    "forged token": ({"jobQueue": "q", "nextToken": "x"}, "nextToken"),
}


@pytest.mark.parametrize("case", LISTINGS)
def test_list_jobs_refuses(batch, case):
    fields, message = LISTINGS[case]
    assert message in batch.refused(batch.client.list_jobs, **fields)


def test_an_operation_that_is_not_played_says_so(batch):
    error = batch.client.exceptions.ClientError
    with pytest.raises(error, match="not part of this stand-in"):
        batch.client.list_scheduling_policies()
