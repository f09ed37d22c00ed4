"""When a new revision may be begun.

Invariant: a schedule and a time zone that are stored can be evaluated: what has no meaning is refused with
its field.
"""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, StringConstraints

from pierhead.model import Duration, Model, Rule, seconds

_FIELDS = r"^[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4}$"


def _evaluated(schedule: str) -> str:
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 (for those who use it)

    try:
        next(CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, ValueError, AssertionError) as error:
        raise ValueError(f"is not a cron schedule: {error}") from None
    except (StopIteration, RuntimeError):
        raise ValueError("is a cron schedule that never comes") from None
    return schedule


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (LookupError, OSError, ValueError):
        raise ValueError("is not a time zone of the IANA database, such as Europe/Berlin") from None
    return zone


Schedule = Annotated[
    str, StringConstraints(min_length=9, max_length=128, pattern=_FIELDS), AfterValidator(_evaluated)
]
TimeZone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][0-9A-Za-z_+/-]*$"),
    AfterValidator(_known),
]


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
