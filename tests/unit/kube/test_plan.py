from datetime import UTC, datetime, timedelta

import pytest

from pierhead.engine.outcome import Conflict, Denied, Invalid, Throttled, Transient
from pierhead.kube.answers import ApplyAnswer
from pierhead.kube.errors import UnknownKind
from pierhead.kube.failures import Failure, combined
from pierhead.kube.plan import claim_of, lately_changed

NOON = datetime(2026, 8, 1, 12, 0, 0, tzinfo=UTC)


def answer(*, age, seconds=0.1, date=True, **entry):
    moved_at = (NOON - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ")
    ours = {"manager": "pierhead", "operation": "Apply", "time": moved_at, "fieldsV1": {"f:data": {}}} | entry
    theirs = {"manager": "other", "operation": "Apply", "time": "2026-08-01T12:00:00Z"}
    obj = {"metadata": {"name": "a", "managedFields": [theirs, ours]}}
    return ApplyAnswer(obj, created=False, date=NOON if date else None, seconds=seconds)


@pytest.mark.parametrize(
    ("subject", "changed"),
    [
        (answer(age=0), True),
        (answer(age=2), True),
        (answer(age=3), False),
        (answer(age=3600), False),
        (answer(age=-5), True),
        (answer(age=9, seconds=8), True),
        (answer(age=11, seconds=8), False),
        (answer(age=3600, date=False), True),
        (answer(age=0, manager="someone"), False),
        (answer(age=0, operation="Update"), False),
        (answer(age=0, subresource="status"), False),
    ],
)
def test_a_change_is_told_by_the_time_of_our_fields_however_slow_the_webhooks(subject, changed):
    assert lately_changed(subject, "pierhead") is changed


def test_a_claim_is_the_fields_we_own_and_not_when():
    assert claim_of(answer(age=1).object, "pierhead") == claim_of(answer(age=9).object, "pierhead")
    other = answer(age=1, fieldsV1={"f:spec": {}})
    assert claim_of(answer(age=1).object, "pierhead") != claim_of(other.object, "pierhead")
    assert claim_of(answer(age=1).object, "pierhead") != claim_of({"metadata": {}}, "pierhead")


def failure(name, error):
    return Failure({"kind": "ConfigMap", "metadata": {"name": name, "namespace": "n"}}, error)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([Invalid("x")], Invalid),
        ([Denied("x"), Denied("y")], Denied),
        ([Denied("x"), Invalid("y")], Invalid),
        ([Invalid("x"), Transient("y")], Transient),
        ([Invalid("x"), Throttled("y", after=3)], Throttled),
        ([UnknownKind("x"), Invalid("y")], UnknownKind),
        ([Conflict("x")], Transient),
    ],
)
def test_one_error_tells_all_and_means_what_helps_them_all(errors, expected):
    made = combined([failure(f"c{number}", error) for number, error in enumerate(errors)])
    assert type(made) is expected
    for number, error in enumerate(errors):
        assert f"ConfigMap n/c{number}: {error}" in str(made)


def test_no_failures_are_no_error():
    assert combined([]) is None
