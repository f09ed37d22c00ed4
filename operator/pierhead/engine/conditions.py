"""Conditions as Kubernetes' API conventions and kstatus read them.

Invariant: `lastTransitionTime` moves only when `status` does, so writing the same truth twice
changes nothing. Source: Kubernetes API conventions, "Typical status properties"; kstatus for
`Reconciling` and `Stalled`, which are present only while True.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

ConditionStatus = Literal["True", "False", "Unknown"]

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"

# The API server's own limit for metav1.Condition messages.
MESSAGE_LIMIT = 32768


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition before it meets the clock and the generation."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""


def ready(reason: str, message: str = "") -> Condition:
    """The object is what its spec says."""
    return Condition(READY, "True", reason, message)


def not_ready(reason: str, message: str) -> Condition:
    """The object is not, or not yet, what its spec says."""
    return Condition(READY, "False", reason, message)


def reconciling(reason: str, message: str) -> Condition:
    """Work is under way and expected to end."""
    return Condition(RECONCILING, "True", reason, message)


def stalled(reason: str, message: str) -> Condition:
    """Only a change by somebody helps."""
    return Condition(STALLED, "True", reason, message)


def render(
    conditions: Iterable[Condition],
    *,
    previous: Iterable[Mapping[str, Any]],
    generation: int,
    now: datetime,
) -> list[dict[str, Any]]:
    """The `status.conditions` list for these conditions, sorted by type.

    `previous` is the stored list: an entry keeps its lastTransitionTime while its status is the same.
    Of two conditions of one type the last counts.
    """
    stored = {entry.get("type"): entry for entry in previous}
    timestamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    rendered = []
    for _, condition in sorted({condition.type: condition for condition in conditions}.items()):
        before = stored.get(condition.type, {})
        since = before.get("lastTransitionTime") if before.get("status") == condition.status else None
        rendered.append(
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message[:MESSAGE_LIMIT],
                "observedGeneration": generation,
                "lastTransitionTime": since or timestamp,
            }
        )
    return rendered
