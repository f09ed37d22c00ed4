"""From what was decided and done to the status and conditions of an EventTrigger. Pure.

Invariant: equal facts give equal status, and nothing of an event is in it but its digest and why it was
refused; times that only pass change nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pierhead.engine.conditions import Condition, ready
from pierhead.engine.outcome import ReconcileError
from pierhead.triggers.decide import Child
from pierhead.triggers.model import EventTriggerSpec
from pierhead.triggers.model.status import MESSAGE_LIMIT, MOST_SHOWN, EventTriggerStatus, Refused


def status_of(
    stored: EventTriggerStatus,
    children: Iterable[Child],
    *,
    scheduled: datetime | None,
    refused: Refused | None,
) -> dict[str, Any]:
    """The status's own fields.

    `scheduled` is the time of the schedule that was handled last; None leaves what is stored.
    """
    known = list(children)
    active = sorted((child for child in known if child.active), key=lambda child: (child.created, child.name))
    succeeded = max((child.ended for child in known if child.succeeded and child.ended), default=None)
    started = max((child.created for child in known if child.sent), default=None)
    found = EventTriggerStatus(
        active=[child.name for child in active[:MOST_SHOWN]] or None,
        active_count=len(active),
        last_schedule_time=to_text(scheduled) if scheduled else stored.last_schedule_time,
        last_event_time=_latest(stored.last_event_time, started),
        last_successful_time=_latest(stored.last_successful_time, succeeded),
        last_refused=refused,
    )
    return found.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"conditions", "observed_generation"}
    )


def _latest(stored: str | None, moment: datetime | None) -> str | None:
    return max(filter(None, (stored, to_text(moment) if moment else None)), default=None)


def conditions_of(spec: EventTriggerSpec, *, warning: str, refused: Refused | None) -> tuple[Condition, ...]:
    """The conditions of an EventTrigger that works."""
    if spec.suspend:
        found = [ready("Suspended", "nothing is started while spec.suspend is true")]
    elif spec.schedule is not None:
        zone = spec.time_zone or "UTC"
        found = [ready("Scheduled", f"starts at {spec.schedule} ({zone})")]
    else:
        found = [ready("Listening", f"events are read from the queue {spec.queue}")]
    if warning:
        found.append(Condition("ScheduleMissed", "True", "TimeNotStarted", warning))
    if refused is not None:
        found.append(Condition("EventRefused", "True", refused.reason, refused.message))
    return tuple(found)


def refusal_of(event_id: str, error: ReconcileError) -> Refused:
    """Why an event could not start anything."""
    text = str(error)
    short = text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"
    return Refused(id=event_id, reason=error.reason[:128], message=short)


def since(status: EventTriggerStatus, metadata: Mapping[str, Any]) -> datetime:
    """From when on times of the schedule count: the last that was handled, or the object's creation."""
    return datetime.fromisoformat(status.last_schedule_time or metadata["creationTimestamp"])


def last_success(status: EventTriggerStatus) -> datetime | None:
    """The latest success that the status tells of."""
    return datetime.fromisoformat(status.last_successful_time) if status.last_successful_time else None


def to_text(moment: datetime) -> str:
    """As Kubernetes writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
