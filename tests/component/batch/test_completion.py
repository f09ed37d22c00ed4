"""What is asked for runs, once, and is reported as an Indexed Job would be."""

import asyncio
import json

import pytest

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.kube.resources import BATCH_JOBS
from support.batch_lab import CONTAINER, Lab, condition, variables


def parts(obj) -> list[int]:
    status = obj["status"]
    return [status[part] for part in ("succeeded", "failed", "active", "waiting")]


def assert_counts_add_up(lab: Lab, name: str) -> None:
    versions = [obj for obj in lab.versions(name) if obj.get("status", {}).get("size")]
    assert versions
    for obj in versions:
        assert sum(parts(obj)) == obj["status"]["size"]
        assert sum(obj["status"]["states"].values()) == obj["status"]["active"]


async def test_one_index_is_a_plain_job_that_completes(lab: Lab):
    lab.operator()
    name = await lab.job()
    obj = await lab.has(name, "Complete")
    status = obj["status"]
    assert parts(obj) == [1, 0, 0, 0]
    assert status["completedIndexes"] == "0"
    assert status["progress"] == "1/1"
    assert status["completionTime"] >= status["startTime"]
    (submission,) = lab.submissions()
    assert submission.array_size is None
    (job,) = lab.described(submission.job_id)
    assert "AWS_BATCH_JOB_ARRAY_INDEX" not in variables(job)
    assert variables(job)["PIERHEAD_INDEX_OFFSET"] == "0"
    assert job["tags"]["pierhead.dev/uid"] == obj["metadata"]["uid"]


async def test_an_array_completes_with_the_conditions_of_a_job(lab: Lab):
    operator = lab.operator()
    name = await lab.job(completions=5, outputUri="s3://bucket/out")
    obj = await lab.has(name, "Complete")
    told = {entry["type"]: (entry["status"], entry["reason"]) for entry in obj["status"]["conditions"]}
    assert told == {
        "Complete": ("True", "CompletionsReached"),
        "Ready": ("True", "Completed"),
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
    }
    assert obj["status"]["completedIndexes"] == "0-4"
    assert "failedIndexes" not in obj["status"]
    (submission,) = lab.submissions()
    assert submission.array_size == 5
    assert submission.job_name == f"{lab.namespace}-{name}-{obj['metadata']['uid'][:8]}-r0-s0"
    (child,) = lab.described(f"{submission.job_id}:3")
    assert variables(child)["PIERHEAD_OUTPUT_URI"] == "s3://bucket/out"
    assert variables(child)["PIERHEAD_COMPLETIONS"] == "5"
    assert_counts_add_up(lab, name)
    # The finalizer, the intent, the id; then what was seen to change.
    assert operator.life.writes[:3] == ["PATCH batchjobs", "PATCH batchjobs/status", "PATCH batchjobs/status"]
    lab.sandbox.kubectl(
        "-n", lab.namespace, "wait", "--for=condition=Complete", "--timeout=5s", f"bjob/{name}"
    )


async def test_twenty_five_thousand_indexes_run_in_three_shards_and_their_failures_again(lab: Lab):
    lab.batch.configure(running_seconds=0.05, queue_concurrency=100_000)
    # Of every shard some fail in the first round; of those, one of two neighbours in the second.
    failing = IndexSet.of([*range(100, 200), *range(5_000, 5_100, 2), 9_999])
    for shard in range(3):
        wanted = failing & IndexSet.below(10_000 if shard < 2 else 5_000)
        lab.batch.script(job_name=f"*-r0-s{shard}", indexes=wanted.text(), exit_code=3)
    lab.batch.script(job_name="*-r1-*", indexes="0-9,400", exit_code=4)
    lab.operator()
    name = await lab.job(completions=25_000, backoffLimitPerIndex=2)
    obj = await lab.has(name, "Complete", within=90)
    again = IndexSet.of(
        offset + index
        for offset, size in ((0, 10_000), (10_000, 10_000), (20_000, 5_000))
        for index in failing
        if index < size
    )
    runs = {
        entry.job_name.rpartition(f"{obj['metadata']['uid'][:8]}-")[2]: entry for entry in lab.submissions()
    }
    assert {run: entry.array_size for run, entry in runs.items()} == {
        "r0-s0": 10_000,
        "r0-s1": 10_000,
        "r0-s2": 5_000,
        "r1-s0": len(again),
        "r2-s0": 11,
    }
    assert len(lab.submissions()) == 5
    second, third = (lab.described(f"{runs[run].job_id}:0")[0] for run in ("r1-s0", "r2-s0"))
    assert variables(second)["PIERHEAD_INDEX_MAP"] == again.text()
    expected = again.at_places(IndexSet.from_text("0-9,400", len(again)))
    assert variables(third)["PIERHEAD_INDEX_MAP"] == expected.text()
    assert obj["status"]["completedIndexes"] == "0-24999"
    assert "failures" not in obj["status"]
    assert parts(obj) == [25_000, 0, 0, 0]
    assert_counts_add_up(lab, name)
    assert (
        max(len(json.dumps(version["status"])) for version in lab.versions(name) if "status" in version)
        < 65_536
    )
    record = await lab.record(obj)
    assert record["metadata"]["ownerReferences"][0]["uid"] == obj["metadata"]["uid"]
    # Parents cost a call a poll; children are listed for their failures and a few looks on the way.
    assert lab.aws.count("batch", "ListJobs") < 80


