"""Attempts, evaluateOnExit and timeouts."""

import pytest

HOST_LOST = {
    "exit_code": None,
    "status_reason": "Host EC2 (instance i-0123456789abcdef0) terminated.",
}
SPOT_RULES = [
    {"onStatusReason": "Host EC2*", "action": "RETRY"},
    {"onReason": "*", "action": "EXIT"},
]


def test_a_failed_attempt_is_tried_again_and_kept(batch):
    batch.control.script(attempts="1-2", exit_code=7)
    job_id = batch.submit(2, retryStrategy={"attempts": 3})
    batch.advance(13)
    child = batch.job(f"{job_id}:0")
    assert child["status"] == "STARTING"
    assert len(child["attempts"]) == 1
    batch.advance(24)
    child = batch.job(f"{job_id}:0")
    assert child["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in child["attempts"]] == [7, 7, 0]
    assert len({attempt["container"]["logStreamName"] for attempt in child["attempts"]}) == 3
    assert batch.status(job_id) == "SUCCEEDED"


def test_attempts_of_the_definition_hold_until_the_submission_says_otherwise(batch):
    batch.define("patient", retryStrategy={"attempts": 2})
    batch.control.script(exit_code=1)
    patient = batch.submit(jobDefinition="patient")
    hasty = batch.submit(jobDefinition="patient", retryStrategy={"attempts": 1})
    batch.advance(60)
    assert len(batch.job(patient)["attempts"]) == 2
    assert len(batch.job(hasty)["attempts"]) == 1


@pytest.mark.parametrize(
    ("outcome", "attempts"),
    [
        pytest.param(HOST_LOST, 3, id="host loss is retried"),
        pytest.param({"exit_code": 1, "reason": "Error"}, 1, id="an application error is not"),
        pytest.param({"exit_code": 1}, 1, id="not even without a reason"),
    ],
)
def test_rules_tell_host_loss_from_errors(batch, outcome, attempts):
    batch.control.script(**outcome)
    job_id = batch.submit(retryStrategy={"attempts": 3, "evaluateOnExit": SPOT_RULES})
    batch.advance(60)
    assert batch.status(job_id) == "FAILED"
    assert len(batch.job(job_id)["attempts"]) == attempts


def test_where_no_rule_matches_the_job_is_retried(batch):
    batch.control.script(exit_code=2)
    rules = [{"onExitCode": "1*", "action": "exit"}]
    job_id = batch.submit(retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    batch.advance(60)
    assert len(batch.job(job_id)["attempts"]) == 2


def test_an_attempt_that_runs_too_long_fails_and_is_not_retried(batch):
    batch.control.script(seconds=1000)
    job_id = batch.submit(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 3})
    batch.advance(3 + 60)
    assert batch.status(job_id) == "RUNNING"
    batch.advance(3)
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert job["container"]["exitCode"] == 137
    assert len(job["attempts"]) == 1


def test_the_timeout_counts_per_attempt(batch):
    batch.control.script(seconds=50, exit_code=1)
    job_id = batch.submit(timeout={"attemptDurationSeconds": 60}, retryStrategy={"attempts": 2})
    batch.advance(200)
    reasons = [attempt["statusReason"] for attempt in batch.job(job_id)["attempts"]]
    assert reasons == ["Essential container in task exited"] * 2
