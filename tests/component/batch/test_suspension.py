"""Suspension stops what runs, and resumption runs only what is missing."""

import asyncio

from support.batch_lab import Lab, condition, variables


async def test_one_that_is_created_suspended_does_nothing(lab: Lab):
    lab.operator()
    name = await lab.job(completions=3, suspend=True)
    obj = await lab.has(name, "Suspended", reason="JobSuspended")
    assert "startTime" not in obj["status"]
    assert lab.aws.count("batch") == 0
    await lab.change(name, suspend=False)
    obj = await lab.has(name, "Complete")
    assert condition(obj, "Suspended")["status"] == "False"
    assert [entry.array_size for entry in lab.submissions()] == [3]


async def test_resumption_runs_only_the_missing_indexes_and_counts_no_failure(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="2,5-7")
    lab.batch.script(indexes="3", exit_code=1)
    lab.operator()
    name = await lab.job(completions=9, backoffLimitPerIndex=1)
    started = await lab.until(name, lambda obj: obj.get("status", {}).get("completedIndexes") == "0,1,4,8")
    await lab.change(name, suspend=True)
    obj = await lab.has(name, "Ready", "False", reason="Suspended")
    assert obj["status"]["active"] == 0
    assert "startTime" not in obj["status"]
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["status"] == "FAILED"
    await asyncio.sleep(1)
    assert len(lab.submissions()) == 1
    lab.batch.clear_scripts()
    await lab.change(name, suspend=False)
    obj = await lab.has(name, "Complete")
    _, again = lab.submissions()
    (child,) = lab.described(f"{again.job_id}:0")
    assert variables(child)["PIERHEAD_INDEX_MAP"] == "2,3,5-7"
    assert obj["status"]["startTime"] > started["status"]["startTime"]


async def test_resumption_while_jobs_are_still_stopping_ends_well(lab: Lab):
    lab.batch.configure(stopping_seconds=1.5)
    lab.batch.script(stays="RUNNING", indexes="1,2")
    lab.operator()
    name = await lab.job(completions=4)
    await lab.until(name, lambda obj: obj.get("status", {}).get("completedIndexes") == "0,3")
    await lab.change(name, suspend=True)
    await lab.has(name, "Ready", "False", reason="Suspending")
    lab.batch.clear_scripts()
    await lab.change(name, suspend=False)
    await lab.has(name, "Complete")
    assert [entry.array_size for entry in lab.submissions()] == [4, 2]


async def test_the_deadline_begins_again_with_resumption(lab: Lab):
    lab.batch.script(stays="RUNNING", job_name="*-r0-*")
    lab.operator()
    name = await lab.job(completions=2, activeDeadlineSeconds=4)
    await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 2)
    await lab.change(name, suspend=True)
    await lab.has(name, "Ready", "False", reason="Suspended")
    await asyncio.sleep(4)
    await lab.change(name, suspend=False)
    await lab.has(name, "Complete")
