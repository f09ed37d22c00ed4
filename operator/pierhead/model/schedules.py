"""Schedules and time zones that people write.

Invariant: a schedule and a time zone that are stored can be evaluated: what has no meaning is refused with
its field.
"""

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, StringConstraints

_FIELDS = r"^[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4}$"


def evaluated(schedule: str) -> str:
    """The schedule. Raises ValueError for one that has no meaning or never comes."""
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
    str, StringConstraints(min_length=9, max_length=128, pattern=_FIELDS), AfterValidator(evaluated)
]
TimeZone = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][0-9A-Za-z_+/-]*$"),
    AfterValidator(_known),
]
