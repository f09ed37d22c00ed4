"""What may be told of a failed hook where its inputs are not at hand."""

from datetime import UTC, datetime

import pytest

from pierhead.apps.history.release import Bookkeeping, Release, Status
from pierhead.apps.hooks.logs import without_values


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (Bookkeeping("digest", ()), "hunter22 refused hunter, 12345 and yes"),
        (Bookkeeping("digest", (), sensitive=True), "*** refused ***, *** and yes"),
        (None, "*** refused ***, *** and yes"),
    ],
)
def test_values_are_told_only_where_none_can_be_secret(kept, told):
    at = datetime(2026, 11, 23, tzinfo=UTC)
    values = {"a": "hunter", "list": [{"b": "hunter22", "c": 12345, "d": True}], "e": "yes"}
    chart = {"name": "shop", "version": "1.0.0", "apiVersion": "v2"}
    stored = Release(
        "shop", "team", 1, Status.DEPLOYED, "", "", at, at, chart=chart, values=values, bookkeeping=kept
    )
    assert without_values(stored, "hunter22 refused hunter, 12345 and yes") == told
