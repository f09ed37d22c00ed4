"""How a reconcile ends: what is shown, when the key comes back, and what never gets out."""

import asyncio
import itertools
from typing import Any

import pytest

from pierhead.engine.conditions import ready
from pierhead.engine.outcome import Conflict, Invalid, Outcome, Throttled, Transient, Waiting
from pierhead.engine.resource import ObjectKey, Resource
from support.memory_store import MemoryStore, Request
from support.virtual_time import now, settle, virtual_time
from support.widgets import Harness, settle_widget

A = ObjectKey("team", "a")
SECRET = "hunter2"


def condition(harness: Harness, key: ObjectKey, kind: str = "Ready") -> Any:
    conditions = harness.store.live(key).get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == kind), None)


@pytest.mark.parametrize(("after", "earliest", "latest"), [(20.0, 20.0, 20.0), (100.0, 90.0, 110.0)])
def test_a_deadline_wakes_the_key_with_jitter_only_when_long(
    after: float, earliest: float, latest: float
) -> None:
    @virtual_time
    async def body() -> None:
        async def due(_resource: Resource) -> Outcome:
            return Outcome(requeue_after=after)

        harness = Harness(due)
        harness.store.create("a")
        async with harness:
            await harness.rest(after * 5.5)
        runs = harness.reconciler.runs_of(A)
        gaps = [later - earlier for earlier, later in itertools.pairwise(runs)]
        assert len(gaps) >= 4
        assert all(earliest - 0.01 <= gap <= latest + 0.01 for gap in gaps)
        assert len({round(gap, 3) for gap in gaps}) == (1 if earliest == latest else len(gaps))

    body()


@virtual_time
async def test_an_event_takes_the_old_deadline_with_it() -> None:
    async def due(_resource: Resource) -> Outcome:
        return Outcome(requeue_after=20.0)

    harness = Harness(due)
    harness.store.create("a")
    async with harness:
        await harness.rest(15.0)
        harness.controller.wake(A)
        await harness.rest(15.0)
    assert harness.reconciler.runs_of(A) == pytest.approx([0.0, 15.0], abs=0.1)


@virtual_time
async def test_what_passes_is_retried_with_a_growing_delay_and_success_ends_it() -> None:
    failing = True

    async def flaky(resource: Resource) -> Outcome:
        if failing:
            raise Transient("down")
        return await settle_widget(resource)

    harness = Harness(flaky, resync_seconds=1e6)
    harness.store.create("a")
    async with harness:
        await harness.rest(3600.0)
        runs = harness.reconciler.runs_of(A)
        gaps = [later - earlier for earlier, later in itertools.pairwise(runs)]
        assert gaps[0] <= 1.0
        assert all(150.0 <= gap <= 300.0 for gap in gaps[-5:])
        assert len(harness.store.writes) == 1
        failing = False
        harness.controller.wake(A)
        await harness.rest()
        failing = True
        before = len(harness.reconciler.runs)
        harness.controller.wake(A)
        await harness.rest(2.0)
        assert len(harness.reconciler.runs) > before + 1


@virtual_time
async def test_a_new_wish_does_not_wait_out_the_old_ones_backoff() -> None:
    async def flaky(resource: Resource) -> Outcome:
        raise Transient("down")

    harness = Harness(flaky)
    harness.store.create("a")
    async with harness:
        await harness.rest(3600.0)
        before = len(harness.reconciler.runs)
        harness.store.change(A, {"size": 1})
        await harness.rest(1.5)
        assert len(harness.reconciler.runs) >= before + 2


@virtual_time
async def test_a_terminal_failure_comes_back_only_with_the_resync_or_a_wake() -> None:
    async def refuse(_resource: Resource) -> Outcome:
        raise Invalid("no such secret", field="spec.secret", reason="SecretNotFound")

    harness = Harness(refuse, resync_seconds=1000.0)
    harness.store.create("a")
    async with harness:
        await harness.rest(700.0)
        assert len(harness.reconciler.runs) == 1
        assert condition(harness, A, "Stalled")["message"] == "spec.secret: no such secret"
        harness.controller.wake(A)
        await harness.rest(1.0)
        assert len(harness.reconciler.runs) == 2
        await harness.rest(600.0)
        assert len(harness.reconciler.runs) == 3
    assert len(harness.store.writes) == 1
    assert harness.events.said == [("a", "Warning", "SecretNotFound", "spec.secret: no such secret")]
    assert harness.sample("controller_runtime_terminal_reconcile_errors_total", controller="Widget") == 3.0


@virtual_time
async def test_throttling_waits_what_was_asked_and_does_not_grow() -> None:
    async def throttle(_resource: Resource) -> Outcome:
        raise Throttled("less, please", after=10.0)

    harness = Harness(throttle)
    harness.store.create("a")
    async with harness:
        await harness.rest(200.0)
    runs = harness.reconciler.runs_of(A)
    gaps = [later - earlier for earlier, later in itertools.pairwise(runs)]
    assert all(10.0 <= gap <= 12.5 for gap in gaps)


