"""No job is submitted twice, whatever answers are lost and whenever the process dies."""

import asyncio
import collections

import pytest

from pierhead.kube.resources import BATCH_JOBS
from pierhead_sandbox.aws.protocol import Fault
from support.batch_lab import Lab, condition
from support.waiting import eventually


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Lost answers are given up after a second."""
    monkeypatch.setattr("pierhead.aws.identity.READ_SECONDS", 1)


ACCEPTED = {
    "accepted-but-500": Fault.server_error("batch", "SubmitJob", times=1, accepted=True),
    "accepted-but-timeout": Fault.timeout("batch", "SubmitJob", times=1, accepted=True),
    "accepted-but-dropped": Fault.drop("batch", "SubmitJob", times=1, accepted=True),
}
NOT_ACCEPTED = {
    "500": Fault.server_error("batch", "SubmitJob", times=1),
    "timeout": Fault.timeout("batch", "SubmitJob", times=1),
    "429": Fault.throttle("batch", "SubmitJob", times=1),
}


@pytest.mark.parametrize("fault", ACCEPTED)
async def test_a_job_whose_answer_was_lost_is_adopted(lab: Lab, fault):
    lab.aws.add_fault(ACCEPTED[fault])
    lab.batch.configure(list_lag_seconds=0.7)
    lab.operator(batch_settle_seconds=3)
    name = await lab.job(completions=4)
    await lab.has(name, "Complete")
    assert len(lab.submissions()) == 1
    assert lab.aws.count("batch", "SubmitJob") == 1
    assert lab.aws.count("batch", "ListJobs") >= 1


@pytest.mark.parametrize("fault", NOT_ACCEPTED)
async def test_a_job_that_was_not_accepted_is_submitted_again(lab: Lab, fault):
    lab.aws.add_fault(NOT_ACCEPTED[fault])
    lab.operator()
    name = await lab.job(completions=4)
    await lab.has(name, "Complete", within=40)
    assert len(lab.submissions()) == 1


async def test_throttling_is_told_and_waited_out(lab: Lab):
    fault = lab.aws.add_fault(Fault.throttle("batch", "SubmitJob"))
    lab.operator()
    name = await lab.job(completions=4)
    await lab.has(name, "Ready", "False", reason="Throttled")
    assert condition(await lab.has(name, "Reconciling"), "Stalled") is None
    # It is not hammered: one call, and a pause.
    await asyncio.sleep(1)
    assert lab.aws.count("batch", "SubmitJob") == 1
    lab.aws.remove_fault(fault)
    await lab.has(name, "Complete")
    assert len(lab.submissions()) == 1


async def test_of_two_jobs_by_one_name_the_oldest_is_adopted_and_the_other_terminated(lab: Lab):
    lab.aws.add_fault(ACCEPTED["accepted-but-500"])
    # The first becomes visible only after the settle time: Batch broke its word.
    lab.batch.configure(list_lag_seconds=4)
    lab.batch.script(stays="RUNNING")
    lab.operator(batch_settle_seconds=2)
    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: (obj.get("status", {}).get("shards") or [{}])[0].get("tries") == 2)
    await eventually(lambda: lab.aws.count("batch", "TerminateJob") == 1, seconds=20)
    older, newer = (entry.job_id for entry in lab.submissions())
    lab.batch.clear_scripts()
    lab.batch.release(older)
    obj = await lab.has(name, "Complete")
    assert obj["status"]["shards"][0]["jobId"] == older
    statuses = {job["jobId"]: job["status"] for job in lab.described(older, newer)}
    assert statuses == {older: "SUCCEEDED", newer: "FAILED"}


# Every call of the life of a job, before and after it: the operator dies there and another takes over.
STEPS = (
    "PATCH batchjobs",
    "PATCH batchjobs/status",
    "aws submit_job",
    "aws describe_jobs",
    "aws list_jobs",
    "aws register_job_definition",
)


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize(("step", "number"), [(step, number) for step in STEPS for number in range(2)])
async def test_a_crash_anywhere_submits_nothing_twice(lab: Lab, step, number, phase):
    lab.batch.script(job_name="*-r0-*", indexes="1,3", exit_code=1)
    seen = collections.Counter()

    def dies(what: str, when: str) -> bool:
        seen[what, when] += 1
        return (what, when) == (step, phase) and seen[step, phase] == number + 1

    first = lab.operator(dies_at=dies)
    name = await lab.job(completions=5, backoffLimitPerIndex=1)
    died = asyncio.create_task(first.crashed())
    done = asyncio.create_task(lab.has(name, "Complete", within=25))
    await asyncio.wait([died, done], return_when=asyncio.FIRST_COMPLETED)
    if not first.life.crashed.is_set():
        died.cancel()
    else:
        await died
        lab.operator()
    await done
    names = [entry.job_name.rpartition("-r")[2] for entry in lab.submissions()]
    assert names == ["0-s0", "1-s0"]


async def test_a_crash_among_many_shards_adopts_those_that_went_out(lab: Lab):
    lab.batch.configure(running_seconds=0.05, queue_concurrency=100_000)
    accepted = collections.Counter()

    def dies(what: str, when: str) -> bool:
        accepted[what, when] += 1
        return what == "aws submit_job" and accepted["aws submit_job", "after"] == 2

    first = lab.operator(dies_at=dies)
    name = await lab.job(completions=45_000)
    await first.crashed()
    obj = await lab.kube.get(BATCH_JOBS, name, lab.namespace)
    assert [shard["state"] for shard in obj["status"]["shards"]] == ["Intent"] * 5
    lab.operator()
    await lab.has(name, "Complete", within=60)
    sizes = [entry.array_size for entry in lab.submissions()]
    assert sorted(sizes) == [5_000, 10_000, 10_000, 10_000, 10_000]
    assert len({entry.job_name for entry in lab.submissions()}) == 5


async def test_a_write_that_met_another_one_loses_no_job(lab: Lab):
    """The label comes between the submission and the write of its id."""
    lab.batch.script(stays="RUNNING")
    lab.operator()

    name = await lab.job(completions=2)
    await lab.until(name, lambda obj: obj.get("status", {}).get("shards"))
    for number in range(20):
        await lab.poke(name, str(number))
    lab.batch.clear_scripts()
    lab.batch.release()
    await lab.has(name, "Complete")
    assert len(lab.submissions()) == 1
    assert lab.aws.count("batch", "ListJobs") < 10
