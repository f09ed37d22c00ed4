"""When a new revision may be begun."""

from typing import ClassVar, Literal

from pierhead.model import Duration, Model, Rule, seconds
from pierhead.model.schedules import Schedule, TimeZone


class Window(Model):
    """A time that comes again and again, in which new revisions may, or may not, be begun."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "duration(self.duration) > duration('0s')",
            "duration must be longer than nothing",
            lambda window: seconds(window.duration) > 0,
        ),
    )

    kind: Literal["Allow", "Deny"]
    """Whether new revisions may be begun inside it. Deny wins; with any Allow given, outside is closed."""

    schedule: Schedule
    """When it begins: five cron fields (minute, hour, day of month, month, day of week)."""

    duration: Duration
    """How long it lasts from each beginning."""

    time_zone: TimeZone = "UTC"
    """IANA name of the zone the schedule is written in, such as `Europe/Berlin`. Defaults to UTC."""
