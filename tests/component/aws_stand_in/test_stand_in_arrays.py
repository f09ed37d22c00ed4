"""The life of single jobs and arrays, on a clock that stands: 1 s SUBMITTED, 2 s STARTING, 10 s RUNNING."""

import pytest

from support.stand_in import CONTAINER


def test_a_job_passes_every_state_and_succeeds(batch):
    job_id = batch.submit()
    seen = [batch.status(job_id)]
    for seconds in (1, 2, 10):
        batch.advance(seconds)
        seen.append(batch.status(job_id))
    assert seen == ["SUBMITTED", "STARTING", "RUNNING", "SUCCEEDED"]
    job = batch.job(job_id)
    assert job["container"]["exitCode"] == 0
    assert job["statusReason"] == "Essential container in task exited"
    assert job["stoppedAt"] - job["startedAt"] == 10_000
    assert job["startedAt"] - job["createdAt"] == 3_000
    (attempt,) = job["attempts"]
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]
    assert job["container"]["logStreamName"].startswith("d/default/")


def test_by_default_children_succeed_in_a_moment_of_real_time(live_batch):
    job_id = live_batch.submit(20)
    assert live_batch.wait(job_id, seconds=10)["status"] == "SUCCEEDED"
    assert live_batch.counts(job_id) == {"SUCCEEDED": 20}


def test_an_array_has_no_children_while_it_is_submitted_and_stays_pending_until_all_ended(batch):
    batch.control.configure(queue_concurrency=2)
    job_id = batch.submit(3)
    assert batch.status(job_id) == "SUBMITTED"
    assert batch.client.describe_jobs(jobs=[f"{job_id}:0"])["jobs"] == []
    batch.advance(1)
    assert batch.status(job_id) == "PENDING"
    assert batch.counts(job_id) == {"RUNNABLE": 1, "STARTING": 2}
    batch.advance(12)
    assert batch.status(job_id) == "PENDING"
    assert batch.counts(job_id) == {"STARTING": 1, "SUCCEEDED": 2}
    batch.advance(12)
    assert batch.status(job_id) == "SUCCEEDED"
    assert batch.counts(job_id) == {"SUCCEEDED": 3}


def test_a_parent_has_counts_and_no_attempts_and_a_child_has_its_index(batch):
    job_id = batch.submit(2)
    batch.advance(13)
    parent, child = batch.job(job_id), batch.job(f"{job_id}:1")
    assert parent["arrayProperties"]["size"] == 2
    assert parent["arrayProperties"]["statusSummaryLastUpdatedAt"] == int(batch.control.now() * 1000)
    assert parent["attempts"] == []
    assert "logStreamName" not in parent["container"]
    assert child["arrayProperties"] == {"index": 1}
    variables = {item["name"]: item["value"] for item in child["container"]["environment"]}
    assert variables["AWS_BATCH_JOB_ARRAY_INDEX"] == "1"
    assert variables["AWS_BATCH_JOB_ARRAY_SIZE"] == "2"
    assert variables["AWS_BATCH_JOB_ID"] == f"{job_id}:1"
    assert variables["AWS_BATCH_JOB_ATTEMPT"] == "1"
    assert variables["AWS_BATCH_JQ_NAME"] == "q"


def test_one_failed_child_fails_the_parent_only_when_all_have_ended(batch):
    batch.control.script(indexes="1", exit_code=3, seconds=1, reason="Error: boom")
    job_id = batch.submit(3)
    batch.advance(4)
    assert batch.status(job_id) == "PENDING"
    assert batch.counts(job_id) == {"RUNNING": 2, "FAILED": 1}
    batch.advance(10)
    parent = batch.job(job_id)
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "Array Child Job failed")
    child = batch.job(f"{job_id}:1")
    assert child["container"]["exitCode"] == 3
    assert child["container"]["reason"] == "Error: boom"
    assert batch.children(job_id, "FAILED") == [1]


def test_the_newest_script_that_matches_decides(batch):
    batch.control.script(exit_code=1)
    batch.control.script(job_name="good-*", exit_code=0)
    batch.control.script(job_name="good-*", indexes="2-3", exit_code=2)
    bad, good = batch.submit(jobName="bad"), batch.submit(5, jobName="good-1")
    batch.advance(20)
    assert batch.status(bad) == "FAILED"
    assert batch.children(good, "FAILED") == [2, 3]


def test_a_share_of_children_fails_alike_in_every_run(batch):
    batch.control.script(share=0.3, exit_code=1)
    first, second = batch.submit(200, jobName="same"), batch.submit(200, jobName="same")
    batch.advance(20)
    failed = batch.children(first, "FAILED")
    assert 30 < len(failed) < 90
    assert batch.children(second, "FAILED") == failed


def test_a_container_that_cannot_start_never_runs(batch):
    batch.control.script(
        exit_code=None,
        fails_in="STARTING",
        reason="CannotPullContainerError: pull access denied",
        status_reason="Task failed to start",
    )
    job_id = batch.submit()
    batch.advance(3)
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task failed to start")
    assert "exitCode" not in job["container"]
    assert job["attempts"][0]["container"]["reason"].startswith("CannotPullContainerError")


