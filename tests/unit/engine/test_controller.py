"""The control loop: what leads to a reconcile, what does not, and what it leaves behind."""

import asyncio
import itertools
from typing import Any

import pytest

from pierhead.engine.conditions import ready
from pierhead.engine.outcome import Outcome, Transient
from pierhead.engine.resource import ObjectKey, Resource
from support.memory_store import MemoryStore, Request
from support.virtual_time import now, settle, virtual_time
from support.widgets import FINALIZER, Harness, settle_widget

A = ObjectKey("team", "a")
SECRET = "hunter2"


def condition(harness: Harness, key: ObjectKey, kind: str = "Ready") -> Any:
    conditions = harness.store.live(key).get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == kind), None)


@virtual_time
async def test_an_object_gets_its_finalizer_and_status_in_one_reconcile() -> None:
    harness = Harness()
    harness.store.create("a", spec={"size": 3})
    async with harness:
        await harness.rest()
    assert len(harness.reconciler.runs) == 1
    assert [request.verb for request in harness.store.writes] == ["replace_finalizers", "replace_status"]
    live = harness.store.live(A)
    assert live["metadata"]["finalizers"] == [FINALIZER]
    assert live["status"]["size"] == 3
    assert live["status"]["observedGeneration"] == 1
    assert condition(harness, A)["status"] == "True"


@virtual_time
async def test_a_second_pass_and_a_restart_write_nothing() -> None:
    first = Harness(resync_seconds=600.0)
    for number in range(20):
        first.store.create(f"a{number}")
    async with first:
        await first.rest()
        written = len(first.store.writes)
        await first.rest(2000.0)
    assert len(first.reconciler.runs) >= 60
    second = Harness(store=first.store)
    async with second:
        await second.rest()
    assert len(second.reconciler.runs) == 20
    assert len(first.store.writes) == written == 40


@virtual_time
async def test_nothing_is_reconciled_before_the_first_complete_list() -> None:
    listed = asyncio.Event()

    async def slow(request: Request, phase: str) -> None:
        if request.verb == "list" and phase == "after":
            await listed.wait()

    harness = Harness(store=MemoryStore(page_size=1, on_request=slow))
    harness.store.create("a")
    harness.store.create("b")
    async with harness:
        await harness.rest()
        assert harness.reconciler.runs == []
        assert not harness.controller.synced
        listed.set()
        await harness.rest()
        assert len(harness.reconciler.runs) == 2
        assert harness.controller.synced


@virtual_time
async def test_a_list_that_fails_at_the_start_is_repeated() -> None:
    failures = [Transient("down"), Transient("down")]

    async def down(request: Request, phase: str) -> None:
        if request.verb == "list" and phase == "before" and failures:
            raise failures.pop()

    harness = Harness(store=MemoryStore(on_request=down))
    harness.store.create("a")
    async with harness:
        await harness.rest()
    assert len(harness.reconciler.runs) == 1


@virtual_time
async def test_a_change_of_the_spec_a_label_or_the_force_annotation_reconciles() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.store.change(A, {"size": 5})
        await settle()
        assert harness.store.live(A)["status"]["size"] == 5
        harness.store.annotate(A, test_pierhead_dev="x")
        await settle()
        harness.store.annotate(A, **{"test.pierhead.dev__reconcile_at": "1"})
        await settle()
    assert len(harness.reconciler.runs) == 4


@virtual_time
async def test_a_change_of_status_or_finalizers_alone_reconciles_nothing() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.store.set_status(A, {"observedGeneration": 1, "size": 99})
        harness.store.set_finalizers(A, [FINALIZER, "other/one"])
        await harness.rest()
    assert len(harness.reconciler.runs) == 1


@pytest.mark.parametrize("order", ["answer first", "event first"])
def test_our_own_writes_coming_back_reconcile_nothing(order: str) -> None:
    @virtual_time
    async def body() -> None:
        async def slow_answer(request: Request, phase: str) -> None:
            if request.writes and phase == "after" and order == "event first":
                await asyncio.sleep(0.1)

        harness = Harness(store=MemoryStore(on_request=slow_answer))
        harness.store.create("a")
        async with harness:
            if order == "answer first":
                harness.store.hold()
                await harness.rest(1.0)
                harness.store.release()
            await harness.rest()
        assert len(harness.reconciler.runs) == 1
        assert len(harness.store.writes) == 2

    body()


