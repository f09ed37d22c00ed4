"""What is known of an object that was started follows from the object, whatever people have done to it."""

from datetime import UTC, datetime

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
