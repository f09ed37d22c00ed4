"""What an AppRelease's status said before.

Invariant: pure; it is read as it was written, whichever version of pierhead wrote it.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.engine.conditions import READY, Condition
from pierhead.engine.resource import Resource


def own_fields(status: Mapping[str, Any]) -> dict[str, Any]:
    """The kind's own fields of a status."""
    return {key: value for key, value in status.items() if key not in {"conditions", "observedGeneration"}}


def stored_conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions that a status has."""
    return tuple(
        Condition(entry["type"], entry["status"], entry["reason"], entry.get("message", ""))
        for entry in status.get("conditions") or ()
    )


def kept_conditions(status: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Those that stay true while a release is left alone."""
    return tuple(entry for entry in stored_conditions(status) if entry.type in {"Healthy", "SourceReady"})


def is_settled(resource: Resource) -> bool:
    """Whether the status says Ready about the spec as it is."""
    observed = resource.status.get("observedGeneration") == resource.generation
    return observed and any(
        condition.type == READY and condition.status == "True"
        for condition in stored_conditions(resource.status)
    )


def only_words_differ(
    stored: Mapping[str, Any], status: Mapping[str, Any], conditions: tuple[Condition, ...]
) -> bool:
    """Whether a new status says the same as the stored one in other words."""
    before = [(entry.type, entry.status, entry.reason) for entry in stored_conditions(stored)]
    after = sorted((entry.type, entry.status, entry.reason) for entry in conditions)
    return before == after and own_fields(stored) == dict(status)
