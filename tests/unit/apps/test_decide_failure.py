"""Retries, trials, orders to roll back, and what takes a failed install away: one row a rule."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.decide import begins, decide
from pierhead.apps.history.release import Status
from pierhead.apps.situation import Action, Gate, Retry, State, order_of
from support.decisions import FAILED, NOW, PROGRESS, ago, revision, seen

ORDER = "1@2026-11-23T11:59:00Z"
TWICE = Retry(2, timedelta(minutes=10))
CLOSED = (Gate(State.PENDING, "WindowClosed", "opens at 06:00", NOW + timedelta(hours=1)),)
OLD = revision(1, Status.SUPERSEDED, "old")


def failed(number: int, minutes: float = 5, **more):
    return revision(
        number, Status.FAILED, more.pop("digest", "new"), rejected=True, failed_at=ago(minutes), **more
    )


def baking(minutes: float, digest: str = "new"):
    return revision(2, Status.DEPLOYED, digest, baking_since=ago(minutes))


def on_trial(minutes: float, **more):
    return seen(OLD, baking(minutes), **{"bake": timedelta(minutes=30), **more})


def ordered(*history, **more):
    return seen(*history, **{"order": ORDER, **more})


STANDING_IN = (
    revision(1, Status.SUPERSEDED, "old"),
    revision(2, Status.SUPERSEDED, "new"),
    revision(3, Status.DEPLOYED, "old", rolls_back=1, order=ORDER, instead_of="new"),
)

TABLE = {
    "failed, and a retry is not due": (seen(OLD, failed(2), retry=TWICE), State.FAILED, Action.WAIT),
    "failed, and a retry is due": (seen(OLD, failed(2, 12), retry=TWICE), State.OUT_OF_SYNC, Action.UPGRADE),
    "the second retry is due": (
        seen(OLD, failed(2, 40), failed(3, 12), retry=TWICE),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "all retries failed": (
        seen(OLD, failed(2, 40), failed(3, 20), failed(4), retry=TWICE),
        State.FAILED,
        Action.ROLL_BACK,
    ),
    "failures of another input are not this one's": (
        seen(OLD, failed(2, 40, digest="other"), failed(3, 20, digest="other"), failed(4), retry=TWICE),
        State.FAILED,
        Action.WAIT,
    ),
    "failures before it was forced do not count": (
        seen(OLD, failed(2), failed(3), failed(4), retry=TWICE, reconcile_at="again"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "another input waits for no retry": (
        seen(OLD, failed(2), retry=TWICE, desired="newer"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "rolled back, and then given another try": (
        seen(OLD, failed(2, 12), revision(3, Status.DEPLOYED, "old", rolls_back=1), retry=TWICE),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "rolled back, and then given another try that is not due": (
        seen(OLD, failed(2), revision(3, Status.DEPLOYED, "old", rolls_back=1), retry=TWICE),
        State.FAILED,
        Action.WAIT,
    ),
    "a retry behind a gate is rolled back meanwhile": (
        seen(OLD, failed(2, 12), retry=TWICE, gates=CLOSED),
        State.FAILED,
        Action.ROLL_BACK,
    ),
    "what a closed gate leaves half done is brought to its end": (
        seen(OLD, revision(2, Status.PENDING_UPGRADE, "older"), gates=CLOSED, health=PROGRESS),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "an install that failed is taken away": (
        seen(failed(1), uninstall_on_failure=True),
        State.FAILED,
        Action.REMOVE,
    ),
    "an install that failed is taken away when its retries are spent": (
        seen(failed(1, 12), uninstall_on_failure=True, retry=TWICE),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "an install that was taken away": (
        seen(failed(1, removed=True), uninstall_on_failure=True, drift=None),
        State.FAILED,
        Action.NOTHING,
    ),
    "an upgrade is never taken away": (
        seen(OLD, failed(2), uninstall_on_failure=True),
        State.FAILED,
        Action.ROLL_BACK,
    ),
    "a hindered apply has all the time": (
        seen(revision(1, Status.PENDING_INSTALL, at=ago(60)), applied=False, hindered=True),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "on trial": (on_trial(10), State.BAKING, Action.WAIT),
    "on trial and not healthy": (on_trial(10, health=PROGRESS), State.BAKING, Action.WAIT),
    "on trial and failed": (on_trial(10, health=FAILED), State.BAKING, Action.FAIL),
    "on trial and drifted": (on_trial(10, drift=("Service shop",)), State.DRIFTED, Action.CORRECT),
    "on trial and not compared": (on_trial(10, drift=None), State.IN_SYNC, Action.VERIFY),
    "the trial is over": (on_trial(31), State.BAKING, Action.BAKED),
    "the trial is over, but not well": (on_trial(31, health=PROGRESS), State.BAKING, Action.WAIT),
    "the trial is over, and it does not get well": (on_trial(36, health=PROGRESS), State.BAKING, Action.FAIL),
    "the trial ended while the operator was down": (
        on_trial(600, health=PROGRESS, begun=ago(1)),
        State.BAKING,
        Action.WAIT,
    ),
    "no trial is asked for any more": (on_trial(1, bake=timedelta()), State.BAKING, Action.BAKED),
    "a newer input ends a trial at once": (on_trial(10, desired="newer"), State.OUT_OF_SYNC, Action.UPGRADE),
    "a trial goes on behind a gate": (
        on_trial(10, desired="newer", gates=CLOSED, health=FAILED),
        State.BAKING,
        Action.FAIL,
    ),
    "what failed on trial is rolled back": (seen(OLD, failed(2)), State.FAILED, Action.ROLL_BACK),
    "a rollback is ordered": (
        ordered(OLD, revision(2, Status.DEPLOYED)),
        State.OUT_OF_SYNC,
        Action.ROLL_BACK,
    ),
    "a rollback is ordered during a wait": (
        ordered(revision(1, Status.DEPLOYED, "old"), revision(2, Status.PENDING_UPGRADE), health=PROGRESS),
        State.OUT_OF_SYNC,
        Action.ABANDON,
    ),
    "an order knows no gates": (
        ordered(OLD, revision(2, Status.DEPLOYED), gates=CLOSED),
        State.OUT_OF_SYNC,
        Action.ROLL_BACK,
    ),
    "an order names what is not there": (
        ordered(revision(2, Status.DEPLOYED)),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "an order was refused by the cluster": (
        ordered(OLD, revision(2, Status.DEPLOYED), order_refused="spec.selector: field is immutable"),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "no order at all": (
        ordered(OLD, revision(2, Status.DEPLOYED), order="yesterday"),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "an ordered rollback is under way": (
        ordered(
            *STANDING_IN[:2],
            revision(3, Status.PENDING_ROLLBACK, "old", rolls_back=1, order=ORDER, instead_of="new"),
            health=PROGRESS,
        ),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "an order was carried out": (ordered(*STANDING_IN), State.IN_SYNC, Action.NOTHING),
    "an order was carried out, and its objects drift": (
        ordered(*STANDING_IN, drift=("Service shop",)),
        State.DRIFTED,
        Action.CORRECT,
    ),
    "an order was carried out, and the annotation taken away": (
        seen(*STANDING_IN),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "an order was carried out, and the input changed": (
        ordered(*STANDING_IN, desired="newer"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "an order was carried out, and lifted by force": (
        ordered(*STANDING_IN, reconcile_at="now"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "another order": (
        ordered(*STANDING_IN, order="2@2026-11-23T12:00:00Z"),
        State.OUT_OF_SYNC,
        Action.ROLL_BACK,
    ),
    "an ordered rollback failed": (
        ordered(
            *STANDING_IN[:2],
            revision(3, Status.FAILED, "old", rolls_back=1, order=ORDER, instead_of="new"),
            health=FAILED,
        ),
        State.FAILED,
        Action.NOTHING,
    ),
    "a later revision remembers the order": (
        ordered(*STANDING_IN, revision(4, Status.DEPLOYED, "newer", order=ORDER), desired="newer"),
        State.IN_SYNC,
        Action.NOTHING,
    ),
}


@pytest.mark.parametrize(("observation", "state", "action"), TABLE.values(), ids=TABLE)
def test_decides(observation, state, action):
    decision = decide(observation)
    assert (decision.state, decision.action) == (state, action)


def test_a_wait_for_a_retry_says_which_and_why_and_ends_in_time() -> None:
    decision = decide(seen(OLD, failed(2, description="Upgrade failed: no image"), retry=TWICE))
    assert "retry 1 of 2" in decision.message
    assert "no image" in decision.message
    assert decision.deadline is not None
    assert ago(-5) <= decision.deadline <= ago(-6.1)


def test_an_order_is_handed_on_with_its_target() -> None:
    decision = decide(ordered(OLD, revision(2, Status.DEPLOYED)))
    assert (decision.target, decision.order) == (1, ORDER)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        (ORDER, 1),
        ("12@x", 12),
        ("", None),
        ("3", None),
        ("x@y", None),
        ("-1@y", None),
        ("9" * 10 + "@y", None),
    ],
)
def test_an_order_names_a_revision_and_a_time(text: str, target: int | None) -> None:
    assert order_of(text) == target


def test_gates_matter_where_something_new_begins() -> None:
    assert begins(decide(seen()))
    assert begins(decide(seen(revision(1, Status.PENDING_INSTALL, "older"))))
    assert not begins(decide(seen(revision(1, Status.DEPLOYED))))


@given(st.integers(1, 500), st.text(max_size=8), st.integers(0, 3600))
def test_a_retry_is_never_early_and_a_tenth_late_at_most(number: int, digest: str, length: int) -> None:
    retry, tried = Retry(1, timedelta(seconds=length)), failed(number, digest=digest)
    assert tried.failed_at is not None
    late = retry.after(tried) - tried.failed_at
    assert timedelta(seconds=length) <= late <= timedelta(seconds=length * 1.1)
