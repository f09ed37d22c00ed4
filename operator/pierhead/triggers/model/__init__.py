"""The EventTrigger resource: what starts objects of ours."""

from pierhead.model import AGE, MESSAGE, READY, REASON, Column, CustomResource
from pierhead.triggers.model.spec import EventTriggerSpec
from pierhead.triggers.model.status import EventTriggerStatus

__all__ = ["RESOURCE", "EventTriggerSpec", "EventTriggerStatus"]

RESOURCE = CustomResource(
    kind="EventTrigger",
    plural="eventtriggers",
    short_names=("evtrig",),
    spec=EventTriggerSpec,
    status=EventTriggerStatus,
    description="Starts a BatchJob from an upload to S3, an event of EventBridge, or a schedule.",
    columns=(
        READY,
        Column("Schedule", ".spec.schedule"),
        Column("Queue", ".spec.queue"),
        Column("Suspend", ".spec.suspend", type="boolean"),
        Column("Active", ".status.activeCount", type="integer", description="Started and not ended"),
        Column("Last schedule", ".status.lastScheduleTime", type="date", priority=1),
        Column("Last event", ".status.lastEventTime", type="date", priority=1),
        REASON,
        MESSAGE,
        AGE,
    ),
)
