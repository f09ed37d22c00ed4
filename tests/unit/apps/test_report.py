"""What the status says of each state: Ready is True only of a release that is what the input asks for."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.decide import decide
from pierhead.apps.history.release import Status
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.report import INVENTORY_SHOWN, conditions_of, grace_of, status_of
from pierhead.apps.situation import Action, Health, Observation, Revision, State
from pierhead.apps.sources.artifact import Artifact
from pierhead.engine.outcome import Transient
from pierhead.kube.inventory import Entry
from support.decisions import CURRENT, NOW, seen

SOURCE = Artifact("main@abc", "sha1:abc", Path("x"))
INPUTS = Inputs(digest="new", source=SOURCE)
FAILED, PROGRESS = Health("Failed", "web: crashed"), Health("InProgress", "web: 1 of 2")
ENTRY = Entry("", "ConfigMap", "team-a", "settings", "v1")


def revision(number: int, status: Status, digest: str = "new", **more) -> Revision:
    return Revision(number, status, NOW, digest, **more)


def told(observation: Observation, inputs: Inputs = INPUTS) -> dict[str, tuple[str, str]]:
    return {
        entry.type: (entry.status, entry.reason)
        for entry in conditions_of(decide(observation), observation, inputs)
    }


DEPLOYED = revision(1, Status.DEPLOYED)
ROLLED_BACK = (
    revision(1, Status.SUPERSEDED, "old"),
    revision(2, Status.FAILED, rejected=True, description="Upgrade failed: web: crashed"),
    revision(3, Status.DEPLOYED, "old", rolls_back=1),
)

TABLE = {
    "deployed": (seen(DEPLOYED), ("True", "Deployed"), None, None, ("True", "Current")),
    "deployed and unhealthy since": (
        seen(DEPLOYED, health=FAILED),
        ("False", "Unhealthy"),
        None,
        None,
        ("False", "Failed"),
    ),
    "deployed and on its way back to health": (
        seen(DEPLOYED, health=PROGRESS),
        ("True", "Deployed"),
        None,
        None,
        ("Unknown", "InProgress"),
    ),
    "waiting for health": (
        seen(revision(1, Status.PENDING_INSTALL), health=PROGRESS),
        ("Unknown", "WaitingForHealth"),
        ("True", "WaitingForHealth"),
        None,
        ("Unknown", "InProgress"),
    ),
    "rolled back": (
        seen(*ROLLED_BACK),
        ("False", "RolledBack"),
        None,
        ("True", "RolledBack"),
        ("True", "Current"),
    ),
    "failed for good": (
        seen(revision(1, Status.FAILED, rejected=True), health=FAILED),
        ("False", "ReleaseFailed"),
        None,
        ("True", "ReleaseFailed"),
        ("False", "Failed"),
    ),
    "locked": (
        seen(replace(revision(1, Status.PENDING_UPGRADE), input_digest=None)),
        ("Unknown", "Locked"),
        ("True", "Locked"),
        None,
        ("True", "Current"),
    ),
}


@pytest.mark.parametrize(
    ("observation", "ready", "reconciling", "stalled", "healthy"), TABLE.values(), ids=TABLE
)
def test_conditions_of_a_state(observation, ready, reconciling, stalled, healthy):
    found = told(observation)
    assert found["Ready"] == ready
    assert found.get("Reconciling") == reconciling
    assert found.get("Stalled") == stalled
    assert found["Healthy"] == healthy


def test_a_stale_source_is_told_beside_a_ready_release():
    inputs = replace(
        INPUTS, source_failure=Transient("gone", reason="SourceUnreachable", field="spec.source.git")
    )
    found = {entry.type: entry for entry in conditions_of(decide(seen(DEPLOYED)), seen(DEPLOYED), inputs)}
    assert found["Ready"].status == "True"
    assert (found["SourceReady"].status, found["SourceReady"].reason) == ("False", "SourceUnreachable")
    assert found["SourceReady"].message == "spec.source.git: gone"


def test_drift_is_a_condition_only_where_it_is_only_reported():
    drifted = seen(DEPLOYED, drift=("ConfigMap x",), drift_policy="Report")
    assert told(drifted)["Drifted"] == ("True", "Drifted")
    assert told(drifted)["Ready"] == ("True", "Deployed")
    assert "Drifted" not in told(seen(DEPLOYED, drift=("ConfigMap x",), drift_policy="Ignore"))


def test_status_names_the_newest_revision_and_the_rejected_one():
    observation = seen(*ROLLED_BACK)
    overlay = Artifact("overlay@1", "sha256:1", Path("y"))
    status = status_of(observation, replace(INPUTS, overlay=overlay), release="shop", inventory=(ENTRY,))
    assert status == {
        "source": {"revision": "main@abc", "digest": "sha1:abc"},
        "overlay": {"revision": "overlay@1", "digest": "sha256:1"},
        "release": {"name": "shop", "revision": 3, "status": "deployed", "inputDigest": "old"},
        "inventory": ["team-a_settings__ConfigMap_v1"],
        "objects": 1,
        "rejected": {"inputDigest": "new", "revision": 2, "message": "Upgrade failed: web: crashed"},
    }


def test_status_of_nothing_released():
    assert status_of(seen(), INPUTS, release="shop", inventory=()) == {
        "source": {"revision": "main@abc", "digest": "sha1:abc"}
    }


def test_status_is_bounded():
    entries = [replace(ENTRY, name=f"n{number}") for number in range(3000)]
    status = status_of(seen(DEPLOYED), INPUTS, release="shop", inventory=entries)
    assert (len(status["inventory"]), status["objects"]) == (INVENTORY_SHOWN, 3000)


REVISIONS = st.builds(
    Revision,
    revision=st.integers(1, 9),
    status=st.sampled_from(Status),
    last_deployed=st.integers(0, 900).map(lambda ago: NOW - timedelta(seconds=ago)),
    input_digest=st.sampled_from([None, "old", "new"]),
    rolls_back=st.sampled_from([None, 1]),
    rejected=st.booleans(),
)


@given(
    history=st.lists(REVISIONS, max_size=4).map(
        lambda items: tuple(replace(item, revision=number) for number, item in enumerate(items, 1))
    ),
    health=st.sampled_from([CURRENT, PROGRESS, FAILED]),
    drift=st.sampled_from([None, (), ("ConfigMap x",)]),
    policy=st.sampled_from(["Correct", "Report", "Ignore"]),
)
def test_ready_is_true_only_of_the_present_input_and_never_beside_trouble(history, health, drift, policy):
    observation = seen(*history, health=health, drift=drift, drift_policy=policy)
    decision = decide(observation)
    found = told(observation)
    if found["Ready"][0] == "True":
        latest = history[-1]
        assert decision.action is Action.NOTHING
        assert decision.state in {State.IN_SYNC, State.DRIFTED}
        assert (latest.status, latest.input_digest) == (Status.DEPLOYED, "new")
        assert observation.health.status != "Failed"
        assert not {"Reconciling", "Stalled"} & found.keys()
    else:
        assert len({"Reconciling", "Stalled"} & found.keys()) == 1 or found["Ready"][1] == "Unhealthy"


@pytest.mark.parametrize(
    ("age", "health", "deadline", "grace"),
    [
        (0, PROGRESS, 300, 2),
        (1.5, PROGRESS, 300, 0.5),
        (2, PROGRESS, 300, 0),
        (60, PROGRESS, 300, 0),
        (0, FAILED, 300, 0),
        (0, PROGRESS, 0, 0),
    ],
    ids=["just begun", "a moment ago", "long enough", "long ago", "failed", "too late"],
)
def test_a_wait_for_health_is_told_after_a_moment_and_anything_else_at_once(age, health, deadline, grace):
    waiting = seen(
        revision(1, Status.PENDING_INSTALL),
        health=health,
        begun=NOW - timedelta(seconds=age),
        timeout=timedelta(seconds=deadline),
    )
    assert grace_of(decide(waiting), waiting) == grace
