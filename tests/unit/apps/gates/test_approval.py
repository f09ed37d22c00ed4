"""Plans and their approval: what asks for a new one, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from pierhead.apps.decide import decide
from pierhead.apps.gates.approval import APPROVE, approval_gate, live_digest, plan_digest, plan_status
from pierhead.apps.history.release import Status
from pierhead.apps.situation import Action, Gate, Health, Observation, Revision, State
from pierhead.kube.inventory import Entry

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
WEB = Entry("apps", "Deployment", "shop", "web", "v1")


def revision(number: int, status: Status, digest: str | None = "old", **more) -> Revision:
    return Revision(number, status, NOW - timedelta(minutes=1), digest, **more)


def seen(*history: Revision, desired: str = "new", **more) -> Observation:
    return Observation(
        desired=desired,
        history=history,
        applied=True,
        health=Health("Current"),
        drift=(),
        now=NOW,
        timeout=timedelta(minutes=5),
        **more,
    )


DEPLOYED = revision(1, Status.DEPLOYED)
COUNTS = {"creates": 1, "updates": 2, "deletes": 0}


def plan_of(observation: Observation, live: str = "", made_at: datetime = NOW) -> dict:
    return plan_status(
        COUNTS, input_digest=observation.desired, history=observation.history, made_at=made_at, live=live
    )


def test_an_input_without_a_plan_gets_one():
    gate = approval_gate(seen(DEPLOYED), {}, None, live="")

    assert gate is not None
    assert (gate.state, gate.action) == (State.AWAITING_APPROVAL, Action.PLAN)


def test_a_plan_waits_and_says_for_what():
    observation = seen(DEPLOYED)
    gate = approval_gate(observation, {}, plan_of(observation), live="")

    assert gate is not None
    assert (gate.reason, gate.action, gate.deadline) == ("AwaitingApproval", Action.WAIT, None)
    assert plan_digest("new", 1) in gate.message
    assert "1 to create, 2 to update" in gate.message


def test_an_approval_opens():
    assert approval_gate(seen(DEPLOYED), {APPROVE: plan_digest("new", 1)}, None, live="") is None


@pytest.mark.parametrize(
    "observation",
    [
        seen(DEPLOYED, desired="newer"),
        seen(revision(2, Status.DEPLOYED)),
        seen(revision(1, Status.SUPERSEDED), revision(2, Status.DEPLOYED, None)),
        seen(),
    ],
)
def test_an_approval_of_another_plan_does_not(observation):
    gate = approval_gate(observation, {APPROVE: plan_digest("new", 1)}, plan_of(seen(DEPLOYED)), live="")

    assert gate is not None
    assert gate.action is Action.PLAN


def test_an_approval_outlives_an_attempt_that_was_abandoned():
    history = (DEPLOYED, revision(2, Status.FAILED, "new"))

    assert approval_gate(seen(*history), {APPROVE: plan_digest("new", 1)}, None, live="") is None


def test_a_stale_annotation_is_told():
    observation = seen(DEPLOYED)
    gate = approval_gate(observation, {APPROVE: "something"}, plan_of(observation), live="")

    assert gate is not None
    assert "about another plan" in gate.message


def test_a_moved_cluster_asks_for_a_plan_but_not_at_once():
    observation = seen(DEPLOYED)
    fresh = approval_gate(observation, {}, plan_of(observation, live="a"), live="b")
    earlier = plan_of(observation, live="a", made_at=NOW - timedelta(minutes=1))
    later = approval_gate(observation, {}, earlier, live="b")

    assert fresh is not None
    assert (fresh.action, fresh.deadline) == (Action.WAIT, NOW + timedelta(seconds=30))
    assert later is not None
    assert later.action is Action.PLAN


def test_what_differs_has_one_digest_in_any_order():
    other = Entry("", "Service", "shop", "web", "v1")

    assert live_digest([(WEB, 3), (other, 4)]) == live_digest([(other, 4), (WEB, 3)])
    assert live_digest([(WEB, 3)]) != live_digest([(WEB, 4)])
    assert live_digest([]) == ""


WAITING = Gate(State.AWAITING_APPROVAL, "AwaitingApproval", "plan x waits")
PLANNING = Gate(State.AWAITING_APPROVAL, "Planning", "making plan x", action=Action.PLAN)
CLOSED = Gate(State.PENDING, "WindowClosed", "opens later", NOW)


@pytest.mark.parametrize(
    ("observation", "state", "action"),
    [
        (seen(gates=(PLANNING,)), State.AWAITING_APPROVAL, Action.PLAN),
        (seen(DEPLOYED, gates=(WAITING, CLOSED)), State.AWAITING_APPROVAL, Action.WAIT),
        (seen(DEPLOYED, gates=(CLOSED,)), State.PENDING, Action.WAIT),
        (seen(revision(1, Status.DEPLOYED, "new"), gates=(WAITING,)), State.IN_SYNC, Action.NOTHING),
        (
            seen(DEPLOYED, revision(2, Status.FAILED, "new", rejected=True), gates=(WAITING,)),
            State.FAILED,
            Action.ROLL_BACK,
        ),
        (
            seen(DEPLOYED, revision(2, Status.PENDING_UPGRADE, "new"), gates=(WAITING,)),
            State.PROGRESSING,
            Action.FINISH,
        ),
    ],
    ids=["plan", "people before windows", "window", "settled", "rollback is not held", "begun goes on"],
)
def test_what_approval_holds_back(observation, state, action):
    decision = decide(observation)

    assert (decision.state, decision.action) == (state, action)
