"""How an ended attempt is judged, and the small languages of rules and intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead_sandbox.aws.batch.states import in_intervals, matches, parse_intervals, retries

LOST = {"exit_code": None, "reason": "", "status_reason": "Host EC2 (instance i-1) terminated."}
FAILED = {"exit_code": 1, "reason": "Error", "status_reason": "Essential container in task exited"}


def rule(action, **patterns):
    return {"action": action, **patterns}


TABLE = [
    ("no strategy", {}, 1, FAILED, False),
    ("attempts left", {"attempts": 2}, 1, FAILED, True),
    ("no attempts left", {"attempts": 2}, 2, FAILED, False),
    ("exit rule", {"attempts": 3, "evaluateOnExit": [rule("EXIT", onExitCode="1")]}, 1, FAILED, False),
    ("another exit code", {"attempts": 3, "evaluateOnExit": [rule("EXIT", onExitCode="2")]}, 1, FAILED, True),
    (
        "exit code by prefix",
        {"attempts": 3, "evaluateOnExit": [rule("exit", onExitCode="1*")]},
        1,
        FAILED,
        False,
    ),
    (
        "first match wins",
        {"attempts": 3, "evaluateOnExit": [rule("RETRY", onReason="Err*"), rule("EXIT", onReason="*")]},
        1,
        FAILED,
        True,
    ),
    (
        "all patterns of a rule have to match",
        {"attempts": 3, "evaluateOnExit": [rule("EXIT", onReason="Err*", onExitCode="2")]},
        1,
        FAILED,
        True,
    ),
    (
        "host loss",
        {
            "attempts": 3,
            "evaluateOnExit": [rule("RETRY", onStatusReason="Host EC2*"), rule("EXIT", onReason="*")],
        },
        1,
        LOST,
        True,
    ),
    (
        "a retry rule gives no attempts",
        {"attempts": 1, "evaluateOnExit": [rule("RETRY", onReason="*")]},
        1,
        LOST,
        False,
    ),
]


@pytest.mark.parametrize(
    ("strategy", "attempt", "end", "expected"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_retries(strategy, attempt, end, expected):
    assert retries(strategy, attempt=attempt, **end) is expected


@given(st.text(), st.text())
def test_an_asterisk_matches_only_at_the_end(text, rest):
    assert matches(text, "*")
    assert matches(text + rest, text + "*")
    assert matches(text, text) or text.endswith("*")


@given(st.sets(st.integers(min_value=0, max_value=300), min_size=1))
def test_intervals_hold_what_was_written(numbers):
    written = parse_intervals(",".join(str(number) for number in sorted(numbers)))
    assert {number for number in range(301) if in_intervals(number, written)} == numbers
    assert parse_intervals("3,7-9") == ((3, 3), (7, 9))


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1,,2", "1 2"])
def test_intervals_refuse(text):
    with pytest.raises(ValueError, match="not a list of numbers"):
        parse_intervals(text)
