"""What each end of a reconcile writes, when it comes back, and what people are told."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.engine.conditions import MESSAGE_LIMIT, Condition, not_ready, ready, reconciling
from pierhead.engine.outcome import (
    Conflict,
    Denied,
    Invalid,
    Outcome,
    ReconcileError,
    Throttled,
    Transient,
    Waiting,
)
from pierhead.engine.report import End, Next, Notice, news_of_ready, next_of, notice_of, status_of

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
LATER = datetime(2026, 5, 4, 4, 0, 0, tzinfo=UTC)
SECRET = "hunter2"


def entry(
    kind: str, status: str, reason: str, message: str = "", *, since: str = "2026-05-04T03:02:01Z"
) -> Any:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "observedGeneration": 3,
        "lastTransitionTime": since,
    }


def _with(error: ReconcileError, *conditions: Condition) -> ReconcileError:
    error.conditions = conditions
    return error


READY_BEFORE = {"conditions": [entry("Ready", "True", "Synced", since="2026-01-01T00:00:00Z")], "keys": 4}
FAILED_BEFORE = {"conditions": [entry("Ready", "False", "Denied", since="2026-01-01T00:00:00Z")]}

STATUS_ROWS: list[tuple[str, End, dict[str, Any], dict[str, tuple[str, str, str]]]] = [
    (
        "a good end shows the kind's conditions and nothing else",
        Outcome(status={"keys": 5}, conditions=(ready("Synced", "all keys"),)),
        FAILED_BEFORE,
        {"Ready": ("True", "Synced", "all keys")},
    ),
    (
        "waiting is not known to be wrong",
        Waiting("the queue has no room", reason="QueueFull"),
        READY_BEFORE,
        {
            "Ready": ("Unknown", "QueueFull", "the queue has no room"),
            "Reconciling": ("True", "QueueFull", "the queue has no room"),
        },
    ),
    (
        "waiting does not take a failure back",
        Waiting("the queue has no room"),
        FAILED_BEFORE,
        {
            "Ready": ("False", "Waiting", "the queue has no room"),
            "Reconciling": ("True", "Waiting", "the queue has no room"),
        },
    ),
    (
        "what passes is retried and said so",
        Transient("the API server does not answer"),
        READY_BEFORE,
        {
            "Ready": ("False", "TemporaryFailure", "the API server does not answer"),
            "Reconciling": ("True", "TemporaryFailure", "the API server does not answer"),
        },
    ),
    (
        "being throttled too",
        Throttled("AWS asks for less", after=7.0),
        READY_BEFORE,
        {
            "Ready": ("False", "Throttled", "AWS asks for less"),
            "Reconciling": ("True", "Throttled", "AWS asks for less"),
        },
    ),
    (
        "what the user wrote wrong stalls and starts with the field",
        Invalid("no such secret", field="spec.data[2].from.secret", reason="SecretNotFound"),
        READY_BEFORE,
        {
            "Ready": ("False", "SecretNotFound", "spec.data[2].from.secret: no such secret"),
            "Stalled": ("True", "SecretNotFound", "spec.data[2].from.secret: no such secret"),
        },
    ),
    (
        "a refusal stalls",
        Denied("ask an admin for the queue", field="spec.queue"),
        {},
        {
            "Ready": ("False", "Denied", "spec.queue: ask an admin for the queue"),
            "Stalled": ("True", "Denied", "spec.queue: ask an admin for the queue"),
        },
    ),
    (
        "a failure adds what the kind knows beside, and keeps the rest of the kind's own",
        _with(Transient("no answer"), Condition("Stale", "True", "ReadsFail", "for 3h")),
        {
            "conditions": [
                entry("Stale", "True", "ReadsFail", "old"),
                entry("RestartPending", "True", "Waiting"),
            ]
        },
        {
            "Ready": ("False", "TemporaryFailure", "no answer"),
            "Reconciling": ("True", "TemporaryFailure", "no answer"),
            "RestartPending": ("True", "Waiting", ""),
            "Stale": ("True", "ReadsFail", "for 3h"),
        },
    ),
    (
        "a bug shows its class and none of its text",
        ValueError(SECRET),
        READY_BEFORE,
        {
            "Ready": (
                "False",
                "InternalError",
                "pierhead failed with ValueError; this is a bug in it, its log says where",
            ),
            "Reconciling": (
                "True",
                "InternalError",
                "pierhead failed with ValueError; this is a bug in it, its log says where",
            ),
        },
    ),
]


@pytest.mark.parametrize(
    ("end", "stored", "expected"), [row[1:] for row in STATUS_ROWS], ids=[row[0] for row in STATUS_ROWS]
)
def test_conditions_by_end(
    end: End, stored: dict[str, Any], expected: dict[str, tuple[str, str, str]]
) -> None:
    status = status_of(end, stored=stored, generation=3, now=NOW)
    assert status is not None
    found = {item["type"]: (item["status"], item["reason"], item["message"]) for item in status["conditions"]}
    assert found == expected
    assert [item["type"] for item in status["conditions"]] == sorted(expected)
    assert status["observedGeneration"] == 3
    assert {item["observedGeneration"] for item in status["conditions"]} == {3}
    assert SECRET not in str(status)


@pytest.mark.parametrize("row", STATUS_ROWS, ids=[row[0] for row in STATUS_ROWS])
def test_the_same_end_again_writes_the_same_status(row: Any) -> None:
    _, end, stored, _ = row
    first = status_of(end, stored=stored, generation=3, now=NOW)
    assert first is not None
    assert status_of(end, stored=first, generation=3, now=LATER) == first


def test_a_conflict_writes_nothing() -> None:
    assert status_of(Conflict("moved on"), stored=READY_BEFORE, generation=3, now=NOW) is None


def test_an_end_that_tells_nothing_writes_nothing() -> None:
    end = Outcome(status={"keys": 9}, conditions=(ready("Synced", "all keys"),), told=False, requeue_after=2)
    assert status_of(end, stored=READY_BEFORE, generation=3, now=NOW) is None
    assert next_of(end) == Next("requeue_after", after=2)


def test_a_transition_time_moves_only_with_the_status_of_its_condition() -> None:
    status = status_of(
        Outcome(conditions=(ready("Rotated"), Condition("Fresh", "False", "Old"))),
        stored=READY_BEFORE,
        generation=4,
        now=NOW,
    )
    assert status is not None
    times = {item["type"]: item["lastTransitionTime"] for item in status["conditions"]}
    assert times == {"Ready": "2026-01-01T00:00:00Z", "Fresh": "2026-05-04T03:02:01Z"}


def test_a_stored_condition_without_a_time_gets_one() -> None:
    stored = {"conditions": [{"type": "Ready", "status": "True"}]}
    status = status_of(Outcome(conditions=(ready("Synced"),)), stored=stored, generation=1, now=NOW)
    assert status is not None
    assert status["conditions"][0]["lastTransitionTime"] == "2026-05-04T03:02:01Z"


def test_a_failure_keeps_what_the_kind_last_knew() -> None:
    released = entry("Released", "True", "Deployed")
    stored = {**READY_BEFORE, "conditions": [*READY_BEFORE["conditions"], released]}
    status = status_of(Transient("later"), stored=stored, generation=9, now=LATER)
    assert status is not None
    assert status["keys"] == 4
    assert released in status["conditions"]


def test_a_failure_may_bring_its_own_status() -> None:
    error = Invalid("two keys are missing", status={"keys": 2, "observedGeneration": 0})
    status = status_of(error, stored=READY_BEFORE, generation=3, now=NOW)
    assert status is not None
    assert (status["keys"], status["observedGeneration"]) == (2, 3)


def test_a_long_message_is_in_full_once_and_within_bounds() -> None:
    status = status_of(Invalid("x" * 100_000), stored={}, generation=1, now=NOW)
    assert status is not None
    lengths = {item["type"]: len(item["message"]) for item in status["conditions"]}
    assert lengths == {"Ready": MESSAGE_LIMIT, "Stalled": 1024}


def test_a_status_that_somebody_broke_does_not_break_the_report() -> None:
    stored = {"conditions": "none", "observedGeneration": "x"}
    assert status_of(Transient("later"), stored=stored, generation=1, now=NOW) is not None


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Outcome(), Next("success")),
        (Outcome(requeue_after=60.0), Next("requeue_after", after=60.0)),
        (Waiting("…"), Next("waiting")),
        (Waiting("…", after=5.0), Next("waiting", after=5.0)),
        (Throttled("…", after=5.0), Next("throttled", after=5.0)),
        (Conflict("…"), Next("conflict", after=0.0)),
        (Transient("…"), Next("transient", backoff=True)),
        (Invalid("…"), Next("terminal")),
        (Denied("…"), Next("terminal")),
        (KeyError("…"), Next("bug", backoff=True)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_when_the_key_is_due_again(end: End, expected: Next) -> None:
    assert next_of(end) == expected


@pytest.mark.parametrize("error", [Invalid("…"), Denied("…")])
def test_what_was_at_fault_is_looked_at_again_when_the_kind_says_so(error: Invalid | Denied) -> None:
    error.look_again = 5.0
    assert next_of(error) == Next("terminal", after=5.0)


def told(before: End | None, after: End) -> Notice | None:
    stored: dict[str, Any] = {}
    if before is not None:
        stored = status_of(before, stored={}, generation=1, now=NOW) or {}
    status = status_of(after, stored=stored, generation=1, now=NOW)
    assert status is not None
    return notice_of(stored, status)


GOOD = Outcome(conditions=(ready("Synced", "all keys"),))
BAD = Invalid("no such secret", reason="SecretNotFound")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, GOOD, None),
        (GOOD, GOOD, None),
        (None, BAD, Notice("Warning", "SecretNotFound", "no such secret")),
        (GOOD, BAD, Notice("Warning", "SecretNotFound", "no such secret")),
        (BAD, BAD, None),
        (BAD, Denied("not yours"), Notice("Warning", "Denied", "not yours")),
        (BAD, GOOD, Notice("Normal", "Synced", "all keys")),
        (Transient("later"), GOOD, Notice("Normal", "Synced", "all keys")),
        (Waiting("later"), GOOD, None),
        (GOOD, Outcome(conditions=(ready("Synced", "more keys"),)), None),
        (GOOD, Transient("later"), None),
        (GOOD, Waiting("later"), None),
        (BAD, Outcome(conditions=(not_ready("Rolling", ""), reconciling("Rolling", ""))), None),
    ],
)
def test_people_are_told_when_it_stalls_and_when_it_is_ready_again(
    before: End | None, after: End, expected: Notice | None
) -> None:
    assert told(before, after) == expected


MORE = Outcome(conditions=(ready("Synced", "more keys"),))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, GOOD, "all keys"),
        (Waiting("later"), GOOD, "all keys"),
        (GOOD, MORE, "more keys"),
        (GOOD, GOOD, None),
        (GOOD, BAD, None),
    ],
)
def test_the_log_has_each_thing_that_ready_says(before: End | None, after: End, expected: str | None) -> None:
    stored: dict[str, Any] = {}
    if before is not None:
        stored = status_of(before, stored={}, generation=1, now=NOW) or {}
    news = news_of_ready(stored, status_of(after, stored=stored, generation=1, now=LATER) or stored)
    assert (news.message if news is not None else None) == expected


def test_people_are_told_of_a_bug_once() -> None:
    notice = told(GOOD, KeyError(SECRET))
    assert notice is not None
    assert (notice.type, notice.reason) == ("Warning", "InternalError")
    assert SECRET not in notice.message
    assert told(KeyError("a"), KeyError("b")) is None