@pytest.mark.parametrize("state", ["RUNNABLE", "STARTING", "RUNNING"])
def test_a_held_child_stays_until_it_is_released(batch, state):
    batch.control.script(stays=state, status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    job_id = batch.submit()
    batch.advance(86_400)
    assert batch.status(job_id) == state
    batch.control.release()
    batch.advance(60)
    assert batch.status(job_id) == state
    batch.control.clear_scripts()
    batch.control.release(job_id)
    batch.advance(60)
    assert batch.status(job_id) == "SUCCEEDED"


def test_a_job_stuck_in_runnable_says_why_and_others_pass_it(batch):
    batch.control.script(job_name="stuck", stays="RUNNABLE", status_reason="MISCONFIGURATION:X")
    stuck, other = batch.submit(jobName="stuck"), batch.submit()
    batch.advance(20)
    assert batch.job(stuck)["statusReason"] == "MISCONFIGURATION:X"
    assert batch.status(other) == "SUCCEEDED"
    front = batch.client.get_job_queue_snapshot(jobQueue="q")["frontOfQueue"]["jobs"]
    assert [item["jobArn"].rpartition("/")[2] for item in front] == [stuck]


def test_a_queue_gives_up_on_a_stuck_job_after_its_time_limit(batch):
    limit = {
        "reason": "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
        "state": "RUNNABLE",
        "maxTimeSeconds": 600,
        "action": "CANCEL",
    }
    batch.client.update_job_queue(jobQueue="q", jobStateTimeLimitActions=[limit])
    batch.control.script(stays="RUNNABLE", status_reason=limit["reason"])
    job_id = batch.submit()
    batch.advance(600)
    assert batch.status(job_id) == "RUNNABLE"
    batch.advance(1)
    job = batch.job(job_id)
    assert job["status"] == "FAILED"
    assert job["statusReason"].startswith("Canceled by JobStateTimeLimit action due to reason: MISCONF")


def test_overrides_beyond_8192_characters_fail_the_job_and_not_the_call(batch):
    environment = [{"name": f"V{i}", "value": "x" * 100} for i in range(80)]
    job_id = batch.submit(2, containerOverrides={"environment": environment})
    batch.advance(1)
    assert batch.status(job_id) == "FAILED"
    assert batch.job(f"{job_id}:0")["statusReason"] == "Container Overrides length must be at most 8192"


def test_overrides_and_parameters_are_merged_into_what_is_described(batch):
    container = {**CONTAINER, "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}
    batch.define("full", containerProperties=container, parameters={"p": "1", "q": "1"})
    job_id = batch.submit(
        jobDefinition="full",
        parameters={"q": "2"},
        tags={"team": "a"},
        propagateTags=True,
        timeout={"attemptDurationSeconds": 60},
        retryStrategy={"attempts": 2},
        containerOverrides={
            "command": ["echo", "Ref::q"],
            "environment": [{"name": "B", "value": "2"}],
            "resourceRequirements": [{"type": "MEMORY", "value": "128"}],
        },
    )
    job = batch.job(job_id)
    assert job["container"]["command"] == ["echo", "Ref::q"]
    own = [item for item in job["container"]["environment"] if not item["name"].startswith("AWS_")]
    assert own == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert {item["type"]: item["value"] for item in job["container"]["resourceRequirements"]} == {
        "VCPU": "1",
        "MEMORY": "128",
    }
    assert job["parameters"] == {"p": "1", "q": "2"}
    assert job["tags"] == {"team": "a"}
    assert job["propagateTags"] is True
    assert job["timeout"] == {"attemptDurationSeconds": 60}
    assert job["retryStrategy"]["attempts"] == 2


def test_an_ended_job_is_forgotten_after_a_week(batch):
    job_id = batch.submit()
    batch.advance(13)
    batch.advance(7 * 86_400 - 1)
    assert batch.status(job_id) == "SUCCEEDED"
    batch.advance(1)
    assert batch.client.describe_jobs(jobs=[job_id])["jobs"] == []
    filters = [{"name": "JOB_NAME", "values": ["*"]}]
    assert batch.client.list_jobs(jobQueue="q", filters=filters)["jobSummaryList"] == []


def test_a_job_can_be_aged_out_by_hand(batch):
    job_id = batch.submit()
    batch.control.forget(job_id)
    assert batch.client.describe_jobs(jobs=[job_id])["jobs"] == []
    batch.advance(60)


def test_children_of_a_pod_report_their_exit_code_where_eks_puts_it(batch):
    pod = {"containers": [{"name": "main", "image": "i", "env": [{"name": "A", "value": "1"}]}]}
    batch.client.register_job_definition(
        jobDefinitionName="pod", type="container", eksProperties={"podProperties": pod}
    )
    batch.control.script(exit_code=4)
    override = {"podProperties": {"containers": [{"name": "main", "env": [{"name": "A", "value": "2"}]}]}}
    job_id = batch.submit(2, jobDefinition="pod", eksPropertiesOverride=override)
    batch.advance(13)
    child = batch.job(f"{job_id}:0")
    assert "container" not in child
    (container,) = child["eksProperties"]["podProperties"]["containers"]
    assert container["exitCode"] == 4
    assert container["env"] == [{"name": "A", "value": "2"}]
    (attempt,) = child["eksAttempts"]
    assert attempt["containers"][0]["exitCode"] == 4
    assert attempt["podName"].startswith("aws-batch.")


def test_tasks_of_several_containers_report_their_exit_codes_where_ecs_puts_them(batch):
    task = {"containers": [{"name": "main", "image": "i"}, {"name": "side", "image": "i"}]}
    batch.client.register_job_definition(
        jobDefinitionName="task", type="container", ecsProperties={"taskProperties": [task]}
    )
    job_id = batch.submit(jobDefinition="task")
    batch.advance(13)
    job = batch.job(job_id)
    containers = job["ecsProperties"]["taskProperties"][0]["containers"]
    assert [container["exitCode"] for container in containers] == [0, 0]
    attempt = job["attempts"][0]["taskProperties"][0]
    assert [container["name"] for container in attempt["containers"]] == ["main", "side"]
