"""What rules of health are made of: verdicts, and what an object tells.

Invariant: every reader is total: what is missing, or is not of the type it should be, reads as not told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pierhead.engine.resource import Object


class HealthStatus(StrEnum):
    """kstatus' six."""

    CURRENT = "Current"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Health:
    """A verdict and why."""

    status: HealthStatus
    message: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """One condition."""

    type: str
    status: str
    reason: str
    message: str
    generation: int | None

    @property
    def text(self) -> str:
        """Its message, or else its reason."""
        return self.message or self.reason or f"{self.type} is {self.status}"


def current(message: str = "") -> Health:
    """Done."""
    return Health(HealthStatus.CURRENT, message)


def in_progress(message: str) -> Health:
    """Under way."""
    return Health(HealthStatus.IN_PROGRESS, message)


def failed(message: str) -> Health:
    """Will not get there by itself."""
    return Health(HealthStatus.FAILED, message)


def conditions(obj: Object) -> tuple[Told, ...]:
    """`status.conditions`, without what is no condition."""
    found = value(obj, "status", "conditions")
    entries = found if isinstance(found, list) else []
    return tuple(_told(entry) for entry in entries if isinstance(entry, Mapping))


def condition(obj: Object, condition_type: str) -> Told | None:
    """The condition of this type."""
    return next((told for told in conditions(obj) if told.type == condition_type), None)


def is_true(obj: Object, condition_type: str) -> bool:
    """Whether the condition is there and True."""
    found = condition(obj, condition_type)
    return found is not None and found.status == "True"


def value(obj: Mapping[str, Any], *path: str) -> Any:
    """What is at the path; None where it leads nowhere."""
    found: Any = obj
    for step in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(step)
    return found


def number(obj: Mapping[str, Any], *path: str, default: int = 0) -> int:
    """The integer at the path."""
    found = value(obj, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def _told(entry: Mapping[str, Any]) -> Told:
    generation = entry.get("observedGeneration")
    return Told(
        type=str(entry.get("type", "")),
        status=str(entry.get("status", "")),
        reason=str(entry.get("reason") or ""),
        message=str(entry.get("message") or ""),
        generation=generation if isinstance(generation, int) else None,
    )
