"""Nothing runs on after its BatchJob is gone, and the finalizer waits for the proof."""

import asyncio
import time

from pierhead.kube.resources import BATCH_JOBS
from pierhead.model import FINALIZER
from pierhead_sandbox.aws.protocol import Fault
from support.batch_lab import Lab, condition


async def test_deletion_terminates_and_waits_until_it_is_seen(lab: Lab):
    lab.batch.configure(cascade_seconds=0.8, stopping_seconds=0.8)
    lab.batch.script(stays="RUNNING")
    lab.operator()
    name = await lab.job(completions=6)
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 6)
    assert FINALIZER in obj["metadata"]["finalizers"]
    await lab.delete(name)
    await lab.has(name, "Ready", "False", reason="Terminating")
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["status"] == "PENDING"
    await lab.gone(name)
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["status"] == "FAILED"
    assert lab.aws.count("batch", "TerminateJob") == 1


async def test_a_finished_one_goes_at_once_without_a_call(lab: Lab):
    lab.operator()
    name = await lab.job(completions=2)
    await lab.has(name, "Complete")
    lab.aws.clear_calls()
    await lab.delete(name)
    await lab.gone(name, within=3)
    assert lab.aws.calls() == {}


async def test_one_that_never_submitted_goes_at_once(lab: Lab):
    lab.operator()
    name = await lab.job(suspend=True)
    await lab.has(name, "Suspended")
    await lab.delete(name)
    await lab.gone(name, within=3)
    assert lab.aws.calls() == {}


async def test_a_job_whose_answer_was_lost_is_found_and_terminated(lab: Lab):
    lab.aws.add_fault(Fault.server_error("batch", "SubmitJob", times=1, accepted=True))
    lab.batch.configure(list_lag_seconds=1.5)
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_settle_seconds=3)
    name = await lab.job(completions=2)
    await lab.has(name, "Ready", "False", reason="LookingUpJobs")
    await lab.delete(name)
    await lab.gone(name)
    (submission,) = lab.submissions()
    assert lab.described(submission.job_id)[0]["status"] == "FAILED"


async def test_an_intent_that_came_to_nothing_holds_the_object_for_the_settle_time_only(lab: Lab):
    lab.aws.add_fault(Fault.server_error("batch", "SubmitJob"))
    lab.operator(batch_settle_seconds=2)
    name = await lab.job(completions=2)
    await lab.has(name, "Ready", "False", reason="LookingUpJobs")
    await lab.delete(name)
    began = time.monotonic()
    await lab.gone(name)
    assert time.monotonic() - began > 1
    assert lab.submissions() == []


async def test_a_termination_that_fails_is_repeated(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.operator()
    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    # More than boto3's own retries.
    lab.aws.add_fault(Fault.deny("batch", "TerminateJob", times=1))
    await lab.delete(name)
    obj = await lab.has(name, "Stalled")
    assert condition(obj, "Ready")["reason"] == "AccessDenied"
    await lab.poke(name, "again")
    await lab.gone(name)


async def test_a_job_that_batch_forgot_holds_the_object_for_a_grace_time_only(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_settle_seconds=0.5)
    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    lab.batch.forget(lab.submissions()[0].job_id)
    await lab.delete(name)
    await asyncio.sleep(0.5)
    assert not await lab.is_gone(BATCH_JOBS, name)
    await lab.gone(name)


async def test_a_status_cannot_be_made_to_terminate_what_is_not_its_own(lab: Lab):
    """The id of another's job, written into a status by hand."""
    lab.batch.script(stays="RUNNING")
    operator = lab.operator(batch_settle_seconds=0.5)
    other = await lab.job(completions=2)
    await lab.until(other, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 2)
    await operator.stop()
    name = await lab.job(completions=2)
    shard = {"round": 0, "shard": 0, "first": 0, "size": 2, "state": "Submitted", "tries": 1}
    stolen = {**shard, "since": "2026-01-01T00:00:00Z", "jobId": lab.submissions()[0].job_id}
    finalizers = {"metadata": {"finalizers": [FINALIZER]}}
    await lab.kube.merge_patch(BATCH_JOBS, name, lab.namespace, finalizers)
    status = {
        "status": {"shards": [stolen], "planned": 2, "nextShard": 1, "startTime": "2026-01-01T00:00:00Z"}
    }
    await lab.kube.merge_patch(BATCH_JOBS, name, lab.namespace, status, subresource="status")
    await lab.delete(name)
    lab.operator(batch_settle_seconds=0.5)
    await lab.gone(name)
    assert lab.aws.count("batch", "TerminateJob") == 0
    assert lab.described(lab.submissions()[0].job_id)[0]["status"] == "PENDING"