@virtual_time
async def test_a_reconcile_reads_its_own_writes() -> None:
    versions: list[str] = []

    async def write_twice(resource: Resource) -> Outcome:
        versions.append(resource.object["metadata"]["resourceVersion"])
        await resource.write_status({"intent": "submit"})
        assert resource.status == {"intent": "submit"}
        return await settle_widget(resource)

    harness = Harness(write_twice)
    harness.store.create("a")
    async with harness:
        harness.store.hold()
        await harness.rest()
        harness.controller.wake(A)
        await harness.rest()
    assert versions == sorted(set(versions))
    assert all(request.changed for request in harness.store.writes)


@virtual_time
async def test_a_deleted_object_is_cleaned_up_and_forgotten() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.reconciler.forgotten.clear()
        harness.store.delete(A)
        await harness.rest()
    assert harness.store.keys == []
    assert len(harness.reconciler.runs) == 2
    assert set(harness.reconciler.forgotten) == {A}
    assert harness.store.writes[-1].verb == "replace_finalizers"


@virtual_time
async def test_a_deleted_object_is_forgotten_though_nobody_tells_its_end() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.reconciler.forgotten.clear()
        harness.store.delete(A)
        harness.store.lose()
        await harness.rest()
    assert harness.store.keys == []
    assert harness.reconciler.forgotten == [A]


@virtual_time
async def test_an_object_that_others_still_hold_is_left_alone_once_ours_is_done() -> None:
    harness = Harness()
    harness.store.create("a", finalizers=["other/one"])
    async with harness:
        await harness.rest()
        harness.store.delete(A)
        await harness.rest()
        runs, writes = len(harness.reconciler.runs), len(harness.store.writes)
        harness.store.annotate(A, a="b")
        await harness.rest()
        assert (len(harness.reconciler.runs), len(harness.store.writes)) == (runs, writes)
        assert harness.store.live(A)["metadata"]["finalizers"] == ["other/one"]
        harness.store.set_finalizers(A, [])
        await harness.rest()
    assert harness.reconciler.forgotten[-1] == A


@virtual_time
async def test_a_namesake_starts_without_what_was_remembered() -> None:
    harness = Harness()
    harness.store.create("a", spec={"size": 1})
    gate = asyncio.Event()

    async def slow(resource: Resource) -> Outcome:
        await gate.wait()
        return Outcome(status={"size": resource.spec["size"]}, conditions=(ready("Settled"),))

    harness.reconciler.behaviour = slow
    async with harness:
        await harness.rest()
        harness.reconciler.forgotten.clear()
        harness.store.delete(A)
        harness.store.create("a", spec={"size": 2})
        gate.set()
        await harness.rest()
    assert harness.reconciler.forgotten == [A]
    assert harness.store.live(A)["status"]["size"] == 2


@virtual_time
async def test_a_lost_end_is_found_by_the_relist() -> None:
    harness = Harness(resync_seconds=600.0)
    harness.store.create("a")
    harness.store.create("b")
    async with harness:
        await harness.rest()
        harness.reconciler.forgotten.clear()
        harness.store.lose()
        harness.store.set_finalizers(A, [])
        harness.store.delete(A)
        await harness.rest(800.0)
        assert harness.reconciler.forgotten == [A]
        assert harness.controller.freshness.problem() is None


@virtual_time
async def test_a_lost_change_is_found_by_the_relist_and_shows_that_the_watch_is_deaf() -> None:
    harness = Harness(resync_seconds=600.0)
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.store.lose()
        harness.store.change(A, {"size": 8})
        await harness.rest(800.0)
        assert harness.store.live(A)["status"]["size"] == 8
        await harness.rest(300.0)
        assert "the watch has not told" in (harness.controller.freshness.problem() or "")


