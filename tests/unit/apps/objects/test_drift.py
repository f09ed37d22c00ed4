"""What others changed: bounded, without values, and told from a contest."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.model.status import MOST_FIELDS, MOST_OBJECTS
from pierhead.apps.objects.drift import (
    MOST_CORRECTIONS,
    PAUSE,
    Difference,
    contest_of,
    difference,
    joined,
    lately,
    put_back,
    remembered,
    status_of,
)
from pierhead.kube.inventory import Entry

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ENTRY = Entry("apps", "Deployment", "team-a", "web", "v1")
FIELDS = {"f:spec": {"f:replicas": {}}}


def live(*managers: tuple[str, str]) -> dict[str, object]:
    entries = [
        {"manager": name, "operation": "Update", "time": time, "fieldsV1": FIELDS} for name, time in managers
    ]
    ours = {"manager": "pierhead", "operation": "Apply", "time": "2027-01-01T00:00:00Z", "fieldsV1": FIELDS}
    return {"metadata": {"managedFields": [ours, *entries]}, "spec": {"replicas": 5}}


def test_who_changed_it_last_is_named():
    obj = live(("first", "2026-11-23T11:00:00Z"), ("second", "2026-11-23T11:30:00Z"))
    found = difference(ENTRY, obj, ["/spec/replicas", "/spec/paused"])
    assert found.text == "Deployment team-a/web: /spec/replicas, /spec/paused changed by second"


def test_what_nobody_owns_names_nobody():
    assert difference(ENTRY, live(), ["/spec/replicas"]).manager == ""


def test_what_others_did_between_the_look_and_the_apply_was_not_put_back():
    before, after = live(), live()
    after["spec"] = {"replicas": 3}
    # As the Deployment controller does, which may be slower than we are.
    after["metadata"] |= {"annotations": {"deployment.kubernetes.io/revision": "2"}}
    assert put_back(before, after) == ("/spec/replicas",)
    assert put_back(after, after) == ()
    assert put_back({**after, "metadata": before["metadata"]}, after) == ()


def test_what_is_not_there_was_deleted():
    assert difference(ENTRY, None, ()).text == "Deployment team-a/web was deleted"


def test_a_status_is_bounded():
    many = [f"/data/{number}/{'x' * 500}" for number in range(100)]
    found = difference(ENTRY, live(), many)
    assert len(found.fields) == MOST_FIELDS
    assert max(map(len, found.fields)) == 256
    others = [Difference(f"ConfigMap a/{number}", ("/data/a",)) for number in range(100)]
    assert len(joined((), others, at=NOW)) == MOST_OBJECTS


DIFFERENCES = st.lists(
    st.builds(
        Difference,
        st.sampled_from(["ConfigMap a/b", "Deployment a/c", "Service a/d"]),
        st.lists(st.sampled_from(["/data/a", "/spec/replicas"]), max_size=2).map(tuple),
        st.sampled_from(["", "kubectl"]),
    ),
    unique_by=lambda item: item.object,
)


@given(DIFFERENCES, DIFFERENCES, st.booleans())
def test_what_was_put_back_is_remembered_by_the_status(earlier, found, corrected):
    before = joined((), earlier, at=NOW)
    after = joined(before, found, at=NOW if corrected else None)
    assert [item.object for item in after[: len(found)]] == [item.object for item in found]
    assert len({item.object for item in after}) == len(after)
    told = remembered({"drift": status_of(after)})
    assert told == tuple(item for item in after if item.corrected_at is not None)


def corrections(*ago: int) -> tuple[Difference, ...]:
    found: tuple[Difference, ...] = ()
    for seconds in sorted(ago, reverse=True):
        found = lately(found, [Difference("ConfigMap a/b", ("/a",))], at=NOW - timedelta(seconds=seconds))
    return found


@pytest.mark.parametrize(
    ("ago", "contested"),
    [
        ((), False),
        ((0, 1, 2, 3), False),
        ((0, 1, 2, 3, 4), True),
        ((29, 30, 31, 32, 33), True),
        ((30, 31, 32, 33, 34), False),
        ((0, 20, 40, 60, 80), False),
        (tuple(range(50)), True),
    ],
)
def test_a_contest_is_told_from_accidents(ago, contested):
    gate = contest_of(corrections(*ago), NOW)
    assert (gate is not None) == contested
    if gate is not None:
        assert gate.deadline == NOW - timedelta(seconds=min(ago)) + PAUSE
        assert len(ago) >= MOST_CORRECTIONS


def test_several_objects_are_no_contest():
    found = lately((), [Difference(f"ConfigMap a/{number}") for number in range(9)], at=NOW)
    assert contest_of(found, NOW) is None