async def test_equal_templates_share_one_definition(lab: Lab):
    lab.operator()
    container = {**CONTAINER, "command": ["work"], "resources": {"memoryMiB": 512}}
    names = [
        await lab.job(template={"container": {**container, "env": [{"name": "N", "value": str(number)}]}})
        for number in range(5)
    ]
    for name in names:
        await lab.has(name, "Complete")
    assert lab.aws.count("batch", "RegisterJobDefinition") == 1
    assert len({entry.definition for entry in lab.submissions()}) == 1
    # Another operator finds it instead of registering it again.
    lab.operator()
    await lab.has(await lab.job(template={"container": container}), "Complete")
    assert lab.aws.count("batch", "RegisterJobDefinition") == 1


async def test_an_existing_definition_is_pinned_to_its_revision(lab: Lab):
    properties = {
        "image": "example.com/own:1",
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
    }
    definition = f"{lab.namespace}-definition"
    for _ in range(2):
        lab.boto.register_job_definition(
            jobDefinitionName=definition, type="container", containerProperties=properties
        )
    lab.operator()
    newest = await lab.has(await lab.job(jobDefinition=definition), "Complete")
    chosen = await lab.has(await lab.job(jobDefinition=f"{definition}:1"), "Complete")
    assert newest["status"]["jobDefinition"].endswith(f"{definition}:2")
    assert chosen["status"]["jobDefinition"].endswith(f"{definition}:1")


async def test_what_runs_costs_no_writes_and_one_call_a_poll_for_all(lab: Lab):
    lab.batch.script(stays="RUNNING")
    operator = lab.operator(batch_poll_seconds=0.5)
    names = [await lab.job(completions=3) for _ in range(6)]
    for name in names:
        await lab.until(name, lambda obj: obj.get("status", {}).get("states", {}).get("running") == 3)
    await asyncio.sleep(1)
    lab.aws.clear_calls()
    operator.life.writes.clear()
    await asyncio.sleep(3)
    calls = lab.aws.calls()
    assert operator.life.writes == []
    assert list(calls) == ["batch:DescribeJobs"]
    assert 4 <= calls["batch:DescribeJobs"]["200"] <= 9
    lab.batch.clear_scripts()
    lab.batch.release()
    for name in names:
        await lab.has(name, "Complete")
    lab.aws.clear_calls()
    operator.life.writes.clear()
    await asyncio.sleep(1.5)
    assert lab.aws.calls() == {}
    assert operator.life.writes == []


async def test_a_restart_changes_nothing_that_is_shown(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="3-9")
    first = lab.operator()
    name = await lab.job(completions=10)
    before = await lab.until(name, lambda obj: obj.get("status", {}).get("completedIndexes") == "0-2")
    await first.stop()
    second = lab.operator()
    await asyncio.sleep(2)
    assert second.life.writes == []
    after = await lab.kube.get(BATCH_JOBS, name, lab.namespace)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    lab.batch.clear_scripts()
    lab.batch.release()
    await lab.has(name, "Complete")
    assert len(lab.submissions()) == 1


async def test_what_has_ended_is_shown_while_the_rest_runs(lab: Lab):
    lab.batch.script(stays="RUNNING", indexes="5-9")
    lab.batch.script(indexes="3", exit_code=7, reason="OutOfMemoryError: killed")
    lab.operator()
    name = await lab.job(completions=10)
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("failures"))
    obj = await lab.until(name, lambda obj: obj["status"].get("completedIndexes") == "0-2,4")
    assert parts(obj) == [4, 1, 5, 0]
    assert obj["status"]["failedIndexes"] == "3"
    (failure,) = obj["status"]["failures"]
    assert (failure["index"], failure["exitCode"], failure["reason"]) == (3, 7, "OutOfMemoryError: killed")
    assert failure["logGroup"] == "/aws/batch/job"
    assert failure["logStream"].startswith("pierhead-")


@pytest.mark.parametrize("seconds", [0, 2])
async def test_a_finished_one_is_deleted_when_its_time_is_over(lab: Lab, seconds):
    lab.operator()
    name = await lab.job(ttlSecondsAfterFinished=seconds)
    await lab.has(name, "Reconciling")
    await lab.gone(name)
    finished = [obj for obj in lab.versions(name) if condition(obj, "Complete")]
    assert finished
    assert lab.aws.count("batch", "TerminateJob") == 0
