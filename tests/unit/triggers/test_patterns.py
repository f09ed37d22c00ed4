"""Patterns match what EventBridge says they match."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.events.models import EventPattern

from pierhead.engine.outcome import Invalid
from pierhead.triggers.patterns import check, matches

EVENT = {
    "source": "aws.batch",
    "detail-type": "Batch Job State Change",
    "resources": ["arn:aws:batch:1", "arn:aws:batch:2"],
    "detail": {"status": "FAILED", "attempts": 3, "name": "Thumbs-7", "flag": True, "none": None, "list": []},
}

CASES = {
    "a value": ({"source": ["aws.batch"]}, True),
    "one of two": ({"source": ["aws.ecs", "aws.batch"]}, True),
    "another": ({"source": ["aws.ecs"]}, False),
    "both of two names": ({"source": ["aws.batch"], "detail": {"status": ["SUCCEEDED"]}}, False),
    "inside": ({"detail": {"status": ["FAILED"]}}, True),
    "any of a list": ({"resources": ["arn:aws:batch:2"]}, True),
    "a number": ({"detail": {"attempts": [3]}}, True),
    "true is not 1": ({"detail": {"flag": [1]}}, False),
    "true": ({"detail": {"flag": [True]}}, True),
    "null": ({"detail": {"none": [None]}}, True),
    "what is missing is not null": ({"detail": {"absent": [None]}}, False),
    "prefix": ({"detail": {"name": [{"prefix": "Thumbs"}]}}, True),
    "prefix of another case": ({"detail": {"name": [{"prefix": "thumbs"}]}}, False),
    "prefix regardless of case": ({"detail": {"name": [{"prefix": {"equals-ignore-case": "THUMBS"}}]}}, True),
    "suffix": ({"detail": {"name": [{"suffix": "-7"}]}}, True),
    "equals ignore case": ({"detail": {"name": [{"equals-ignore-case": "THUMBS-7"}]}}, True),
    "wildcard": ({"detail": {"name": [{"wildcard": "T*-*7"}]}}, True),
    "wildcard that does not fit": ({"detail": {"name": [{"wildcard": "T*8"}]}}, False),
    "wildcard whose ends overlap": ({"detail": {"name": [{"wildcard": "Thumbs-7*7"}]}}, False),
    "anything but": ({"detail": {"status": [{"anything-but": "SUCCEEDED"}]}}, True),
    "anything but a list": ({"detail": {"status": [{"anything-but": ["SUCCEEDED", "FAILED"]}]}}, False),
    "anything but a prefix": ({"detail": {"name": [{"anything-but": {"prefix": "Th"}}]}}, False),
    "numeric": ({"detail": {"attempts": [{"numeric": [">", 2, "<=", 3]}]}}, True),
    "numeric out of range": ({"detail": {"attempts": [{"numeric": [">", 3]}]}}, False),
    "numeric of a text": ({"detail": {"status": [{"numeric": [">", 3]}]}}, False),
    "exists": ({"detail": {"status": [{"exists": True}]}}, True),
    "exists not": ({"detail": {"absent": [{"exists": False}]}}, True),
    "exists not, but does": ({"detail": {"status": [{"exists": False}]}}, False),
    "or": ({"$or": [{"source": ["aws.ecs"]}, {"detail": {"attempts": [3]}}]}, True),
    "or of nothing that fits": ({"$or": [{"source": ["aws.ecs"]}, {"detail": {"attempts": [4]}}]}, False),
    "inside of what is no object": ({"source": {"name": ["a"]}}, False),
}
# moto knows neither of these.
UNKNOWN_TO_THE_JUDGE = {
    "true is not 1", "prefix regardless of case", "suffix", "anything but a prefix", "wildcard",
    "wildcard that does not fit", "wildcard whose ends overlap", "inside of what is no object",
    "what is missing is not null", "equals ignore case", "anything but", "anything but a list",
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_a_pattern_matches(case):
    pattern, expected = CASES[case]
    check(pattern, "spec.eventPattern")
    assert matches(pattern, EVENT) == expected


@pytest.mark.parametrize("case", sorted(CASES.keys() - UNKNOWN_TO_THE_JUDGE))
def test_an_independent_judge_says_the_same(case):
    pattern, expected = CASES[case]
    assert EventPattern(None, pattern).matches_event(EVENT) == expected


FAULTS = {
    "nothing": ({}, "spec.eventPattern", "matches nothing"),
    "a bare value": ({"source": "aws.batch"}, "spec.eventPattern.source", "takes a list"),
    "an empty list": ({"source": []}, "spec.eventPattern.source", "takes a list"),
    "lists of lists": ({"source": [["a"]]}, "spec.eventPattern.source", "not lists of them"),
    "two operators": (
        {"source": [{"prefix": "a", "suffix": "b"}]},
        "spec.eventPattern.source",
        "one operator",
    ),
    "an unknown operator": (
        {"source": [{"regexp": "a"}]},
        "spec.eventPattern.source",
        "no comparison 'regexp'",
    ),
    "a prefix of a number": ({"source": [{"prefix": 1}]}, "spec.eventPattern.source", "takes a text"),
    "exists maybe": ({"source": [{"exists": "maybe"}]}, "spec.eventPattern.source", "true or false"),
    "half a comparison": ({"a": [{"numeric": [">"]}]}, "spec.eventPattern.a", "numeric takes"),
    "two stars": ({"a": [{"wildcard": "a**b"}]}, "spec.eventPattern.a", "no two"),
    "or of one": ({"$or": {"a": ["b"]}}, "spec.eventPattern.$or", "a list of patterns"),
    "too many": ({"a": list(range(1001))}, "spec.eventPattern", "over 1000"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_what_eventbridge_would_not_take_is_refused_with_its_place(case):
    pattern, field, fault = FAULTS[case]
    with pytest.raises(Invalid, match=fault) as raised:
        check(pattern, "spec.eventPattern")
    assert raised.value.field == field


leaves = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "ab", "b*"])
operators = st.sampled_from(
    [{"prefix": "a"}, {"suffix": "b"}, {"exists": True}, {"exists": False}, {"numeric": [">", 0]},
     {"anything-but": ["a", 1]}, {"wildcard": "a*b"}, {"equals-ignore-case": "A"}]
)  # fmt: skip
names = st.sampled_from(["a", "b", "c"])
patterns = st.recursive(
    st.lists(leaves | operators, min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=6,
)
events = st.recursive(
    leaves,
    lambda inner: st.dictionaries(names, inner, max_size=3) | st.lists(inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(names, patterns, min_size=1, max_size=3), st.dictionaries(names, events, max_size=3))
def test_a_checked_pattern_is_matched_against_any_json(pattern, event):
    check(pattern, "spec.eventPattern")
    assert matches(pattern, event) in {True, False}
    assert matches({"$or": [pattern]}, event) == matches(pattern, event)