@virtual_time
async def test_waiting_without_a_deadline_waits_for_an_event() -> None:
    async def wait(_resource: Resource) -> Outcome:
        raise Waiting("no capacity", reason="NoCapacity")

    harness = Harness(wait)
    harness.store.create("a")
    async with harness:
        await harness.rest(500.0)
        assert len(harness.reconciler.runs) == 1
        assert condition(harness, A)["status"] == "Unknown"
        assert harness.reconciler.wake is not None
        harness.reconciler.wake(A)
        await harness.rest(1.0)
        assert len(harness.reconciler.runs) == 2
    assert harness.events.said == []


@virtual_time
async def test_a_stale_object_is_read_afresh_and_tried_again_at_once() -> None:
    harness = Harness()
    harness.store.create("a")
    async with harness:
        await harness.rest()
        harness.store.hold()
        harness.store.change(A, {"size": 4})
        harness.controller.wake(A)

        async def show(resource: Resource) -> Outcome:
            return Outcome(
                status={"size": resource.spec.get("size", 0), "looks": 1}, conditions=(ready("Settled"),)
            )

        harness.reconciler.behaviour = show
        started = now()
        await settle()
        assert harness.store.live(A)["status"]["size"] == 4
        assert now() == started
    assert [request.verb for request in harness.store.requests][-3:] == [
        "replace_status",
        "get",
        "replace_status",
    ]


@virtual_time
async def test_conflicts_without_end_are_slowed_down_and_never_shown() -> None:
    async def conflict(_resource: Resource) -> Outcome:
        raise Conflict("moved on")

    harness = Harness(conflict)
    harness.store.create("a")
    async with harness:
        await harness.rest(60.0)
    assert 5 <= len(harness.reconciler.runs) <= 15
    assert harness.store.writes == []


@virtual_time
async def test_an_object_that_went_away_during_its_reconcile_is_forgotten() -> None:
    harness = Harness()
    harness.store.create("a")

    async def vanish(resource: Resource) -> Outcome:
        harness.store.hold()
        harness.store.delete(A)
        return Outcome(status={"size": 1})

    harness.reconciler.behaviour = vanish
    async with harness:
        await harness.rest()
        assert len(harness.reconciler.runs) == 1
        assert harness.reconciler.forgotten[-1] == A
        harness.store.release()
        await harness.rest()
        assert len(harness.reconciler.runs) == 1


@virtual_time
async def test_a_bug_shows_its_class_only_backs_off_and_leaves_the_others_alone(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    async def bug(resource: Resource) -> Outcome:
        if resource.key == A:
            raise ValueError(SECRET) from KeyError(SECRET)
        return await settle_widget(resource)

    harness = Harness(bug)
    harness.store.create("a")
    harness.store.create("b")
    async with harness:
        await harness.rest(60.0)
    assert condition(harness, A)["reason"] == "InternalError"
    assert condition(harness, ObjectKey("team", "b"))["status"] == "True"
    assert 5 <= len(harness.reconciler.runs_of(A)) <= 10
    assert [said[1:3] for said in harness.events.said] == [("Warning", "InternalError")]
    assert harness.sample("controller_runtime_reconcile_panics_total", controller="Widget") >= 5
    logged = capsys.readouterr().out + caplog.text
    assert "ValueError <- KeyError" in logged
    assert SECRET not in logged + str(harness.store.live(A)) + str(harness.events.said)


@virtual_time
async def test_a_status_that_cannot_be_written_is_tried_again() -> None:
    down = True

    async def refuse(request: Request, phase: str) -> None:
        if request.verb == "replace_status" and phase == "before" and down:
            raise Invalid("status.size: must be a number")

    harness = Harness(store=MemoryStore(on_request=refuse))
    harness.store.create("a")
    async with harness:
        await harness.rest(5.0)
        assert len(harness.reconciler.runs) >= 2
        down = False
        await harness.rest(60.0)
    assert condition(harness, A)["status"] == "True"


@virtual_time
async def test_a_worker_survives_a_wait_that_somebody_else_cancelled() -> None:
    async def interrupted(resource: Resource) -> Outcome:
        shared: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        shared.cancel()
        await shared
        return Outcome()

    harness = Harness(interrupted, workers=1)
    harness.store.create("a")
    async with harness:
        await harness.rest()
        assert len(harness.reconciler.runs) >= 2
        assert condition(harness, A)["reason"] == "Interrupted"


@virtual_time
async def test_a_reconcile_that_hangs_is_cut_off_and_said_so() -> None:
    async def hang(_resource: Resource) -> Outcome:
        await asyncio.sleep(1e6)
        return Outcome()

    harness = Harness(hang)
    harness.store.create("a")
    async with harness:
        await harness.rest(950.0)
    assert condition(harness, A)["reason"] == "ReconcileTimeout"


@virtual_time
async def test_failing_objects_do_not_delay_healthy_ones() -> None:
    async def half(resource: Resource) -> Outcome:
        await asyncio.sleep(0.05)
        if resource.spec["bad"]:
            raise Transient("down")
        return await settle_widget(resource)

    harness = Harness(half, workers=8)
    for number in range(400):
        harness.store.create(f"a{number}", spec={"bad": number % 2})
    async with harness:
        await harness.rest(10.0)
        probes = [ObjectKey("team", f"a{number}") for number in range(0, 40, 2)]
        started = now()
        for key in probes:
            harness.controller.wake(key)
        await harness.rest(5.0)
        delays = [harness.reconciler.runs_of(key)[-1] - started for key in probes]
    assert max(delays) < 1.0
