"""CancelJob(s) and TerminateJob(s); the cascade takes 1 s, a signalled attempt 3 s to end."""

import pytest


def test_terminate_ends_every_child_and_then_the_parent(batch):
    batch.control.configure(queue_concurrency=2)
    batch.control.script(indexes="0", seconds=0)
    job_id = batch.submit(4)
    batch.advance(4)
    assert batch.counts(job_id) == {"SUCCEEDED": 1, "RUNNING": 1, "STARTING": 1, "RUNNABLE": 1}
    batch.client.terminate_job(jobId=job_id, reason="enough")
    parent = batch.job(job_id)
    assert (parent["status"], parent["isTerminated"]) == ("PENDING", True)
    batch.advance(1)
    assert batch.counts(job_id)["FAILED"] == 1
    assert batch.status(job_id) == "PENDING"
    batch.advance(4)
    assert batch.counts(job_id) == {"SUCCEEDED": 1, "FAILED": 3}
    parent, child = batch.job(job_id), batch.job(f"{job_id}:1")
    assert (parent["status"], parent["statusReason"]) == ("FAILED", "enough")
    assert (child["statusReason"], child["container"]["exitCode"]) == ("enough", 137)
    assert batch.job(f"{job_id}:3")["attempts"] == []


def test_a_terminated_child_is_not_retried_and_its_siblings_go_on(batch):
    job_id = batch.submit(2, retryStrategy={"attempts": 5})
    batch.advance(4)
    batch.client.terminate_job(jobId=f"{job_id}:0", reason="this one")
    batch.advance(60)
    assert batch.children(job_id, "FAILED") == [0]
    assert batch.children(job_id, "SUCCEEDED") == [1]
    assert len(batch.job(f"{job_id}:0")["attempts"]) == 1
    assert batch.job(job_id)["statusReason"] == "Array Child Job failed"


def test_cancel_leaves_alone_what_started(batch):
    batch.control.configure(queue_concurrency=2)
    job_id = batch.submit(4)
    batch.advance(4)
    batch.client.cancel_job(jobId=job_id, reason="not needed")
    batch.advance(1)
    assert batch.counts(job_id) == {"RUNNING": 2, "FAILED": 2}
    assert batch.job(f"{job_id}:3")["statusReason"] == "not needed"
    assert batch.job(f"{job_id}:3")["isCancelled"] is True
    batch.advance(10)
    assert batch.counts(job_id) == {"SUCCEEDED": 2, "FAILED": 2}


def test_cancel_of_a_running_job_succeeds_and_changes_nothing(batch):
    job_id = batch.submit()
    batch.advance(4)
    batch.client.cancel_job(jobId=job_id, reason="late")
    batch.advance(10)
    job = batch.job(job_id)
    assert (job["status"], job["isCancelled"]) == ("SUCCEEDED", False)


@pytest.mark.parametrize("when", [0, 5])
def test_cancel_of_a_job_that_waits_takes_effect_when_its_dependencies_end(batch, when):
    upstream = batch.submit()
    job_id = batch.submit(dependsOn=[{"jobId": upstream}])
    batch.advance(when)
    batch.client.cancel_job(jobId=job_id, reason="not needed")
    batch.advance(5)
    job = batch.job(job_id)
    assert (job["status"], job["isCancelled"]) == ("PENDING", True)
    batch.advance(10)
    assert (batch.status(job_id), batch.job(job_id)["statusReason"]) == ("FAILED", "not needed")


@pytest.mark.parametrize("size", [None, 3])
@pytest.mark.parametrize("terminate", [False, True])
def test_a_job_stopped_at_once_never_runs(batch, size, terminate):
    job_id = batch.submit(size)
    call = batch.client.terminate_job if terminate else batch.client.cancel_job
    call(jobId=job_id, reason="mistake")
    batch.advance(60)
    job = batch.job(job_id)
    assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", "mistake", [])


def test_terminate_does_not_wait_for_dependencies(batch):
    upstream = batch.submit()
    job_id = batch.submit(3, dependsOn=[{"jobId": upstream}])
    batch.advance(2)
    batch.client.terminate_job(jobId=job_id, reason="now")
    batch.advance(1)
    assert batch.counts(job_id) == {"FAILED": 3}


def test_what_ended_stays_as_it_ended(batch):
    job_id = batch.submit()
    batch.advance(13)
    batch.client.terminate_job(jobId=job_id, reason="late")
    batch.client.cancel_job(jobId=job_id, reason="late")
    batch.advance(13)
    job = batch.job(job_id)
    assert (job["status"], job["isTerminated"]) == ("SUCCEEDED", False)
    assert job["statusReason"] == "Essential container in task exited"


@pytest.mark.parametrize("call", ["cancel_jobs", "terminate_jobs"])
def test_bulk_calls_count_unknown_jobs_as_done(batch, call):
    job_id = batch.submit()
    answer = getattr(batch.client, call)(jobs=[job_id, "unknown"], reason="r")
    assert answer["successful"] == [job_id, "unknown"]
    assert answer["errors"] == []
    batch.advance(60)
    assert batch.status(job_id) == "FAILED"


def test_a_held_job_can_be_terminated(batch):
    batch.control.script(stays="RUNNABLE", status_reason="CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY")
    job_id = batch.submit(2)
    batch.advance(10)
    batch.client.terminate_job(jobId=job_id, reason="gave up")
    batch.advance(1)
    assert batch.counts(job_id) == {"FAILED": 2}


def test_deleting_a_queue_terminates_what_is_in_it(batch):
    job_id = batch.submit(2)
    batch.advance(4)
    batch.client.update_job_queue(jobQueue="q", state="DISABLED")
    batch.client.delete_job_queue(jobQueue="q")
    batch.advance(10)
    assert batch.status(job_id) == "FAILED"
