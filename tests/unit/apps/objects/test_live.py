"""What is known of live objects: never older than what was seen, and no request for what is as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.objects.live import LiveObjects
from pierhead.engine.resource import ObjectKey
from pierhead.kube.inventory import Entry
from pierhead.kube.plan import Action, Step
from pierhead.kube.watch import slim

ONE, TWO = ObjectKey("team-a", "one"), ObjectKey("team-a", "two")
MARKS = {"pierhead.dev/apprelease": "one"}


def config_map(version: int, name: str = "settings", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": "team-a",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "labels": MARKS,
            **metadata,
        },
    }


def deployment(version: int, *, generation: int = 1, ready: int = 1, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "team-a",
            "uid": "uid-web",
            "resourceVersion": str(version),
            "generation": generation,
            "labels": MARKS,
            **metadata,
        },
        "spec": {"replicas": 1},
        "status": {
            "observedGeneration": generation,
            "replicas": 1,
            "updatedReplicas": 1,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "conditions": [{"type": "Available", "status": "True" if ready else "False"}],
        },
    }


def step(obj: dict[str, Any], digest: str = "sha256:1") -> Step:
    wanted = {**obj, "metadata": {"name": obj["metadata"]["name"], "labels": MARKS}}
    return Step(Entry.of(obj), wanted, None, digest, Action.UPDATE)


CONFIG_MAP, DEPLOYMENT = Entry.of(config_map(1)), Entry.of(deployment(1))


@pytest.fixture
def woken():
    return []


@pytest.fixture
def live(woken):
    made = LiveObjects()
    made.start(woken.append)
    made.claim(ONE, (CONFIG_MAP, DEPLOYMENT))
    return made


def test_what_is_verified_is_no_suspect_and_known(live):
    live.verified(step(config_map(5)), config_map(5))
    assert live.suspects([CONFIG_MAP]) == frozenset()
    assert live.known([CONFIG_MAP])[CONFIG_MAP].resource_version == "5"
    assert live.version_of(CONFIG_MAP) == "5"


def test_what_was_never_seen_is_a_suspect(live):
    assert live.suspects([CONFIG_MAP]) == {(CONFIG_MAP, 0)}
    assert live.version_of(CONFIG_MAP) is None
    assert live.known([CONFIG_MAP]) == {}


@pytest.mark.parametrize(
    ("verified", "event", "suspect"),
    [
        (config_map(5), config_map(5), False),
        (config_map(5), config_map(4), False),
        (config_map(5), config_map(6), True),
        (deployment(5), deployment(6), False),
        (deployment(5), deployment(6, ready=0), False),
        (deployment(5), deployment(6, generation=2), True),
        (deployment(5), deployment(6, labels={}), True),
        (deployment(5), deployment(6, labels={**MARKS, "theirs": "x"}), False),
        (deployment(5), deployment(6, annotations={"theirs": "x"}), False),
    ],
    ids=[
        "its own event",
        "an older event",
        "a change of an object without generation",
        "a change of the status",
        "an unhealthy status",
        "a change of the spec",
        "a label of ours taken away",
        "a label of theirs",
        "an annotation of theirs",
    ],
)
def test_only_what_matters_makes_a_suspect(live, verified, event, suspect):
    live.verified(step(verified), verified)
    live.handle("MODIFIED", event)
    assert bool(live.suspects([Entry.of(event)])) is suspect
    assert (live.version_of(Entry.of(event)) is None) is suspect


@pytest.mark.parametrize(
    ("event_type", "event", "wakes"),
    [
        ("ADDED", deployment(5), False),
        ("MODIFIED", deployment(6), False),
        ("MODIFIED", deployment(6, ready=0), True),
        ("MODIFIED", deployment(6, generation=2), True),
        ("DELETED", deployment(5), True),
        ("MODIFIED", deployment(4, generation=9), False),
    ],
)
def test_the_owner_is_woken_by_what_it_cares_about(live, woken, event_type, event, wakes):
    live.verified(step(deployment(5)), deployment(5))
    live.handle(event_type, event)
    assert woken == ([ONE] if wakes else [])


def test_an_object_of_nobody_is_not_remembered(live, woken):
    other = config_map(3, "other")
    live.handle("ADDED", other)
    assert woken == []
    assert live.suspects([Entry.of(other)]) == {(Entry.of(other), 0)}


def test_an_answer_older_than_an_event_verifies_nothing_later(live):
    """Somebody changed the object between our write and its answer."""
    live.handle("MODIFIED", config_map(7))
    live.verified(step(config_map(6)), config_map(6))
    assert live.suspects([CONFIG_MAP]) == {(CONFIG_MAP, 7)}


def test_what_is_gone_is_a_suspect_until_it_is_back(live):
    live.verified(step(config_map(5)), config_map(5))
    live.handle("DELETED", config_map(8))
    assert live.suspects([CONFIG_MAP]) == {(CONFIG_MAP, 0)}
    live.verified(step(config_map(9)), config_map(9, uid="another"))
    assert live.suspects([CONFIG_MAP]) == frozenset()


def test_a_deletion_that_the_list_after_a_gap_made_up_counts(live):
    """It comes with the last version that was seen."""
    live.verified(step(config_map(5)), config_map(5))
    live.handle("DELETED", config_map(5))
    assert live.suspects([CONFIG_MAP]) == {(CONFIG_MAP, 0)}


def test_the_end_of_an_object_of_which_only_its_name_was_kept_counts(live):
    """As a watch tells it that missed the event."""
    live.verified(step(deployment(5)), deployment(5))
    live.handle("DELETED", slim(deployment(5)))
    assert live.suspects([Entry.of(deployment(5))]) == {(Entry.of(deployment(5)), 0)}


def test_what_differs_is_a_suspect_at_its_version(live):
    live.verified(step(config_map(5)), config_map(5))
    live.differs(CONFIG_MAP)
    assert live.suspects([CONFIG_MAP]) == {(CONFIG_MAP, 5)}


def test_health_is_that_of_the_worst(live):
    live.verified(step(config_map(1)), config_map(1))
    assert live.health([CONFIG_MAP]).status == "Current"
    assert live.health([CONFIG_MAP, DEPLOYMENT]).status == "InProgress"
    assert "Deployment team-a/web is not there" in live.health([CONFIG_MAP, DEPLOYMENT]).message
    live.handle("ADDED", deployment(2, ready=0))
    assert live.health([CONFIG_MAP, DEPLOYMENT]).status == "InProgress"
    live.handle("MODIFIED", deployment(3))
    assert live.health([CONFIG_MAP, DEPLOYMENT]).status == "Current"


def test_what_failed_counts_only_once_nothing_is_in_progress(live):
    failed = deployment(2, ready=0)
    failed["status"]["conditions"].append(
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    )
    live.handle("ADDED", failed)
    assert live.health([CONFIG_MAP, DEPLOYMENT]).status == "InProgress"
    live.handle("ADDED", config_map(3))
    health = live.health([CONFIG_MAP, DEPLOYMENT])
    assert health.status == "Failed"
    assert health.message.startswith("Deployment team-a/web: ")


def test_a_long_list_of_trouble_is_cut(live):
    entries = [Entry.of(config_map(1, f"c{number}")) for number in range(9)]
    assert live.health(entries).message.endswith("; and 6 more")


def test_what_a_release_lets_go_is_forgotten(live):
    live.verified(step(config_map(5)), config_map(5))
    live.keep(ONE, (DEPLOYMENT,))
    assert live.owner(CONFIG_MAP) is None
    assert live.owner(DEPLOYMENT) == ONE
    assert live.known([CONFIG_MAP]) == {}


def test_what_another_release_has_by_now_stays_its(live):
    live.verified(step(config_map(5)), config_map(5))
    live.claim(TWO, (CONFIG_MAP,))
    live.keep(ONE, ())
    assert live.owner(CONFIG_MAP) == TWO
    assert live.suspects([CONFIG_MAP]) == frozenset()


EVENTS = st.lists(
    st.tuples(st.sampled_from(["watch", "answer"]), st.integers(1, 6), st.booleans()), min_size=1, max_size=12
)


@given(EVENTS)
def test_in_whatever_order_news_comes_only_the_newest_counts(events):
    """An object is verified exactly if nothing newer than its verified version was ever shown."""
    live = LiveObjects()
    live.claim(ONE, (CONFIG_MAP,))
    newest, verified = 0, 0
    for way, version, _ in events:
        if way == "answer":
            live.verified(step(config_map(version)), config_map(version))
            verified = version
        else:
            live.handle("MODIFIED", config_map(version))
        newest = max(newest, version)
    assert live.suspects([CONFIG_MAP]) == (frozenset() if verified == newest else {(CONFIG_MAP, newest)})


def service(version: int, port: int = 80, **status: Any) -> dict[str, Any]:
    made = config_map(version)
    return {**made, "kind": "Service", "spec": {"ports": [{"port": port}]}, "status": status}


def test_a_status_that_moves_makes_no_suspect_where_nobody_counts_generations(live, woken):
    entry = Entry.of(service(5))
    live.claim(ONE, (entry,))
    live.verified(step(service(5)), service(5))
    live.handle("MODIFIED", service(6, loadBalancer={"ingress": [{"ip": "10.0.0.1"}]}))
    assert live.suspects((entry,)) == frozenset()
    live.handle("MODIFIED", service(7, port=81))
    assert live.suspects((entry,)) == {(entry, 7)}
    assert woken
