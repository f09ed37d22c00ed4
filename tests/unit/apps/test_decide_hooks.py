"""What a release does next about its hooks and tests: one row a rule."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pierhead.apps.decide import decide
from pierhead.apps.history.release import Status
from pierhead.apps.hooks.progress import HookProgress, Phase, RevisionHooks, Verdict
from pierhead.apps.situation import Action, Decision, Health, Observation, Revision, State

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TIMEOUT = timedelta(minutes=5)
EVENTS = ("pre-install", "post-install", "pre-rollback", "test")
NAMES = {event: {0: "migrate"} for event in EVENTS}
RUNNING = Verdict(Phase.RUNNING, "1 active")
HEALTHY = Health("Current")
WAITS = Health("InProgress", "web: 0 of 1")


def at(event: str, **more: Any) -> HookProgress:
    return HookProgress(event, (0,), more.pop("since", NOW), **more)


def done(event: str, **more: Any) -> HookProgress:
    return at(event, position=1, done=True, **more)


def failed(event: str) -> HookProgress:
    return at(event, failure="Job migrate failed: BackoffLimitExceeded", done=True)


def seen(status: Status, progress: HookProgress | None, *, earlier: bool = False, **more: Any) -> Observation:
    latest = Revision(
        2 if earlier else 1,
        status,
        more.pop("begun_at", NOW),
        more.pop("digest", "new"),
        rolls_back=more.pop("rolls_back", None),
        rejected=more.pop("rejected", False),
        hooks=RevisionHooks(NAMES, progress),
    )
    before = (Revision(1, Status.SUPERSEDED, NOW, "old"),) if earlier else ()
    given: dict[str, Any] = {
        "desired": "new",
        "history": (*before, latest),
        "applied": False,
        "health": HEALTHY,
        "drift": (),
        "now": NOW,
        "timeout": TIMEOUT,
    }
    return Observation(**{**given, **more})


INSTALL, DEPLOYED = Status.PENDING_INSTALL, Status.DEPLOYED
TESTED: dict[str, Any] = {"tests": ("migrate",)}

ROWS: dict[str, tuple[Observation, State, Action]] = {
    "hooks come before the objects": (seen(INSTALL, None), State.PROGRESSING, Action.HOOKS),
    "a hook nobody has looked at": (seen(INSTALL, at("pre-install")), State.PROGRESSING, Action.HOOKS),
    "a hook that runs": (
        seen(INSTALL, at("pre-install"), hook=RUNNING),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "a hook that ended": (
        seen(INSTALL, at("pre-install"), hook=Verdict(Phase.SUCCEEDED)),
        State.PROGRESSING,
        Action.HOOKS,
    ),
    "a hook that had its time": (
        seen(INSTALL, at("pre-install", since=NOW - TIMEOUT), hook=RUNNING),
        State.PROGRESSING,
        Action.HOOKS,
    ),
    "a hook that failed": (seen(INSTALL, failed("pre-install")), State.PROGRESSING, Action.FAIL),
    "all hooks before the objects succeeded": (
        seen(INSTALL, done("pre-install")),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "objects have their whole time after long hooks": (
        seen(INSTALL, done("pre-install"), begun_at=NOW - timedelta(hours=1)),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "hooks that follow wait for health": (
        seen(INSTALL, done("pre-install"), applied=True, health=WAITS),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "healthy, so the hooks that follow run": (
        seen(INSTALL, done("pre-install"), applied=True),
        State.PROGRESSING,
        Action.HOOKS,
    ),
    "hooks that follow go on whatever becomes of health": (
        seen(INSTALL, at("post-install"), applied=True, health=Health("Failed", "crashed"), hook=RUNNING),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "the objects are applied again by another process, and not the hooks before them": (
        seen(INSTALL, at("post-install")),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "a hook that follows failed": (
        seen(INSTALL, failed("post-install"), applied=True),
        State.PROGRESSING,
        Action.FAIL,
    ),
    "all hooks that follow succeeded": (
        seen(INSTALL, done("post-install"), applied=True),
        State.PROGRESSING,
        Action.FINISH,
    ),
    "a newer input pre-empts a hook": (
        seen(INSTALL, at("pre-install"), digest="old", hook=RUNNING),
        State.OUT_OF_SYNC,
        Action.ABANDON,
    ),
    "a rollback has its own hooks": (
        seen(
            Status.PENDING_ROLLBACK,
            None,
            history=(
                Revision(1, Status.DEPLOYED, NOW, "old"),
                Revision(2, Status.FAILED, NOW, "new", rejected=True),
                Revision(
                    3, Status.PENDING_ROLLBACK, NOW, "old", rolls_back=1, hooks=RevisionHooks(NAMES, None)
                ),
            ),
        ),
        State.PROGRESSING,
        Action.HOOKS,
    ),
    "an install whose hook failed is no healthy one": (
        seen(Status.FAILED, failed("post-install"), rejected=True),
        State.FAILED,
        Action.NOTHING,
    ),
    "an install whose last hooks never ran is no healthy one": (
        seen(Status.FAILED, None, rejected=True),
        State.FAILED,
        Action.NOTHING,
    ),
    "tests that nobody asked for": (seen(DEPLOYED, None), State.IN_SYNC, Action.NOTHING),
    "deployed and not yet tested": (seen(DEPLOYED, None, **TESTED), State.UNTESTED, Action.HOOKS),
    "deployed, and a test runs": (
        seen(DEPLOYED, at("test"), hook=RUNNING, **TESTED),
        State.UNTESTED,
        Action.WAIT,
    ),
    "deployed and tested": (seen(DEPLOYED, done("test"), **TESTED), State.IN_SYNC, Action.NOTHING),
    "deployed, and a test failed": (
        seen(DEPLOYED, failed("test"), **TESTED),
        State.UNTESTED,
        Action.FAIL,
    ),
    "deployed, and a test failed that does not matter": (
        seen(DEPLOYED, failed("test"), ignore_test_failures=True, **TESTED),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "tests are not begun for what is replaced": (
        seen(DEPLOYED, None, digest="old", **TESTED),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "a failed test is rolled back": (
        seen(Status.FAILED, failed("test"), earlier=True, rejected=True, **TESTED),
        State.FAILED,
        Action.ROLL_BACK,
    ),
}


@pytest.mark.parametrize(("observed", "state", "action"), ROWS.values(), ids=ROWS)
def test_the_next_thing_about_hooks(observed, state, action):
    decision = decide(observed)
    assert (decision.state, decision.action) == (state, action)


def reason(observed: Observation) -> Decision:
    return decide(observed)


def test_a_failed_hook_is_told():
    told = reason(seen(INSTALL, failed("pre-install")))
    assert told.reason == "HookFailed"
    assert told.message == "pre-install hook Job migrate failed: BackoffLimitExceeded"


def test_the_wait_for_a_hook_ends_with_its_time():
    told = reason(seen(INSTALL, at("pre-install"), hook=RUNNING))
    assert told.deadline == NOW + TIMEOUT
    assert told.message == "revision 1: pre-install hook migrate: 1 active"


def test_without_hooks_of_the_event_nothing_is_asked():
    plain = seen(INSTALL, None)
    latest = replace(plain.history[-1], hooks=RevisionHooks({"test": {0: "check"}}))
    assert decide(replace(plain, history=(latest,))).action is Action.APPLY
