"""What is shown of a BatchJob."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.cli.batch.picture import line, picture
from pierhead.cli.batch.views import details, duration_of, duration_text, state_of, summary, waits_for

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
START = "2026-01-02T03:00:00Z"
BARE = {
    "metadata": {"name": "j", "namespace": "n", "generation": 1},
    "spec": {"queue": "q", "completions": 5},
}


def batch_job(*conditions: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {**BARE, "status": {"observedGeneration": 1, "conditions": list(conditions), **status}}


def told(kind: str, status: str = "True", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, **more}


RUNNING = told("Ready", "False", reason="Running", message="1 of 5 indexes succeeded")
STUCK = told("Schedulable", "False", reason="JobsNotRunnable", message="CAPACITY:none")


def test_one_that_nobody_has_looked_at_has_a_line() -> None:
    found = summary(BARE, NOW)
    assert (found["status"], found["size"], found["succeeded"]) == ("Pending", 5, 0)
    assert (found["durationSeconds"], found["current"]) == (None, False)
    assert details(BARE, NOW)["failures"] == []
    assert "not looked at yet" in picture(BARE, NOW, width=80, height=24).plain


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([RUNNING], "Running"),
        ([told("Complete"), told("Ready", reason="Completed")], "Complete"),
        ([told("Failed"), told("Ready", "False", reason="FailedIndexes")], "Failed"),
        ([told("Ready", "False", reason="Suspended"), told("Suspended")], "Suspended"),
    ],
)
def test_its_status_is_one_word(conditions: list[dict[str, Any]], expected: str) -> None:
    assert state_of(batch_job(*conditions)) == expected


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (batch_job(), None),
        (batch_job(RUNNING, startTime=START), 245),
        (batch_job(told("Complete"), startTime=START, completionTime="2026-01-02T03:00:09Z"), 9),
        (batch_job(told("Failed", lastTransitionTime="2026-01-02T03:01:00Z"), startTime=START), 60),
        (batch_job(told("Suspended", lastTransitionTime="2026-01-02T03:00:30Z"), startTime=START), 30),
    ],
)
def test_its_duration_ends_with_it(obj: dict[str, Any], expected: float | None) -> None:
    assert duration_of(obj, NOW) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, ""),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (425, "7m5s"),
        (3599, "59m59s"),
        (3600, "1h"),
        (11_520, "3h12m"),
        (86_400, "1d"),
        (187_200, "2d4h"),
    ],
)
def test_a_duration_is_short(seconds: float | None, expected: str) -> None:
    assert duration_text(seconds) == expected


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (batch_job(RUNNING, STUCK), "CAPACITY:none"),
        (batch_job(told("Failed"), STUCK, states={"runnable": 2}), None),
        (batch_job(RUNNING, states={"runnable": 2}), "2 wait for capacity of the queue"),
        (batch_job(RUNNING, states={"running": 2}), None),
    ],
)
def test_what_it_waits_for(obj: dict[str, Any], expected: str | None) -> None:
    assert waits_for(obj) == expected


def test_the_line_of_a_change_does_not_change_with_time() -> None:
    obj = batch_job(
        RUNNING, STUCK, size=5, succeeded=1, active=4, states={"running": 3, "runnable": 1}, startTime=START
    )
    expected = (
        "Running 1/5, 0 failed, 4 active, 0 waiting (running 3, runnable 1), round 0; "
        "waits for: CAPACITY:none"
    )
    assert line(obj, NOW) == line(obj, datetime(2027, 1, 1, tzinfo=UTC)) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (told("Ready", "False", reason="PolicyDenied", message="not the queue"), "round 0; not the queue"),
        (RUNNING, "round 0"),
    ],
)
def test_a_line_says_why_nothing_runs(condition: dict[str, Any], expected: str) -> None:
    assert line(batch_job(condition), NOW).endswith(expected)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (20, 8), (1, 1), (200, 60)])
def test_the_picture_of_a_hundred_thousand_fits_the_terminal(width: int, height: int) -> None:
    obj = batch_job(RUNNING, size=100_000, succeeded=60_000, completedIndexes="0-59999", active=40_000)
    lines = picture(obj, NOW, width=width, height=height).plain.splitlines()
    grid = [text for text in lines if set(text) <= set("█▓▒░·?") and text]
    assert len(grid) == max(1, height - 7)
    assert len(lines) <= max(height, 8)
    assert all(len(text) <= width for text in grid)
