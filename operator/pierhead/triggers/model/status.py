"""What an EventTrigger tells of itself.

Invariant: bounded, whatever was started; nothing of an event but its digest and its time is in it.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints, WithJsonSchema

from pierhead.model import Model, Status

MOST_SHOWN = 20
MESSAGE_LIMIT = 512

Timestamp = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class Refused(Model):
    """An event that could not start anything."""

    model_config = ConfigDict(extra="ignore")

    id: Annotated[str, StringConstraints(max_length=64)]
    """Digest of the event."""

    reason: Annotated[str, StringConstraints(max_length=128)]
    """Why, in one CamelCase word."""

    message: Annotated[str, StringConstraints(max_length=MESSAGE_LIMIT)]
    """Why, for people."""


class EventTriggerStatus(Status):
    """What was started lately."""

    model_config = ConfigDict(extra="ignore")

    active: list[Annotated[str, StringConstraints(max_length=253)]] | None = Field(
        default=None, max_length=MOST_SHOWN
    )
    """Names of what was started and has not ended: the oldest ones."""

    active_count: Annotated[int, Field(ge=0)] = 0
    """How many there are."""

    last_schedule_time: Timestamp | None = None
    """The time of the schedule for which something was started last."""

    last_event_time: Timestamp | None = None
    """When what an event started last was created."""

    last_successful_time: Timestamp | None = None
    """When something that was started succeeded last."""

    last_refused: Refused | None = None
    """The last event that could not start anything, until one does."""
