"""What authors of EventTriggers write.

Invariant: a schedule that is stored comes some time, and a pattern can be matched; what is started lives in
the EventTrigger's own namespace.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pierhead.expressions import ExpressionText
from pierhead.model import FreeForm, Model, Rule, exactly_one
from pierhead.model.aws import AwsAccess
from pierhead.model.schedules import TimeZone, evaluated
from pierhead.triggers.cron import MACROS
from pierhead.triggers.model.sources import QueueName, S3Events
from pierhead.triggers.model.template import (
    MOST_ASSIGNMENTS,
    Announcement,
    Assignment,
    Deduplication,
    ObjectTemplate,
)

MOST_HISTORY = 100

_SCHEDULE = (
    r"^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)"
    r"|[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4})$"
)


def _comes(schedule: str) -> str:
    evaluated(MACROS.get(schedule, schedule))
    return schedule


Schedule = Annotated[
    str, StringConstraints(min_length=6, max_length=128, pattern=_SCHEDULE), AfterValidator(_comes)
]


class EventTriggerSpec(Model):
    """What starts what."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("schedule", "s3", "eventPattern"),
        Rule(
            "has(self.schedule) != has(self.queue)",
            "s3 and eventPattern need a queue, and a schedule has none",
            lambda spec: (spec.schedule is None) != (spec.queue is None),
        ),
        Rule(
            "has(self.schedule) || (!has(self.timeZone) && !has(self.startingDeadlineSeconds))",
            "timeZone and startingDeadlineSeconds need a schedule",
            lambda spec: (
                spec.schedule is not None
                or (spec.time_zone is None and spec.starting_deadline_seconds is None)
            ),
        ),
    )

    suspend: bool | None = None
    """Whether nothing is started: a schedule's times pass, and events stay in their queue. What runs goes on.
    Defaults to false."""

    schedule: Schedule | None = None
    """When something is started, as in a CronJob: five cron fields (minute, hour, day of month, month, day of
    week), or @hourly, @daily, @weekly, @monthly, @yearly."""

    time_zone: TimeZone | None = None
    """IANA name of the zone the schedule is written in, such as Europe/Berlin. Defaults to UTC."""

    starting_deadline_seconds: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """How long after a time of the schedule it may still be started. Defaults to any time, of which only the
    latest is."""

    s3: S3Events | None = None
    """Objects of a bucket that come or go, by S3's own notifications, or through EventBridge or SNS."""

    event_pattern: FreeForm | None = None
    """Events of EventBridge: an event pattern. The rule that fills the queue may be wider."""

    queue: QueueName | None = None
    """Name of the SQS queue that the events come through, in the account of who reads it. Several
    EventTriggers may share it; what none of them wants is deleted from it."""

    aws: AwsAccess | None = None
    """Where the queue, the bucket, the bus and the topic are, and who uses them."""

    filter: ExpressionText | None = None
    """CEL over `event` that has to be true. Defaults to true."""

    deduplication: Deduplication | None = None
    """Which events are the same."""

    template: ObjectTemplate
    """The object that is started."""

    name: ExpressionText | None = None
    """CEL over `event`, and `lines`: a text that the name of what is started begins with; a digest follows.
    Defaults to the EventTrigger's own name."""

    assign: list[Assignment] | None = Field(default=None, max_length=MOST_ASSIGNMENTS)
    """Values of the object that follow from the event."""

    concurrency_policy: Literal["Allow", "Forbid", "Replace"] | None = None
    """While something that was started runs: `Allow` starts more; `Forbid` lets a schedule's time pass, and
    events wait in the queue; `Replace` starts the new and deletes it. Defaults to Allow."""

    successful_jobs_history_limit: Annotated[int, Field(ge=0, le=MOST_HISTORY)] | None = None
    """How many that succeeded are kept. Defaults to 3."""

    failed_jobs_history_limit: Annotated[int, Field(ge=0, le=MOST_HISTORY)] | None = None
    """How many that failed are kept. Defaults to 1."""

    on_completion: Announcement | None = None
    """Where the end of what was started is told. Defaults to nowhere."""
