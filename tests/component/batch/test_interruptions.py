"""Hosts that are lost are counted apart from what the application does, and do not eat its backoff."""

from pathlib import Path
from typing import Any

from support.batch_lab import Lab, condition
from support.command_line import CommandLine

SPOT = {"exit_code": None, "status_reason": "Host EC2 (instance i-0a1b2c) terminated."}
FARGATE_SPOT = {"exit_code": None, "status_reason": "Your Spot Task was interrupted."}


def run_metrics(operator: Any) -> dict[str, float]:
    return {
        end: operator.metrics.registry.get_sample_value("pierhead_batch_index_runs_total", {"end": end})
        for end in ("succeeded", "failed", "interrupted")
    }


async def test_interruptions_take_no_round_and_are_counted_of_one_index(lab: Lab):
    lab.batch.script(attempts="1-6", **SPOT)
    lab.batch.script(attempts="7-9", **FARGATE_SPOT)
    operator = lab.operator()
    obj = await lab.has(await lab.job(), "Complete")
    assert (obj["status"]["round"], obj["status"]["interruptions"]) == (0, {"indexes": 0, "attempts": 9})
    assert run_metrics(operator) == {"succeeded": 1, "failed": 0, "interrupted": 0}


async def test_what_hosts_ended_is_told_from_what_the_application_ended(lab: Lab, tmp_path: Path):
    """Of an array the failed children are known, and those that went on to succeed only to who asks."""
    lab.batch.script(indexes="0", attempts="1,2", **SPOT)
    lab.batch.script(indexes="1", attempts="1", **SPOT)
    lab.batch.script(indexes="1", attempts="2", exit_code=3)
    lab.batch.script(indexes="2-14", **SPOT)
    operator = lab.operator()
    name = await lab.job(completions=20, attempts={"limit": 3})
    obj = await lab.has(name, "Failed", reason="FailedIndexes")
    status = obj["status"]
    # Ten failures are shown in full, so of the other four lost ones one attempt each is certain.
    assert status["interruptions"] == {"indexes": 13, "attempts": 1 + 9 * 3 + 4}
    assert [entry.get("interruptions") for entry in status["failures"]] == [1, *[3] * 9]
    assert "13 came by the loss of a host" in condition(obj, "Failed")["message"]
    assert run_metrics(operator) == {"succeeded": 6, "failed": 1, "interrupted": 13}
    pierhead = CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="batch")
    told = await pierhead("get", name, "--interruptions")
    assert "42 attempts lost their host, of 15 runs, which ended 13 runs of indexes" in told.output


async def test_they_are_told_while_it_runs_and_kept_over_a_restart_and_a_round(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="4")
    lab.batch.script(indexes="1-2", job_name="*-r0-*", **SPOT)
    lab.batch.script(indexes="0", job_name="*-r1-*", **SPOT)
    first = lab.operator()
    name = await lab.job(completions=5, backoffLimitPerIndex=1, attempts={"limit": 1})
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("interruptions"))
    assert (obj["status"]["interruptions"]["indexes"], obj["status"]["round"]) == (2, 0)
    await first.stop()
    lab.operator()
    lab.batch.clear_scripts()
    lab.batch.script(indexes="0", job_name="*-r1-*", **SPOT)
    lab.batch.release()
    obj = await lab.has(name, "Failed")
    assert obj["status"]["interruptions"] == {"indexes": 3, "attempts": 3}
    told = [version.get("status", {}).get("interruptions") for version in lab.versions(name)]
    counts = [entry["indexes"] if entry else 0 for entry in told]
    assert counts == sorted(counts)
