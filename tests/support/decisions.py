"""Observations for tables of decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.apps.history.release import Status
from pierhead.apps.situation import Health, Observation, Revision

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CURRENT = Health("Current")
PROGRESS = Health("InProgress", "Deployment shop: 1 of 3 available")
FAILED = Health("Failed", "Deployment shop: progress deadline exceeded")


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def revision(number: int, status: Status, digest: str | None = "new", **more: Any) -> Revision:
    return Revision(number, status, more.pop("at", ago(1 / 6)), digest, **more)


def seen(*history: Revision, **more: Any) -> Observation:
    defaults: dict[str, Any] = {
        "desired": "new",
        "applied": True,
        "health": CURRENT,
        "drift": (),
        "now": NOW,
        "timeout": timedelta(minutes=5),
    }
    return Observation(history=history, **{**defaults, **more})
