"""What fails is told with its cause, and nothing runs on after the end."""

import asyncio

from pierhead.batch.following.jobs import STOP_MARK
from support.batch_lab import Lab, condition


async def test_a_failed_index_fails_it_and_says_why(lab: Lab):
    lab.batch.script(
        indexes="1,4", exit_code=9, reason="it broke", status_reason="Essential container exited"
    )
    lab.operator()
    name = await lab.job(completions=6)
    obj = await lab.has(name, "Failed", reason="FailedIndexes")
    status = obj["status"]
    assert status["completedIndexes"] == "0,2,3,5"
    assert status["failedIndexes"] == "1,4"
    assert [entry["index"] for entry in status["failures"]] == [1, 4]
    first = status["failures"][0]
    assert (first["exitCode"], first["reason"], first["attempts"]) == (9, "it broke", 1)
    told = {entry["type"]: (entry["status"], entry["reason"]) for entry in status["conditions"]}
    assert told == {
        "Failed": ("True", "FailedIndexes"),
        "FailureTarget": ("True", "FailedIndexes"),
        "Ready": ("False", "FailedIndexes"),
        "Stalled": ("True", "FailedIndexes"),
    }
    assert "completionTime" not in status


async def test_a_single_job_that_failed_says_why(lab: Lab):
    lab.batch.script(exit_code=2, reason="no picture")
    lab.operator()
    obj = await lab.has(await lab.job(), "Failed")
    (failure,) = obj["status"]["failures"]
    assert (failure["index"], failure["exitCode"], failure["reason"]) == (0, 2, "no picture")
    assert failure["logStream"]


async def test_the_loss_of_a_host_is_retried_by_batch_and_an_error_is_not(lab: Lab):
    lost = {"exit_code": None, "status_reason": "Host EC2 (instance i-0) terminated.", "attempts": "1,2"}
    lab.batch.script(indexes="0", **lost)
    lab.batch.script(indexes="1", exit_code=1, reason="error")
    lab.operator()
    obj = await lab.has(await lab.job(completions=3), "Failed")
    assert obj["status"]["completedIndexes"] == "0,2"
    assert obj["status"]["failures"][0]["attempts"] == 1
    assert len(lab.submissions()) == 1


async def test_an_index_runs_again_as_often_as_the_limit_says(lab: Lab):
    lab.batch.script(indexes="2", exit_code=1)
    lab.batch.script(job_name="*-r[12]-*", exit_code=1)
    lab.operator()
    name = await lab.job(completions=4, backoffLimitPerIndex=2)
    obj = await lab.has(name, "Failed", reason="FailedIndexes")
    assert [entry.array_size for entry in lab.submissions()] == [4, None, None]
    assert obj["status"]["failures"][0]["round"] == 2
    assert obj["status"]["failedIndexes"] == "2"


async def test_too_many_failed_indexes_terminate_the_rest(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.batch.script(indexes="1-3", exit_code=1)
    lab.operator()
    name = await lab.job(completions=8, maxFailedIndexes=2)
    obj = await lab.has(name, "Failed", reason="MaxFailedIndexesExceeded")
    aimed = [entry for entry in lab.versions(name) if condition(entry, "FailureTarget")]
    assert not condition(aimed[0], "Failed")
    (submission,) = lab.submissions()
    (job,) = lab.described(submission.job_id)
    assert job["status"] == "FAILED"
    assert job["statusReason"].startswith(STOP_MARK)
    assert obj["status"]["failedIndexes"] == "1-3"
    assert (obj["status"]["failed"], obj["status"]["waiting"]) == (3, 5)
    assert obj["status"]["shards"][-1]["state"] == "Terminated"


async def test_a_deadline_terminates_everything(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="1-3")
    lab.operator()
    name = await lab.job(completions=4, activeDeadlineSeconds=6)
    obj = await lab.has(name, "Failed", reason="DeadlineExceeded")
    assert "spec.activeDeadlineSeconds" in condition(obj, "Failed")["message"]
    assert obj["status"]["completedIndexes"] == "0"
    assert "failedIndexes" not in obj["status"]
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["isTerminated"]


async def test_a_deadline_holds_for_one_that_cannot_go_on(lab: Lab):
    """A queue that is not there is no reason to wait for ever."""
    lab.operator()
    name = await lab.job(queue=f"{lab.namespace}-missing", activeDeadlineSeconds=6)
    await lab.has(name, "Stalled", reason="QueueNotFound")
    await lab.has(name, "Failed", reason="DeadlineExceeded")
    assert lab.submissions() == []


async def test_jobs_that_batch_forgot_are_lost_and_not_polled_any_more(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="2-4")
    lab.operator(batch_settle_seconds=0.4)
    name = await lab.job(completions=5)
    await lab.until(name, lambda obj: obj.get("status", {}).get("completedIndexes") == "0,1")
    lab.batch.forget(lab.submissions()[0].job_id)
    obj = await lab.has(name, "Failed", reason="JobsLost")
    assert condition(obj, "Lost")["status"] == "True"
    # What was seen to succeed has succeeded.
    assert obj["status"]["completedIndexes"] == "0,1"
    assert obj["status"]["failedIndexes"] == "2-4"
    assert obj["status"]["lost"] == 3
    lab.aws.clear_calls()
    await asyncio.sleep(1)
    assert lab.aws.calls() == {}


async def test_a_job_that_batch_does_not_show_for_a_moment_is_not_lost(lab: Lab):
    lab.batch.configure(describe_lag_seconds=2, running_seconds=3)
    lab.operator(batch_settle_seconds=1)
    await lab.has(await lab.job(completions=2), "Complete")
    assert len(lab.submissions()) == 1


async def test_a_job_that_cannot_start_says_why(lab: Lab):
    why = (
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - the job resource requirement is larger than any instance"
    )
    lab.batch.script(stays="RUNNABLE", status_reason=why)
    lab.operator()
    array, single = await lab.job(completions=3), await lab.job()
    for name in (array, single):
        obj = await lab.has(name, "Schedulable", "False")
        assert condition(obj, "Schedulable")["message"].startswith(f"{why}; ")
    lab.batch.clear_scripts()
    lab.batch.release()
    for name in (array, single):
        obj = await lab.has(name, "Complete")
        assert condition(obj, "Schedulable") is None


async def test_a_whole_array_that_cannot_run_fails_all_its_indexes(lab: Lab):
    lab.batch.script(exit_code=None, fails_in="STARTING", reason="CannotPullContainerError: unauthorized")
    lab.operator()
    obj = await lab.has(await lab.job(completions=20), "Failed")
    assert obj["status"]["failed"] == 20
    assert len(obj["status"]["failures"]) == 10
    assert obj["status"]["failures"][0]["reason"].startswith("CannotPullContainerError")


async def test_what_waits_for_capacity_says_where_in_the_queue_it_is(lab: Lab):
    lab.batch.script(stays="RUNNABLE")
    lab.operator()
    first = await lab.job()
    await lab.until(first, lambda obj: obj.get("status", {}).get("states", {}).get("runnable") == 1)
    second = await lab.job(completions=3)
    for name, position in ((first, 1), (second, 2)):
        obj = await lab.until(name, lambda found: found.get("status", {}).get("queuePosition"))
        assert obj["status"]["queuePosition"] == position
        assert "before it in the queue" in condition(obj, "Ready")["message"]
    lab.batch.clear_scripts()
    lab.batch.release()
    assert "queuePosition" not in (await lab.has(second, "Complete"))["status"]
