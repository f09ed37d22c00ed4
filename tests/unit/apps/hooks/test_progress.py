"""The order of hooks, what an event asks for next, and what their delete policies leave."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.hooks import progress as hooks
from pierhead.apps.hooks.progress import HookProgress, Phase, RevisionHooks, Turn, Verdict, verdict_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
RUNNING = Verdict(Phase.RUNNING, "1 active")


def stored(name: str, *events: str, weight: int = 0, kind: str = "Job", **policies: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kind": kind,
        "manifest": policies.pop("manifest", ""),
        "events": list(events),
        "weight": weight,
        "last_run": hooks.never_run(),
        "delete_policies": list(policies.get("delete", ())),
        "output_log_policies": [],
    }


def names(found: list[hooks.Hook]) -> list[str]:
    return [hook.name for hook in found]


def test_hooks_are_ordered_by_weight_then_name():
    given_hooks = [
        stored("b", "pre-install"),
        stored("a", "pre-install", weight=1),
        stored("c", "post-install"),
        stored("a", "pre-install", "post-install"),
        stored("z", "pre-install", weight=-1),
    ]
    assert hooks.ordered(given_hooks, "pre-install") == (4, 3, 0, 1)
    assert hooks.ordered(given_hooks, "post-install") == (3, 2)
    assert hooks.ordered(given_hooks, "test") == ()


def test_a_hook_written_by_helm_without_its_defaults_is_read():
    hook = hooks.Hook.of({"name": "a", "events": ["test"]})
    assert hook.deleted_by(hooks.BEFORE_CREATION)
    assert not hook.deleted_by(hooks.ON_SUCCESS)


@pytest.mark.parametrize(
    "damaged",
    [
        ["text"],
        [{}],
        [{"name": 1}],
        [{"name": "a", "events": "test"}],
        [{"name": "a", "weight": "heavy"}],
        [{"name": "a", "last_run": [1]}],
        [{"name": "a", "delete_policies": [1]}],
        {"name": "a"},
    ],
)
def test_what_helm_never_wrote_is_refused(damaged):
    with pytest.raises((TypeError, LookupError, AttributeError)):
        hooks.check(damaged)


@given(count=st.integers(0, 5), fails_at=st.integers(0, 6))
def test_every_hook_runs_once_and_none_after_one_that_failed(count: int, fails_at: int):
    kept: Any = [stored(f"h{place}", "test") for place in range(count)]
    kept, progress = hooks.begun(kept, "test", NOW)
    ran = []
    while not progress.ended:
        ran.append(progress.present)
        failure = "broken" if progress.position == fails_at else ""
        kept, progress = hooks.ended(kept, progress, NOW, failure)
    assert ran == list(range(min(count, fails_at + 1)))
    assert progress.done
    phases = [hook["last_run"]["phase"] for hook in kept]
    failed = min(count, fails_at)
    after = [] if fails_at >= count else ["Failed", *[""] * (count - failed - 1)]
    assert phases == ["Succeeded"] * failed + after
    assert bool(progress.failure) == (fails_at < count)


def test_only_those_named_are_run():
    kept, progress = hooks.begun([stored(name, "test") for name in "abc"], "test", NOW, only=["c", "a"])
    assert progress.hooks == (0, 2)
    assert [hook["last_run"]["phase"] for hook in kept] == ["Running", "", ""]


@pytest.mark.parametrize(
    ("include", "exclude", "left"),
    [((), (), "abc"), ("b", (), "b"), ((), "b", "ac"), ("ab", "b", "a"), ("x", (), "")],
)
def test_filters_of_tests(include, exclude, left):
    assert hooks.selected("abc", include, exclude) == tuple(left)


def test_what_is_left_over_after_success_goes_in_reverse():
    kept = [
        stored("a", "test", delete=["hook-succeeded"]),
        stored("b", "test", delete=["before-hook-creation"]),
        stored("c", "test", delete=["hook-succeeded", "hook-failed"]),
        stored("crd", "test", kind="CustomResourceDefinition", delete=["hook-succeeded"]),
        stored("d", "test", manifest="ttlSecondsAfterFinished: 5"),
    ]
    progress = HookProgress("test", (0, 1, 2, 3, 4), NOW, position=5)
    assert names(hooks.leftovers(kept, progress)) == ["d", "c", "a"]


def test_what_is_left_over_after_a_failure():
    kept = [
        stored("a", "test", delete=["hook-succeeded"]),
        stored("b", "test", delete=["hook-failed"]),
        stored("c", "test", delete=["hook-succeeded"]),
    ]
    assert names(hooks.leftovers(kept, HookProgress("test", (0, 1, 2), NOW, 1, "broken"))) == ["b", "a"]
    assert names(hooks.leftovers(kept, HookProgress("test", (0, 1, 2), NOW, 2, "broken"))) == ["a"]


def test_an_event_is_not_done_before_its_leftovers_are():
    kept, progress = hooks.begun([stored("a", "test", delete=["hook-succeeded"])], "test", NOW)
    _, progress = hooks.ended(kept, progress, NOW)
    assert progress.ended
    assert not progress.done


HELD = {"pre-install": {0: "a", 1: "b"}}


def progress(**more: Any) -> HookProgress:
    return HookProgress("pre-install", (0, 1), NOW, **more)


@pytest.mark.parametrize(
    ("held", "live", "later", "turn"),
    [
        (None, None, 0, None),
        (RevisionHooks({"test": {0: "a"}}), None, 0, None),
        (RevisionHooks(HELD), None, 0, Turn.GO_ON),
        (RevisionHooks(HELD, HookProgress("post-install", (), NOW)), None, 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress()), None, 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress()), RUNNING, 0, Turn.WAIT),
        (RevisionHooks(HELD, progress()), Verdict(Phase.RUNNING, watched=False), 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress()), Verdict(Phase.SUCCEEDED), 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress()), Verdict(Phase.FAILED), 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress()), RUNNING, 300, Turn.GO_ON),
        (RevisionHooks(HELD, progress(failure="no")), None, 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress(failure="no", done=True)), None, 0, Turn.FAIL),
        (RevisionHooks(HELD, progress(position=2)), None, 0, Turn.GO_ON),
        (RevisionHooks(HELD, progress(position=2, done=True)), None, 0, None),
    ],
)
def test_what_an_event_asks_for(held, live, later, turn):
    now = NOW + timedelta(seconds=later)
    step = hooks.next_step(held, "pre-install", live, now, timeout=TIMEOUT, since=None)
    assert (step.turn if step else None) == turn


def test_time_that_the_operator_was_down_is_not_the_hooks():
    held = RevisionHooks(HELD, progress())
    since = NOW + timedelta(hours=1)
    step = hooks.next_step(held, "pre-install", RUNNING, since, timeout=TIMEOUT, since=since)
    assert step is not None
    assert (step.turn, step.until) == (Turn.WAIT, since + TIMEOUT)


def test_each_run_of_a_hook_has_a_mark_of_its_own():
    marks = {
        hooks.token(revision, HookProgress(event, (0, 1), at, position))
        for revision in (1, 2)
        for event in ("pre-install", "post-install")
        for at in (NOW, NOW + timedelta(microseconds=1))
        for position in (0, 1)
    }
    assert len(marks) == 16


def job(**status: Any) -> dict[str, Any]:
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "status": status}


def pod(**status: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "status": status}


def said(kind: str, **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True", **more}]}


EXITED = {"name": "c", "state": {"terminated": {"exitCode": 3}}}
PULLING = {"name": "c", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}


@pytest.mark.parametrize(
    ("obj", "phase", "message"),
    [
        (job(), Phase.RUNNING, "0 active"),
        (job(active=1, failed=2), Phase.RUNNING, "1 active, 2 failed"),
        (job(**said("SuccessCriteriaMet")), Phase.RUNNING, "0 active"),
        (job(**said("Suspended")), Phase.RUNNING, "0 active"),
        (job(**said("Complete")), Phase.SUCCEEDED, ""),
        (job(**said("Failed", reason="R", message="m")), Phase.FAILED, "R: m"),
        (pod(), Phase.RUNNING, "phase Pending"),
        (pod(phase="Running", **said("Ready")), Phase.RUNNING, "phase Running"),
        (pod(phase="Pending", containerStatuses=[PULLING]), Phase.RUNNING, "c: no such image"),
        (pod(phase="Succeeded"), Phase.SUCCEEDED, ""),
        (pod(phase="Failed", containerStatuses=[EXITED]), Phase.FAILED, "container c exited with 3"),
        (pod(phase="Failed", reason="Evicted"), Phase.FAILED, "Evicted"),
        ({**job(), "apiVersion": "pierhead.dev/v1alpha1", "kind": "BatchJob"}, Phase.RUNNING, "0 active"),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, Phase.SUCCEEDED, ""),
        ({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}}, Phase.SUCCEEDED, ""),
    ],
)
def test_how_a_hook_fares(obj, phase, message):
    assert verdict_of(obj) == Verdict(phase, message)
    dying = {**obj, "metadata": {"deletionTimestamp": "2026-11-23T12:00:00Z"}}
    assert verdict_of(dying).phase is phase
