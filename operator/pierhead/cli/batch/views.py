"""What is shown of a BatchJob, as data.

Invariant: pure, and total: an object that nobody has looked at yet has a view too, and fields of a newer
pierhead do not disturb. The keys are what `-o json` and `-o yaml` print; scripts rely on them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pierhead.batch.model.status import BEYOND
from pierhead.cli.conditions import condition, is_current
from pierhead.engine.resource import Object

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
COUNTS: Final = ("succeeded", "failed", "active", "waiting")


def size_of(obj: Mapping[str, Any]) -> int:
    """Number of indexes: as pierhead took it up, or as the spec wants it."""
    return int(status_of(obj).get("size") or spec_of(obj).get("completions") or 1)


def spec_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec."""
    found: Mapping[str, Any] = obj.get("spec") or {}
    return found


def status_of(obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status; empty when nobody has looked at the object yet."""
    found: Mapping[str, Any] = obj.get("status") or {}
    return found


def holds(obj: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of this type is True."""
    return condition(obj, kind).get("status") == "True"


def is_finished(obj: Mapping[str, Any]) -> bool:
    """Whether it is Complete or Failed."""
    return holds(obj, "Complete") or holds(obj, "Failed")


def state_of(obj: Mapping[str, Any]) -> str:
    """One word for what goes on: `Complete` and `Failed` are ends; else the reason of its Ready condition."""
    for kind in ("Complete", "Failed"):
        if holds(obj, kind):
            return kind
    if obj["metadata"].get("deletionTimestamp"):
        return "Terminating"
    return str(condition(obj).get("reason") or "Pending")


def duration_of(obj: Mapping[str, Any], now: datetime) -> float | None:
    """Seconds from its start to its end or to now; None where it has not begun."""
    status = status_of(obj)
    if not status.get("startTime"):
        return None
    end = status.get("completionTime") or condition(obj, "Failed").get("lastTransitionTime")
    if not is_finished(obj) and holds(obj, "Suspended"):
        end = condition(obj, "Suspended").get("lastTransitionTime")
    until = datetime.fromisoformat(str(end)) if end else now
    return max(0.0, (until - datetime.fromisoformat(str(status["startTime"]))).total_seconds())


def duration_text(seconds: float | None) -> str:
    """A length of time as kubectl has it: `42s`, `7m5s`, `3h12m`, `2d4h`."""
    if seconds is None:
        return ""
    total = int(seconds)
    if total < 2 * _MINUTE:
        return f"{total}s"
    for large, small, units in ((_MINUTE, 1, "ms"), (_HOUR, _MINUTE, "hm"), (_DAY, _HOUR, "dh")):
        if total < large * (24 if units == "hm" else 60) or units == "dh":
            more = total % large // small
            return f"{total // large}{units[0]}" + (f"{more}{units[1]}" if more else "")
    return ""  # pragma: no cover (days take every length)


def summary(obj: Object, now: datetime) -> dict[str, Any]:
    """One line of `list`."""
    status, ready = status_of(obj), condition(obj)
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "status": state_of(obj),
        "size": size_of(obj),
        **{name: int(status.get(name) or 0) for name in COUNTS},
        "queue": spec_of(obj).get("queue"),
        "round": int(status.get("round") or 0),
        "durationSeconds": duration_of(obj, now),
        "created": obj["metadata"].get("creationTimestamp"),
        "message": ready.get("message") or "not looked at yet",
        "current": is_current(obj),
    }


def details(obj: Object, now: datetime) -> dict[str, Any]:
    """What `get` shows."""
    spec, status = spec_of(obj), status_of(obj)
    return {
        **summary(obj, now),
        "states": dict(status.get("states") or {}),
        "waitsFor": waits_for(obj),
        "jobDefinition": status.get("jobDefinition") or spec.get("jobDefinition"),
        "startTime": status.get("startTime"),
        "completionTime": status.get("completionTime"),
        "completedIndexes": status.get("completedIndexes"),
        "failedIndexes": status.get("failedIndexes"),
        "lost": int(status.get("lost") or 0),
        "queuePosition": status.get("queuePosition"),
        "interruptions": dict(status.get("interruptions") or {"indexes": 0, "attempts": 0}),
        "managedBy": spec.get("managedBy"),
        "conditions": [
            {name: entry.get(name) for name in ("type", "status", "reason", "message", "lastTransitionTime")}
            for entry in status.get("conditions") or ()
        ],
        "failures": [dict(entry) for entry in status.get("failures") or ()],
        "shards": [dict(entry) for entry in status.get("shards") or ()],
    }


def waits_for(obj: Mapping[str, Any]) -> str | None:
    """Why something that could run does not, where anybody knows."""
    schedulable = condition(obj, "Schedulable")
    if schedulable.get("status") == "False" and not is_finished(obj):
        return str(schedulable.get("message") or schedulable.get("reason"))
    runnable = int((status_of(obj).get("states") or {}).get("runnable") or 0)
    if runnable and not is_finished(obj):
        position = status_of(obj).get("queuePosition")
        behind = f"behind {BEYOND - 1} others"
        line = f", {behind if position >= BEYOND else f'the first as number {position}'}" if position else ""
        return f"{runnable} wait for capacity of the queue{line}"
    return None
