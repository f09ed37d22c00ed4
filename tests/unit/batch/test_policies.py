"""Failure and success policies mean what a Job's do."""

import pytest

from pierhead.batch.following.jobs import FailedChild
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.limits import limits_of
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.policies import FailurePolicy, SuccessPolicy
from pierhead.batch.policies import Criterion, criteria_of, judged, meaning_of
from pierhead.engine.outcome import Invalid

RULES = FailurePolicy.model_validate(
    {
        "rules": [
            {"action": "Ignore", "onStatusReason": "Host EC2*"},
            {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42, 43]}},
            {
                "action": "FailIndex",
                "onReason": "OutOfMemory*",
                "onExitCodes": {"operator": "In", "values": [137]},
            },
            {"action": "Count", "onExitCodes": {"operator": "In", "values": [1]}},
            {"action": "FailIndex", "onExitCodes": {"operator": "NotIn", "values": [2, 3]}},
        ]
    }
)

MEANINGS = {
    "a lost host": (FailedChild(0, status_reason="Host EC2 (instance i-0) terminated."), (0, "Ignore")),
    "regardless of case": (FailedChild(0, status_reason="host ec2 gone"), (0, "Ignore")),
    "an exit code": (FailedChild(0, exit_code=43), (1, "FailJob")),
    "the first rule that matches": (FailedChild(0, exit_code=42, status_reason="Host EC2 x"), (0, "Ignore")),
    "all conditions of a rule": (FailedChild(0, 137, "OutOfMemoryError: killed"), (2, "FailIndex")),
    "one condition of two": (FailedChild(0, 137, "killed"), (4, "FailIndex")),
    "counted by a rule": (FailedChild(0, exit_code=1), (3, "Count")),
    "none of these codes": (FailedChild(0, exit_code=9), (4, "FailIndex")),
    "one of the codes that do not match": (FailedChild(0, exit_code=2), (5, "Count")),
    "no exit code matches neither In nor NotIn": (FailedChild(0, status_reason="pull failed"), (5, "Count")),
    "nothing known": (FailedChild(0), (5, "Count")),
}


@pytest.mark.parametrize("case", MEANINGS)
def test_what_a_failure_means(case):
    failure, expected = MEANINGS[case]
    assert meaning_of(RULES.rules, failure) == expected


def test_failures_are_sorted_by_what_they_mean():
    failures = [
        FailedChild(0, 1),
        FailedChild(1, status_reason="Host EC2 x"),
        FailedChild(4, 9),
        FailedChild(5, 42),
    ]
    verdicts = judged(RULES, failures)
    assert (set(verdicts.ignored), set(verdicts.barred)) == ({1}, {4})
    assert (verdicts.fatal, verdicts.rule) == (failures[3], 1)


def test_without_a_policy_every_failure_counts():
    verdicts = judged(None, [FailedChild(0, 42)])
    assert (verdicts.fatal, len(verdicts.barred), len(verdicts.ignored)) == (None, 0, 0)


CRITERIA = {
    "a count": ({"succeededCount": 3}, Criterion(None, 3)),
    "indexes": ({"succeededIndexes": "1,3-5"}, Criterion(IndexSet.of([1, 3, 4, 5]), 4)),
    "some of these indexes": (
        {"succeededIndexes": "0-7", "succeededCount": 2},
        Criterion(IndexSet.below(8), 2),
    ),
}


@pytest.mark.parametrize("case", CRITERIA)
def test_what_is_enough(case):
    rule, expected = CRITERIA[case]
    assert criteria_of(SuccessPolicy.model_validate({"rules": [rule]}), 10) == (expected,)


def test_only_the_named_indexes_count_where_some_are_named():
    criterion = Criterion(IndexSet.of([1, 3]), 2)
    assert not criterion.met(IndexSet.of([1, 2, 4]))
    assert criterion.met(IndexSet.of([1, 2, 3]))


@pytest.mark.parametrize(
    ("rule", "field", "fault"),
    [
        ({"succeededCount": 11}, "succeededCount", "11 indexes can never succeed: there are 10"),
        ({"succeededIndexes": "1,2", "succeededCount": 3}, "succeededCount", "there are 2"),
        ({"succeededIndexes": "5,3"}, "succeededIndexes", "3 is out of order"),
        ({"succeededIndexes": "5-3"}, "succeededIndexes", "5-3 is out of order"),
        ({"succeededIndexes": "3,3"}, "succeededIndexes", "3 is out of order"),
        ({"succeededIndexes": "8-10"}, "succeededIndexes", "beyond the last index, which is 9"),
    ],
)
def test_what_can_never_be_enough_is_refused(rule, field, fault):
    policy = SuccessPolicy.model_validate({"rules": [{"succeededCount": 1}, rule]})
    with pytest.raises(Invalid, match=fault) as raised:
        criteria_of(policy, 10)
    assert raised.value.field == f"spec.successPolicy.rules[1].{field}"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 0),
        ({"backoffLimitPerIndex": 3}, 3),
        ({"backoffLimit": 6}, 6),
        ({"backoffLimit": 1000}, 14),
        ({"backoffLimit": 6, "backoffLimitPerIndex": 0}, 0),
    ],
)
def test_how_often_an_index_runs_again(fields, expected):
    spec = BatchJobSpec.model_validate({"queue": "q", "jobDefinition": "d", **fields})
    assert limits_of(spec, map_limit=100).backoff_limit_per_index == expected
