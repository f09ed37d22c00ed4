"""Waves, failure and success policies, elastic completions: as an Indexed Job has them."""

import pytest

from pierhead.engine.outcome import Invalid
from pierhead.kube.errors import Rejected
from support.batch_lab import Lab, condition

HOST_LOST = {"exit_code": None, "status_reason": "Host EC2 (instance i-0) terminated."}


async def test_no_more_indexes_are_in_batch_than_may_run_at_once(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.operator()
    name = await lab.job(completions=10, parallelism=4)
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 4)
    assert obj["status"]["waiting"] == 6
    await lab.change(name, parallelism=7)
    obj = await lab.until(name, lambda obj: obj["status"]["active"] == 7)
    assert [entry.array_size for entry in lab.submissions()] == [4, 3]


async def test_waves_follow_one_another_until_all_have_run(lab: Lab):
    lab.operator()
    name = await lab.job(completions=10, parallelism=4)
    obj = await lab.has(name, "Complete")
    assert obj["status"]["completedIndexes"] == "0-9"
    sizes = [entry.array_size or 1 for entry in lab.submissions()]
    assert sum(sizes) == 10
    assert max(sizes) <= 4


async def test_a_failure_that_is_final_ends_everything_at_once(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.batch.script(indexes="2", exit_code=42)
    lab.operator()
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    name = await lab.job(completions=5, backoffLimitPerIndex=3, failurePolicy={"rules": [rule]})
    obj = await lab.has(name, "Failed", reason="PodFailurePolicy")
    assert condition(obj, "Failed")["message"].startswith("index 2 failed with exit code 42")
    assert len(lab.submissions()) == 1


async def test_a_single_job_s_failure_is_judged_too(lab: Lab):
    lab.batch.script(exit_code=42)
    lab.operator()
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    name = await lab.job(backoffLimitPerIndex=3, failurePolicy={"rules": [rule]})
    await lab.has(name, "Failed", reason="PodFailurePolicy")
    assert len(lab.submissions()) == 1


async def test_an_ignored_failure_runs_again_and_counts_nowhere(lab: Lab):
    lab.batch.script(job_name="*-r0-*", indexes="1", **HOST_LOST)
    lab.operator()
    rules = [{"action": "Ignore", "onStatusReason": "Host EC2*"}]
    policy = {"failurePolicy": {"rules": rules}, "attempts": {"limit": 1}}
    name = await lab.job(completions=3, maxFailedIndexes=0, **policy)
    obj = await lab.has(name, "Complete")
    assert (obj["status"]["failed"], obj["status"].get("failedIndexes")) == (0, None)
    assert [entry.array_size for entry in lab.submissions()] == [3, None]


async def test_an_index_that_is_barred_does_not_run_again(lab: Lab):
    lab.batch.script(indexes="0", exit_code=3)
    lab.batch.script(job_name="*-r0-*", indexes="1", exit_code=1)
    lab.operator()
    rules = [{"action": "FailIndex", "onExitCodes": {"operator": "In", "values": [3]}}]
    name = await lab.job(completions=3, backoffLimitPerIndex=2, failurePolicy={"rules": rules})
    obj = await lab.has(name, "Failed", reason="FailedIndexes")
    assert (obj["status"]["failedIndexes"], obj["status"]["completedIndexes"]) == ("0", "1,2")
    assert [entry.array_size for entry in lab.submissions()] == [3, None]


async def test_more_failures_than_the_backoff_limit_end_it(lab: Lab):
    lab.batch.script(indexes="0-1", exit_code=1)
    lab.batch.script(job_name="*-r[1-9]-*", exit_code=1)
    lab.operator()
    name = await lab.job(completions=4, backoffLimit=3)
    obj = await lab.has(name, "Failed", reason="BackoffLimitExceeded")
    assert obj["status"]["completedIndexes"] == "2,3"
    assert [entry.array_size for entry in lab.submissions()] == [4, 2]


async def test_enough_success_is_complete_and_ends_the_rest(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="1-4")
    lab.operator()
    name = await lab.job(completions=5, successPolicy={"rules": [{"succeededIndexes": "0"}]})
    obj = await lab.has(name, "Complete", reason="SuccessPolicy")
    met = [entry for entry in lab.versions(name) if condition(entry, "SuccessCriteriaMet")]
    assert not condition(met[0], "Complete")
    assert obj["status"]["completionTime"]
    assert (obj["status"]["succeeded"], obj["status"]["failed"]) == (1, 0)
    (job,) = lab.described(lab.submissions()[0].job_id)
    assert job["status"] == "FAILED"


async def test_a_success_that_can_never_be_is_refused_with_its_field(lab: Lab):
    lab.operator()
    name = await lab.job(completions=5, successPolicy={"rules": [{"succeededIndexes": "0-9"}]})
    obj = await lab.has(name, "Stalled", reason=Invalid.default_reason)
    assert "spec.successPolicy.rules[0].succeededIndexes" in condition(obj, "Ready")["message"]
    assert lab.submissions() == []


async def test_completions_grow_with_the_parallelism(lab: Lab):
    lab.batch.script(stays="RUNNING", job_name="*-r0-s0")
    lab.operator()
    name = await lab.job(completions=3, parallelism=3)
    await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 3)
    with pytest.raises(Rejected, match="only together with a parallelism that is equal to it"):
        await lab.change(name, completions=5)
    await lab.change(name, completions=5, parallelism=5)
    obj = await lab.until(name, lambda obj: obj["status"]["succeeded"] == 2)
    assert (obj["status"]["size"], obj["status"]["completedIndexes"]) == (5, "3,4")
    assert [entry.array_size for entry in lab.submissions()] == [3, 2]


async def test_completions_are_not_lowered_below_what_was_sent(lab: Lab):
    lab.batch.script(stays="RUNNING")
    lab.operator()
    name = await lab.job(completions=4, parallelism=4)
    await lab.until(name, lambda obj: obj.get("status", {}).get("active") == 4)
    await lab.change(name, completions=2, parallelism=2)
    obj = await lab.has(name, "Stalled", reason="CompletionsBelowProgress")
    assert condition(obj, "Ready")["message"].startswith("spec.completions: ")
    await lab.change(name, completions=4, parallelism=4)
    await lab.has(name, "Ready", "False", reason="Running")


async def test_what_somebody_else_manages_is_left_alone(lab: Lab):
    lab.operator()
    theirs = await lab.job(managedBy="example.com/other")
    ours = await lab.job(managedBy="pierhead.dev/batch-job-controller")
    await lab.has(ours, "Complete")
    obj = await lab.until(theirs, lambda obj: obj)
    assert "status" not in obj
    assert "finalizers" not in obj["metadata"]
    assert len(lab.submissions()) == 1
