"""What is known of an object that was started follows from the object, whatever people have done to it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.triggers.children import child_of

SENT = datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotations", "sent"),
    [
        ({"pierhead.dev/event-sent": "2026-01-01T12:00:00.250+00:00"}, SENT),
        ({"pierhead.dev/event-sent": "2026-01-01T12:00:00.250Z"}, SENT),
        ({"pierhead.dev/event-sent": "2026-01-01T12:00:00"}, None),
        ({"pierhead.dev/event-sent": "yesterday"}, None),
        (None, None),
    ],
)
def test_when_its_event_was_sent(annotations, sent):
    metadata = {"name": "a", "uid": "u", "creationTimestamp": "2026-01-01T12:00:00Z"}
    obj = {"metadata": metadata | ({"annotations": annotations} if annotations is not None else {})}
    assert child_of(obj).sent == sent


def job(end: str | None, told: str | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "j", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"}
    if told is not None:
        metadata["annotations"] = {"pierhead.dev/announced": told}
    conditions = (
        [{"type": end, "status": "True", "lastTransitionTime": "2026-01-02T00:00:00Z"}] if end else []
    )
    return {"metadata": metadata, "status": {"conditions": conditions}}


@pytest.mark.parametrize(
    ("end", "told", "expected"),
    [
        ("Failed", None, False),
        ("Failed", "Failed@2026-01-02T00:00:00Z", True),
        (None, "Failed@2026-01-02T00:00:00Z", False),
        ("Complete", "Failed@2026-01-02T00:00:00Z", False),
        ("Failed", "Failed@2026-01-01T00:00:00Z", False),
    ],
    ids=["not told", "told", "taken up again", "ended anew", "failed anew"],
)
def test_an_end_was_told_if_it_was_that_one(end: str | None, told: str | None, expected: bool) -> None:
    assert child_of(job(end, told)).announced == expected
