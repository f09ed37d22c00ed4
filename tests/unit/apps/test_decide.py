"""One row a rule: what was seen, and the state and action it leads to."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.decide import decide
from pierhead.apps.history.release import Status
from pierhead.apps.situation import Action, Attempt, Gate, Observation, Revision, State
from support.decisions import CURRENT, FAILED, NOW, PROGRESS, revision, seen

CLOSED = (Gate(State.PENDING, "WindowClosed", "opens at 06:00", NOW + timedelta(hours=1)),)

ROLLED_BACK = (
    revision(1, Status.SUPERSEDED, "old"),
    revision(2, Status.FAILED, "new", rejected=True),
    revision(3, Status.DEPLOYED, "old", rolls_back=1),
)

ROLLBACK_FAILED = (
    revision(1, Status.DEPLOYED, "old"),
    revision(2, Status.FAILED, "new", rejected=True),
    revision(3, Status.FAILED, "old", rolls_back=1),
)

TABLE = {
    "first install behind a gate": (seen(gates=CLOSED), State.PENDING, Action.WAIT),
    "upgrade behind a gate": (
        seen(revision(1, Status.DEPLOYED, "old"), gates=CLOSED),
        State.PENDING,
        Action.WAIT,
    ),
    "drift is corrected behind a gate": (
        seen(revision(1, Status.DEPLOYED, "old"), gates=CLOSED, drift=("Deployment shop",)),
        State.DRIFTED,
        Action.CORRECT,
    ),
    "drift is looked for behind a gate": (
        seen(revision(1, Status.DEPLOYED, "old"), gates=CLOSED, drift=None),
        State.IN_SYNC,
        Action.VERIFY,
    ),
    "reported drift opens no gate": (
        seen(revision(1, Status.DEPLOYED, "old"), gates=CLOSED, drift=("x",), drift_policy="Report"),
        State.PENDING,
        Action.WAIT,
    ),
    "what was begun goes on behind a gate": (
        seen(revision(1, Status.PENDING_INSTALL), gates=CLOSED),
        State.PROGRESSING,
        Action.FINISH,
    ),
    "nothing released": (seen(), State.ABSENT, Action.INSTALL),
    "only uninstalled": (seen(revision(1, Status.UNINSTALLED)), State.ABSENT, Action.INSTALL),
    "foreign operation under way": (
        seen(revision(1, Status.PENDING_UPGRADE, None)),
        State.LOCKED,
        Action.WAIT,
    ),
    "foreign uninstall under way": (seen(revision(1, Status.UNINSTALLING, None)), State.LOCKED, Action.WAIT),
    "foreign operation died": (
        seen(revision(1, Status.PENDING_UPGRADE, None, at=NOW - timedelta(minutes=6))),
        State.LOCKED,
        Action.ABANDON,
    ),
    "pending, not applied by this process": (
        seen(revision(1, Status.PENDING_INSTALL), applied=False),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "pending, never applied, past the deadline": (
        seen(revision(1, Status.PENDING_INSTALL, at=NOW - timedelta(minutes=6)), applied=False),
        State.PROGRESSING,
        Action.FAIL,
    ),
    "pending longer than its time, most of which the operator was down": (
        seen(
            revision(1, Status.PENDING_INSTALL, at=NOW - timedelta(hours=6)),
            applied=False,
            begun=NOW - timedelta(minutes=4),
        ),
        State.PROGRESSING,
        Action.APPLY,
    ),
    "pending and unhealthy longer than its time, most of which the operator was down": (
        seen(
            revision(1, Status.PENDING_INSTALL, at=NOW - timedelta(hours=6)),
            health=PROGRESS,
            begun=NOW - timedelta(minutes=4),
        ),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "pending longer than its time, all of which somebody was there": (
        seen(
            revision(1, Status.PENDING_INSTALL, at=NOW - timedelta(hours=6)),
            health=PROGRESS,
            begun=NOW - timedelta(minutes=5),
        ),
        State.PROGRESSING,
        Action.FAIL,
    ),
    "pending and healthy": (seen(revision(1, Status.PENDING_INSTALL)), State.PROGRESSING, Action.FINISH),
    "pending and not yet healthy": (
        seen(revision(1, Status.PENDING_INSTALL), health=PROGRESS),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "pending and failed": (
        seen(revision(1, Status.PENDING_INSTALL), health=FAILED),
        State.PROGRESSING,
        Action.FAIL,
    ),
    "pending past the deadline": (
        seen(revision(1, Status.PENDING_INSTALL, at=NOW - timedelta(minutes=6)), health=PROGRESS),
        State.PROGRESSING,
        Action.FAIL,
    ),
    "pending, and the input moved on": (
        seen(revision(1, Status.PENDING_INSTALL, "old"), health=PROGRESS),
        State.OUT_OF_SYNC,
        Action.ABANDON,
    ),
    "rollback under way for the present input": (
        seen(
            revision(1, Status.DEPLOYED, "old"),
            revision(2, Status.FAILED, "new", rejected=True),
            revision(3, Status.PENDING_ROLLBACK, "old", rolls_back=1),
            health=PROGRESS,
        ),
        State.PROGRESSING,
        Action.WAIT,
    ),
    "rollback under way, and the input moved on": (
        seen(
            revision(1, Status.DEPLOYED, "old"),
            revision(2, Status.FAILED, "bad", rejected=True),
            revision(3, Status.PENDING_ROLLBACK, "old", rolls_back=1),
            health=PROGRESS,
        ),
        State.OUT_OF_SYNC,
        Action.ABANDON,
    ),
    "upgrade failed": (
        seen(revision(1, Status.DEPLOYED, "old"), revision(2, Status.FAILED, "new", rejected=True)),
        State.FAILED,
        Action.ROLL_BACK,
    ),
    "upgrade failed, rollback off, not healthy": (
        seen(
            revision(1, Status.DEPLOYED, "old"),
            revision(2, Status.FAILED, "new", rejected=True),
            roll_back_on_failure=False,
            health=FAILED,
        ),
        State.FAILED,
        Action.NOTHING,
    ),
    "first install failed": (
        seen(revision(1, Status.FAILED, "new", rejected=True), health=FAILED),
        State.FAILED,
        Action.NOTHING,
    ),
    "first install failed and recovered": (
        seen(revision(1, Status.FAILED, "new", rejected=True)),
        State.FAILED,
        Action.FINISH,
    ),
    "first install failed, and the input changed": (
        seen(revision(1, Status.FAILED, "bad", rejected=True)),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "the same input, forced by annotation": (
        seen(revision(1, Status.FAILED, "new", rejected=True), reconcile_at="again"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "abandoned, not rejected": (
        seen(revision(1, Status.DEPLOYED, "old"), revision(2, Status.FAILED, "new")),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "rollback failed too": (
        seen(*ROLLBACK_FAILED, health=FAILED),
        State.FAILED,
        Action.NOTHING,
    ),
    "rollback failed too, and is not compared yet": (
        seen(*ROLLBACK_FAILED, drift=None),
        State.IN_SYNC,
        Action.VERIFY,
    ),
    "rollback failed too, and recovered": (seen(*ROLLBACK_FAILED), State.FAILED, Action.FINISH),
    "somebody ran helm": (
        seen(revision(1, Status.DEPLOYED), revision(2, Status.DEPLOYED, None)),
        State.UNMANAGED,
        Action.UPGRADE,
    ),
    "somebody ran helm, which is kept": (
        seen(revision(1, Status.SUPERSEDED), revision(2, Status.DEPLOYED, None), release_drift_policy="Keep"),
        State.UNMANAGED,
        Action.NOTHING,
    ),
    "somebody ran helm, which was kept until the input changed": (
        seen(
            revision(1, Status.SUPERSEDED, "old"),
            revision(2, Status.DEPLOYED, None),
            release_drift_policy="Keep",
        ),
        State.UNMANAGED,
        Action.UPGRADE,
    ),
    "somebody ran helm, which was kept until forced by annotation": (
        seen(
            revision(1, Status.SUPERSEDED),
            revision(2, Status.DEPLOYED, None),
            release_drift_policy="Keep",
            reconcile_at="now",
        ),
        State.UNMANAGED,
        Action.UPGRADE,
    ),
    "somebody ran helm after a rollback, which is kept": (
        seen(*ROLLED_BACK, revision(4, Status.DEPLOYED, None), release_drift_policy="Keep"),
        State.UNMANAGED,
        Action.NOTHING,
    ),
    "somebody ran helm, which left no trace of ours but the status": (
        seen(
            revision(1, Status.SUPERSEDED, "old"),
            revision(2, Status.SUPERSEDED, None),
            revision(3, Status.DEPLOYED, None),
            release_drift_policy="Keep",
            remembered=Attempt(2, "new"),
        ),
        State.UNMANAGED,
        Action.NOTHING,
    ),
    "what the status remembers is of an earlier release of the name": (
        seen(revision(1, Status.DEPLOYED, None), release_drift_policy="Keep", remembered=Attempt(2, "new")),
        State.UNMANAGED,
        Action.UPGRADE,
    ),
    "somebody ran helm, which failed and is not kept": (
        seen(revision(1, Status.DEPLOYED), revision(2, Status.FAILED, None), release_drift_policy="Keep"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "a release of helm is adopted, whatever is kept later": (
        seen(revision(1, Status.DEPLOYED, None), release_drift_policy="Keep"),
        State.UNMANAGED,
        Action.UPGRADE,
    ),
    "rolled back, input still bad": (seen(*ROLLED_BACK), State.REJECTED, Action.NOTHING),
    "rolled back and drifted": (seen(*ROLLED_BACK, drift=("ConfigMap shop",)), State.DRIFTED, Action.CORRECT),
    "rolled back, and the input is the old one again": (
        seen(*ROLLED_BACK, desired="old"),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "rolled back, and the input is a third one": (
        seen(*ROLLED_BACK, desired="third"),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "deployed, input changed": (seen(revision(1, Status.DEPLOYED, "old")), State.OUT_OF_SYNC, Action.UPGRADE),
    "uninstalling was interrupted": (
        seen(revision(1, Status.UNINSTALLING)),
        State.OUT_OF_SYNC,
        Action.UPGRADE,
    ),
    "deployed, not verified": (seen(revision(1, Status.DEPLOYED), drift=None), State.IN_SYNC, Action.VERIFY),
    "deployed, not verified, drift ignored": (
        seen(revision(1, Status.DEPLOYED), drift=None, drift_policy="Ignore"),
        State.IN_SYNC,
        Action.VERIFY,
    ),
    "drifted, and drift is ignored": (
        seen(revision(1, Status.DEPLOYED), drift=("Service shop",), drift_policy="Ignore"),
        State.IN_SYNC,
        Action.NOTHING,
    ),
    "first install failed, and the operator restarted": (
        seen(revision(1, Status.FAILED, "new", rejected=True), drift=None, applied=False),
        State.IN_SYNC,
        Action.VERIFY,
    ),
    "drifted": (seen(revision(1, Status.DEPLOYED), drift=("Service shop",)), State.DRIFTED, Action.CORRECT),
    "changed since it was verified": (
        seen(revision(1, Status.DEPLOYED), drift=None, suspected=True),
        State.DRIFTED,
        Action.CORRECT,
    ),
    "changed since it was verified, as often as it was put back": (
        seen(
            revision(1, Status.DEPLOYED),
            drift=None,
            suspected=True,
            contest=Gate(State.DRIFTED, "Contested", "again", NOW + timedelta(seconds=30)),
        ),
        State.DRIFTED,
        Action.WAIT,
    ),
    "changed since it was verified, only to be reported": (
        seen(revision(1, Status.DEPLOYED), drift=None, suspected=True, drift_policy="Report"),
        State.IN_SYNC,
        Action.VERIFY,
    ),
    "drifted, only reported": (
        seen(revision(1, Status.DEPLOYED), drift=("Service shop",), drift_policy="Report"),
        State.DRIFTED,
        Action.NOTHING,
    ),
    "in sync": (seen(revision(1, Status.DEPLOYED)), State.IN_SYNC, Action.NOTHING),
}


@pytest.mark.parametrize(("observation", "state", "action"), TABLE.values(), ids=TABLE)
def test_decides(observation, state, action):
    decision = decide(observation)
    assert (decision.state, decision.action) == (state, action)


def test_rolls_back_to_the_last_deployed_revision():
    observation = seen(
        revision(1, Status.SUPERSEDED, "older"),
        revision(2, Status.DEPLOYED, "old"),
        revision(3, Status.FAILED, "bad"),
        revision(4, Status.FAILED, "new", rejected=True),
    )
    assert decide(observation).target == 2


def test_rolls_back_to_what_a_crash_left_superseded():
    """The old revision is marked before the new one, and between the two none is deployed."""
    observation = seen(
        revision(1, Status.SUPERSEDED, "old"),
        revision(2, Status.FAILED, "abandoned"),
        revision(3, Status.FAILED, "new", rejected=True),
    )
    decision = decide(observation)
    assert (decision.action, decision.target) == (Action.ROLL_BACK, 1)


def test_a_wait_carries_its_deadline():
    started = NOW - timedelta(seconds=30)
    decision = decide(seen(revision(1, Status.PENDING_INSTALL, at=started), health=PROGRESS))
    assert decision.deadline == started + timedelta(minutes=5)


def test_a_long_list_of_drift_is_cut():
    names = tuple(f"ConfigMap c{number}" for number in range(9))
    message = decide(seen(revision(1, Status.DEPLOYED), drift=names)).message
    assert "c4" in message
    assert "c5" not in message
    assert "4 more" in message


REVISIONS = st.builds(
    Revision,
    revision=st.integers(1, 9),
    status=st.sampled_from(Status),
    last_deployed=st.integers(0, 900).map(lambda ago: NOW - timedelta(seconds=ago)),
    input_digest=st.sampled_from([None, "old", "new", "bad"]),
    rolls_back=st.sampled_from([None, 1]),
    rejected=st.booleans(),
)
OBSERVATIONS = st.builds(
    Observation,
    desired=st.sampled_from(["old", "new"]),
    history=st.lists(REVISIONS, max_size=4).map(
        lambda items: tuple(replace(item, revision=number) for number, item in enumerate(items, 1))
    ),
    applied=st.booleans(),
    health=st.sampled_from([CURRENT, PROGRESS, FAILED]),
    drift=st.sampled_from([None, (), ("Service shop",)]),
    now=st.just(NOW),
    timeout=st.just(timedelta(minutes=5)),
    roll_back_on_failure=st.booleans(),
    drift_policy=st.sampled_from(["Correct", "Report", "Ignore"]),
    release_drift_policy=st.sampled_from(["Keep", "Undo"]),
    begun=st.sampled_from([None, NOW - timedelta(minutes=9), NOW]),
)


@given(OBSERVATIONS)
def test_everything_that_can_be_seen_is_decided(observation):
    decision = decide(observation)
    assert decision.reason
    assert decision.message


@given(OBSERVATIONS)
def test_only_a_wait_has_a_deadline_and_only_a_rollback_a_target(observation):
    decision = decide(observation)
    assert (decision.deadline is not None) == (decision.action == Action.WAIT)
    assert (decision.target is not None) == (decision.action == Action.ROLL_BACK)


@given(OBSERVATIONS)
def test_a_rejected_input_is_never_released_again(observation):
    if observation.rejection is not None:
        assert decide(observation).action not in {Action.INSTALL, Action.UPGRADE} or (
            observation.latest is None
            or observation.latest.input_digest is None
            or observation.latest.status not in {Status.FAILED, Status.DEPLOYED}
        )