@virtual_time
async def test_a_relist_that_breaks_off_sweeps_nothing() -> None:
    broken = False

    async def break_off(request: Request, phase: str) -> None:
        if request.verb == "list" and phase == "after" and broken:
            raise Transient("410")

    harness = Harness(store=MemoryStore(page_size=1, on_request=break_off), resync_seconds=600.0)
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.reconciler.forgotten.clear()
        broken = True
        harness.store.lose()
        harness.store.set_finalizers(A, [])
        harness.store.delete(A)
        await harness.rest(2000.0)
        assert harness.reconciler.forgotten == []
        broken = False
        await harness.rest(800.0)
        assert harness.reconciler.forgotten == [A]


@virtual_time
async def test_relists_are_spread_by_a_quarter() -> None:
    harness = Harness(resync_seconds=1000.0)
    lists: list[float] = []

    async def note(request: Request, phase: str) -> None:
        if request.verb == "list" and phase == "before":
            lists.append(now())

    harness.store.on_request = note
    async with harness:
        await harness.rest(20_000.0)
    gaps = [later - earlier for earlier, later in itertools.pairwise(lists)]
    assert all(750.0 <= gap <= 1250.0 for gap in gaps)
    assert max(gaps) - min(gaps) > 100.0


@virtual_time
async def test_no_more_run_at_once_than_there_are_workers() -> None:
    async def slow(resource: Resource) -> Outcome:
        await asyncio.sleep(1.0)
        return await settle_widget(resource)

    harness = Harness(slow, workers=3)
    for number in range(10):
        harness.store.create(f"a{number}")
    async with harness:
        await harness.rest(60.0)
    assert harness.reconciler.most_at_once == 3


@virtual_time
async def test_stopping_finishes_what_runs_and_takes_nothing_new() -> None:
    async def slow(resource: Resource) -> Outcome:
        await asyncio.sleep(10.0)
        return await settle_widget(resource)

    harness = Harness(slow, workers=1)
    harness.store.create("a")
    harness.store.create("b")
    async with harness:
        await harness.rest(1.0)
        started = now()
        await harness.stop()
        assert now() - started == pytest.approx(9.0, abs=0.1)
    assert len(harness.reconciler.runs) == 1
    assert condition(harness, A)["status"] == "True"
    assert harness.reconciler.calls == ["start", "stop"]


@virtual_time
async def test_stopping_cuts_off_what_does_not_end_in_20_seconds() -> None:
    async def slow(_resource: Resource) -> Outcome:
        await asyncio.sleep(500.0)
        return Outcome()

    harness = Harness(slow)
    harness.store.create("a")
    async with harness:
        await harness.rest(1.0)
        started = now()
        await harness.stop()
        assert now() - started == pytest.approx(20.0, abs=0.1)
    assert harness.reconciler.calls == ["start", "stop"]


@virtual_time
async def test_metrics_have_the_names_that_dashboards_know() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        exposition = harness.metrics.exposition().decode()
    for name in (
        "workqueue_depth",
        "workqueue_adds_total",
        "workqueue_queue_duration_seconds_bucket",
        "workqueue_work_duration_seconds_bucket",
        "workqueue_unfinished_work_seconds",
        "workqueue_longest_running_processor_seconds",
        "workqueue_retries_total",
        "controller_runtime_reconcile_total",
        "controller_runtime_reconcile_errors_total",
        "controller_runtime_reconcile_time_seconds_bucket",
        "controller_runtime_terminal_reconcile_errors_total",
        "controller_runtime_max_concurrent_reconciles",
        "controller_runtime_active_workers",
        "pierhead_widget_condition",
        "pierhead_build_info",
        "process_resident_memory_bytes",
    ):
        assert f"\n{name}" in exposition, name
    assert harness.sample("pierhead_widget_condition", type="Ready", status="True") == 1.0
    assert harness.sample("controller_runtime_reconcile_total", controller="Widget", result="success") == 1.0
    assert harness.sample("controller_runtime_active_workers", controller="Widget") == 0.0
    assert 'name="a"' not in exposition
