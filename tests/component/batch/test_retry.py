"""A BatchJob that failed runs what is missing again when it is asked to, once a request."""

import pytest

from pierhead.batch.retrying import COMPLETE, RUNNING
from pierhead.kube.resources import BATCH_JOBS
from support.batch_lab import Lab, condition


async def ask(lab: Lab, name: str, value: str) -> None:
    annotations = {"pierhead.dev/retry-at": value}
    await lab.kube.merge_patch(BATCH_JOBS, name, lab.namespace, {"metadata": {"annotations": annotations}})


async def test_only_what_has_not_succeeded_runs_again(lab: Lab):
    """Of a limit that was passed, indexes that never ran are among it."""
    lab.batch.script(stays="RUNNING", indexes="6-7")
    lab.batch.script(indexes="1-3", exit_code=1)
    lab.operator()
    name = await lab.job(completions=8, maxFailedIndexes=2, activeDeadlineSeconds=600)
    before = await lab.has(name, "Failed", reason="MaxFailedIndexesExceeded")
    lab.batch.clear_scripts()
    await ask(lab, name, "monday")
    obj = await lab.has(name, "Complete")
    status = obj["status"]
    assert status["retry"] == {"request": "monday", "count": 1}
    assert (condition(obj, "Retried")["status"], condition(obj, "Failed")) == ("True", None)
    again = [entry.array_size for entry in lab.submissions()][len(before["status"]["shards"]) :]
    assert sum(size or 1 for size in again) == 8 - before["status"]["succeeded"]
    assert (status["completedIndexes"], status.get("failedIndexes")) == ("0-7", None)
    # The same request again asks for nothing, and nothing is written.
    version = obj["metadata"]["resourceVersion"]
    await ask(lab, name, "monday")
    await lab.poke(name, "now")
    poked = await lab.until(name, lambda found: found["metadata"]["resourceVersion"] != version)
    assert poked["status"] == obj["status"]


async def test_a_request_is_refused_while_it_works_and_when_it_is_complete(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="0")
    lab.operator()
    name = await lab.job(completions=3)
    await lab.until(name, lambda obj: obj.get("status", {}).get("succeeded") == 2)
    await ask(lab, name, "one")
    refused = await lab.has(name, "Retried", "False", reason="RetryRefused")
    assert condition(refused, "Retried")["message"] == RUNNING
    lab.batch.clear_scripts()
    lab.batch.release()
    completed = await lab.has(name, "Complete")
    await ask(lab, name, "two")
    obj = await lab.until(name, lambda found: found["status"]["retry"]["request"] == "two")
    assert condition(obj, "Retried")["message"] == COMPLETE
    assert obj["status"]["completionTime"] == completed["status"]["completionTime"]
    assert len(lab.submissions()) == 1


async def test_a_retry_that_fails_has_failed_again_and_says_so(lab: Lab):
    lab.batch.script(indexes="1", exit_code=4)
    lab.batch.script(job_name="*-r1-*", exit_code=5)
    lab.operator()
    name = await lab.job(completions=3)
    await lab.has(name, "Failed")
    await ask(lab, name, "one")
    obj = await lab.until(name, lambda found: condition(found, "Failed") and found["status"]["round"] == 1)
    assert (obj["status"]["failedIndexes"], obj["status"]["failures"][0]["exitCode"]) == ("1", 5)


@pytest.mark.parametrize("size", [5, 2500], ids=["inline", "in a ConfigMap"])
@pytest.mark.parametrize("phase", ["before", "after"])
async def test_a_process_that_dies_over_a_retry_retries_once(lab: Lab, size: int, phase: str):
    lab.batch.script(indexes="2-3", exit_code=1)
    first = lab.operator()
    name = await lab.job(completions=size)
    await lab.has(name, "Failed")
    await first.stop()
    lab.batch.clear_scripts()
    await ask(lab, name, "monday")
    dying = lab.operator(dies_at=lambda what, when: (what, when) == ("PATCH batchjobs/status", phase))
    await dying.crashed()
    lab.operator()
    obj = await lab.has(name, "Complete")
    assert obj["status"]["retry"]["count"] == 1
    assert [entry.array_size for entry in lab.submissions()] == [size, 2]
