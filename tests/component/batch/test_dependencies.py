"""What a BatchJob waits for, and what comes of it when that fails, goes away or waits itself."""

from pathlib import Path

import pytest
import yaml

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.record import IndexRecords
from pierhead.batch.situation import read_status
from pierhead.engine.resource import ObjectKey
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS
from support.batch_lab import Lab, condition, variables

EXAMPLE = Path(__file__).parents[3] / "examples" / "batch" / "pipeline.yaml"


def reason(obj, condition_type="DependenciesMet"):
    return (condition(obj, condition_type) or {}).get("reason")


async def test_one_waits_for_objects_of_any_kind_and_is_woken_by_them(lab: Lab):
    lab.sandbox.kubectl(
        "create", "role", "reader", "-n", lab.namespace, "--verb=get", "--resource=configmaps"
    )
    account = f"--serviceaccount={lab.namespace}:default"
    lab.sandbox.kubectl("create", "rolebinding", "reader", "-n", lab.namespace, "--role=reader", account)
    lab.operator()
    flag = {"apiVersion": "v1", "kind": "ConfigMap", "name": "flag", "ready": "object.data.ready == 'yes'"}
    name = await lab.job(completions=3, activeDeadlineSeconds=3600, dependsOn=[{"name": "first"}, flag])
    obj = await lab.has(name, "DependenciesMet", "False", reason="WaitingForDependencies")
    told = condition(obj, "DependenciesMet")["message"]
    assert "BatchJob first, which does not exist" in told
    assert "ConfigMap flag, which does not exist" in told
    assert "startTime" not in obj["status"]
    assert lab.aws.count("batch") == 0
    first = {
        "apiVersion": BATCH_JOBS.api_version,
        "kind": BATCH_JOBS.kind,
        "metadata": {"name": "first", "namespace": lab.namespace},
        "spec": {"queue": lab.queue, "template": {"container": {"image": "example.com/first:1"}}},
    }
    await lab.kube.create(BATCH_JOBS, first)
    await lab.until(name, lambda obj: obj["status"].get("met") == [0])
    # What was ready is not asked for again.
    await lab.delete("first")
    await lab.gone("first")
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "flag", "namespace": lab.namespace},
        "data": {"ready": "yes"},
    }
    await lab.kube.create(CONFIG_MAPS, config_map)
    obj = await lab.has(name, "Complete")
    assert condition(obj, "DependenciesMet")["status"] == "True"
    assert [entry.array_size for entry in lab.submissions()] == [None, 3]


async def test_one_whose_dependency_has_failed_fails_without_running(lab: Lab):
    lab.batch.script(indexes="1", exit_code=1)
    lab.operator()
    first = await lab.job(completions=2)
    name = await lab.job(dependsOn=[{"name": first}])
    obj = await lab.has(name, "Failed", reason="DependencyFailed")
    assert first in condition(obj, "Failed")["message"]
    assert reason(obj) == "DependencyFailed"
    assert len(lab.submissions()) == 1


async def test_indexes_follow_those_of_another_that_have_succeeded(lab: Lab):
    lab.operator()
    first = await lab.job(completions=6, suspend=True)
    lab.batch.script(stays="RUNNING", indexes="2-4", job_name=f"*{first}*")
    await lab.change(first, suspend=False)
    await lab.until(first, lambda obj: obj.get("status", {}).get("completedIndexes") == "0,1,5")
    name = await lab.job(completions=6, dependsOn=[{"name": first, "type": "NToN"}])
    obj = await lab.until(name, lambda obj: obj.get("status", {}).get("completedIndexes") == "0,1,5")
    assert reason(obj) == "WaitingForDependencies"
    (child, *_) = lab.described(f"{lab.submissions()[1].job_id}:0")
    assert variables(child)["PIERHEAD_INDEX_MAP"] == "0,1,5"
    await lab.change(first, suspend=True)
    await lab.has(first, "Ready", "False", reason="Suspended")
    lab.batch.clear_scripts()
    lab.batch.script(indexes="1", exit_code=1, job_name=f"*{first}*")
    await lab.change(first, suspend=False)
    await lab.has(first, "Failed")
    obj = await lab.has(name, "Failed", reason="DependencyFailed")
    assert obj["status"]["completedIndexes"] == "0-2,4,5"
    assert "1 of 6 indexes do not run" in condition(obj, "Failed")["message"]


async def test_the_exact_indexes_of_another_are_read_where_its_status_is_cut(lab: Lab):
    lab.batch.script(indexes="7", exit_code=1)
    operator = lab.operator()
    first = await lab.job(completions=2001)
    obj = await lab.has(first, "Failed")
    await operator.stop()
    status = read_status({**obj["status"], "completedIndexes": "0,..."})
    key = ObjectKey(lab.namespace, first)
    ledger = await IndexRecords(lab.kube).peek(key, obj["metadata"]["uid"], status)
    assert ledger.succeeded == IndexSet.below(2001) - IndexSet.of([7])


async def test_the_example_runs_from_end_to_end(lab: Lab):
    lab.operator()
    for obj in reversed(list(yaml.safe_load_all(EXAMPLE.read_text()))):
        obj["metadata"]["namespace"] = lab.namespace
        obj["spec"]["queue"] = lab.queue
        await lab.kube.create(BATCH_JOBS, obj)
    await lab.has("load", "Complete")
    assert not any("failures" in obj["status"] for obj in lab.history if "status" in obj)
    assert sum(entry.array_size or 1 for entry in lab.submissions()) == 201


async def test_index_by_index_needs_as_many_of_them(lab: Lab):
    lab.operator()
    first = await lab.job(completions=3)
    name = await lab.job(completions=2, dependsOn=[{"name": first, "type": "NToN"}])
    obj = await lab.has(name, "Stalled", reason="DependencySizesDiffer")
    assert "3 completions and this BatchJob 2" in condition(obj, "Stalled")["message"]


async def test_a_cycle_is_spelled_out(lab: Lab):
    lab.operator()
    last = await lab.job(dependsOn=[{"name": "one"}])
    ring = {"one": "two", "two": last}
    for name, after in ring.items():
        obj = {
            "apiVersion": BATCH_JOBS.api_version,
            "kind": BATCH_JOBS.kind,
            "metadata": {"name": name, "namespace": lab.namespace},
            "spec": {"queue": lab.queue, "jobDefinition": "work", "dependsOn": [{"name": after}]},
        }
        await lab.kube.create(BATCH_JOBS, obj)
    obj = await lab.has(last, "Stalled", reason="DependencyCycle")
    assert f"{last} -> one -> two -> {last}" in condition(obj, "Stalled")["message"]
    assert reason(obj) == "DependencyCycle"
    await lab.has("two", "Stalled", reason="DependencyCycle")
    assert lab.submissions() == []


@pytest.mark.parametrize(("order", "sent"), [("Sequential", 2), ("SequentialTolerant", 4)])
async def test_one_index_after_the_other(lab: Lab, order: str, sent: int):
    lab.batch.script(exit_code=1, job_name="*-r0-s1")
    lab.operator()
    name = await lab.job(completions=4, order=order)
    obj = await lab.has(name, "Failed", reason="FailedIndexes")
    assert obj["status"]["failedIndexes"] == "1"
    assert [entry.array_size for entry in lab.submissions()] == [None] * sent
