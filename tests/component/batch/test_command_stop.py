"""`pierhead batch stop` and `retry` as processes, against a running operator and Batch."""

from pathlib import Path

import pytest

from pierhead.kube.resources import BATCH_JOBS
from support.batch_lab import Lab
from support.command_line import CommandLine


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    return CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="batch")


def _statuses(lab: Lab, name: str) -> set[str]:
    ids = [entry.job_id for entry in lab.submissions() if name in entry.job_name]
    return {job["status"] for job in lab.described(*ids)}


async def test_what_was_stopped_has_ended_in_batch(lab: Lab, pierhead: CommandLine) -> None:
    lab.batch.script(stays="RUNNING")
    lab.operator()
    suspended, deleted = await lab.job(completions=3), await lab.job()
    for name in (suspended, deleted):
        await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running"))
    stopped = await pierhead("stop", suspended)
    assert stopped.code == 0, stopped.errors
    assert stopped.output == (
        f"BatchJob {suspended} is suspended with 0/3 indexes done; with spec.suspend: false the others run\n"
    )
    assert _statuses(lab, suspended) == {"FAILED"}
    gone = await pierhead("stop", deleted, "--delete")
    assert (gone.code, gone.output) == (0, f"BatchJob {deleted} is deleted, and nothing of it runs\n")
    assert await lab.is_gone(BATCH_JOBS, deleted)
    assert _statuses(lab, deleted) == {"FAILED"}
    refused = await pierhead("retry", suspended)
    assert (refused.code, "set spec.suspend to false" in refused.errors) == (1, True)


async def test_a_retry_runs_what_failed_and_is_refused_where_nothing_has(
    lab: Lab, pierhead: CommandLine
) -> None:
    lab.batch.script(indexes="1", exit_code=1)
    lab.operator()
    name = await lab.job(completions=3)
    await lab.has(name, "Failed")
    lab.batch.clear_scripts()
    retried = await pierhead("retry", name)
    assert (retried.code, retried.output) == (0, f"BatchJob {name} runs 1 index again, as round 1\n")
    await lab.has(name, "Complete")
    assert [entry.array_size for entry in lab.submissions()] == [3, None]
    refused = await pierhead("retry", name)
    assert (refused.code, "nothing has failed" in refused.errors) == (1, True)


async def test_a_new_one_runs_everything_and_is_made_only_when_told(lab: Lab, pierhead: CommandLine) -> None:
    lab.batch.script(indexes="1", exit_code=1)
    lab.operator()
    name = await lab.job(completions=3)
    await lab.has(name, "Failed")
    printed = await pierhead("retry", name, "--again")
    (made,) = printed.documents
    assert (made["metadata"]["name"], made["spec"]["completions"]) == (f"{name}-retry-1", 3)
    assert "also the 2 that had succeeded" in printed.errors
    unasked = await pierhead("retry", name, "--again", "--create")
    assert (unasked.code, "--yes" in unasked.errors) == (1, True)
    assert len(lab.submissions()) == 1
    lab.batch.clear_scripts()
    created = await pierhead("retry", name, "--again", "--create", "--yes")
    assert created.output == f"BatchJob {name}-retry-1 is created\n", created.errors
    obj = await lab.has(f"{name}-retry-1", "Complete")
    assert obj["status"]["succeeded"] == 3
    again = await pierhead("stop", f"{name}-retry-1")
    assert again.output == f"BatchJob {name}-retry-1 is Complete already: nothing runs\n"
