"""From how a reconcile ended to what the object's status says and when it is due again.

Invariant: pure, and a fixed point: a second end like the first yields the very status that is stored, so
nothing is written. A failure never erases what the kind last knew. The text of an unknown exception goes
nowhere: it may hold a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from pierhead.engine import conditions
from pierhead.engine.conditions import READY, RECONCILING, STALLED, Condition
from pierhead.engine.events import EventType
from pierhead.engine.outcome import Conflict, Outcome, ReconcileError, Throttled, Waiting

INTERNAL_ERROR = "InternalError"

_BRIEF = 1024
_ENGINE_TYPES = frozenset({READY, RECONCILING, STALLED})
_ENGINE_FIELDS = frozenset({"conditions", "observedGeneration"})

End = Outcome | Exception
"""A reconcile that ended."""

Result = Literal[
    "success", "requeue_after", "waiting", "throttled", "conflict", "terminal", "transient", "bug"
]


@dataclass(frozen=True, slots=True)
class Next:
    """When the key is due again, beside events."""

    result: Result
    after: float | None = None
    """Seconds until then; None leaves it to events, the resync or the backoff."""
    backoff: bool = False
    """Whether to wait the key's backoff; otherwise the backoff ends, except after a Throttled."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An Event worth emitting."""

    type: EventType
    reason: str
    message: str


def next_of(end: End) -> Next:
    """When to reconcile again after this end."""
    match end:
        case Outcome(requeue_after=after):
            found = Next("success" if after is None else "requeue_after", after=after)
        case Waiting(after=after):
            found = Next("waiting", after=after)
        case Throttled(after=after):
            found = Next("throttled", after=after)
        case Conflict():
            found = Next("conflict", after=0.0)
        case ReconcileError(terminal=True, look_again=after):
            found = Next("terminal", after=after)
        case ReconcileError():
            found = Next("transient", backoff=True)
        case _:
            found = Next("bug", backoff=True)
    return found


def status_of(
    end: End, *, stored: Mapping[str, Any], generation: int, now: datetime
) -> dict[str, Any] | None:
    """The whole status this end makes true; None when it makes none true (a Conflict), or tells none.

    `stored` is the status the object has.
    """
    if isinstance(end, Conflict) or (isinstance(end, Outcome) and not end.told):
        return None
    previous = _conditions(stored)
    if isinstance(end, Outcome):
        fields: Mapping[str, Any] = end.status
        rendered = conditions.render(end.conditions, previous=previous, generation=generation, now=now)
    else:
        given = end.status if isinstance(end, ReconcileError) else None
        fields = stored if given is None else given
        rendered = _failed(end, previous=previous, generation=generation, now=now)
    own = {name: value for name, value in fields.items() if name not in _ENGINE_FIELDS}
    return {**own, "observedGeneration": generation, "conditions": rendered}


def notice_of(stored: Mapping[str, Any], status: Mapping[str, Any]) -> Notice | None:
    """What a person should hear of: a stall or a bug begins (or changes its reason), or Ready is regained.

    What becomes Ready as expected is in the log: an Event of each upgrade would cost every one a request.
    """
    before = {entry.get("type"): entry for entry in _conditions(stored)}
    after = {entry["type"]: entry for entry in status["conditions"]}
    ready, was_ready = after.get(READY), before.get(READY, {})
    bug = ready if ready is not None and ready["reason"] == INTERNAL_ERROR else None
    for trouble, past in ((after.get(STALLED), before.get(STALLED, {})), (bug, was_ready)):
        if trouble is not None:
            told = trouble["reason"] == past.get("reason")
            return None if told else Notice("Warning", trouble["reason"], trouble["message"])
    return news_of_ready(stored, status) if was_ready.get("status") == "False" else None


def news_of_ready(stored: Mapping[str, Any], status: Mapping[str, Any]) -> Notice | None:
    """What Ready says, if it is True now and did not say so before."""
    for entry in status["conditions"]:
        if entry["type"] == READY and entry["status"] == "True":
            found = Notice("Normal", entry["reason"], entry["message"])
            past = next((one for one in _conditions(stored) if one.get("type") == READY), {})
            told = past.get("status") == "True" and past.get("reason") == found.reason
            return None if told and past.get("message") == found.message else found
    return None


def _failed(
    error: Exception, *, previous: Sequence[Mapping[str, Any]], generation: int, now: datetime
) -> list[dict[str, Any]]:
    """The engine's conditions for a failure, beside the kind's own as they are stored or newly true."""
    own = error.conditions if isinstance(error, ReconcileError) else ()
    fresh = conditions.render(
        (*own, *_conditions_of(error, previous)), previous=previous, generation=generation, now=now
    )
    told = _ENGINE_TYPES | {condition.type for condition in own}
    kept = [dict(entry) for entry in previous if entry.get("type") not in told]
    return sorted([*kept, *fresh], key=lambda entry: str(entry["type"]))


def _conditions_of(error: Exception, previous: Sequence[Mapping[str, Any]]) -> tuple[Condition, Condition]:
    if isinstance(error, ReconcileError):
        reason, message = error.reason, str(error)
    else:
        reason = INTERNAL_ERROR
        message = f"pierhead failed with {type(error).__name__}; this is a bug in it, its log says where"
    ready = conditions.not_ready(reason, message)
    if isinstance(error, Waiting) and not _was_not_ready(previous):
        ready = replace(ready, status="Unknown")
    if isinstance(error, ReconcileError) and error.terminal:
        return ready, conditions.stalled(reason, _brief(message))
    return ready, conditions.reconciling(reason, _brief(message))


def _brief(message: str) -> str:
    """The message of the condition beside Ready, which has it in full: status is bounded."""
    return message if len(message) <= _BRIEF else message[: _BRIEF - 1] + "…"


def _was_not_ready(previous: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the object stands as failed: waiting does not take that back, only Ready does."""
    return any(entry.get("type") == READY and entry.get("status") == "False" for entry in previous)


def _conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    stored = status.get("conditions")
    return [entry for entry in stored if isinstance(entry, Mapping)] if isinstance(stored, list) else []
