"""Which time of a schedule is due, by CronJob's rules. Pure.

Invariant: of all times that were missed only the latest is due; a time that is over its deadline never is.
Source: Kubernetes, `pkg/controller/cronjob/utils.go` (`mostRecentScheduleTime`), and the documentation of
CronJob. Other than there, a schedule at a fixed hour that falls into the hour that a zone skips is due after
it, as Debian's cron has it, and not at all in that day's CronJob.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

TOO_MANY = 100
"""Missed times above which somebody should know."""

MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Due:
    """What a schedule says at one moment."""

    at: datetime | None
    """The time that is due, in UTC; None for none."""
    next: datetime
    """The first time after now."""
    missed: int = 0
    """Times since the last one that was handled, `at` among them; counted to `TOO_MANY` + 1 at most."""


def due(
    schedule: str, zone: str, *, since: datetime, now: datetime, deadline_seconds: int | None = None
) -> Due:
    """The latest time of the schedule after `since` and until `now`, unless it is over its deadline."""
    earliest = since
    if deadline_seconds is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline_seconds))
    latest: datetime | None = None
    missed = 0
    for moment in _times(schedule, zone, earliest):
        if moment > now:
            return Due(latest, moment, missed)
        latest, missed = moment, missed + 1
        if missed > TOO_MANY:
            break
    return Due(_last(schedule, zone, now), next(_times(schedule, zone, now)), missed)


def _times(schedule: str, zone: str, after: datetime) -> Iterator[datetime]:
    """Its times after a moment."""
    from cronsim import CronSim  # noqa: PLC0415 (for those who use it)

    found = CronSim(MACROS.get(schedule, schedule), after.astimezone(ZoneInfo(zone)))
    return (moment for moment in (tick.astimezone(UTC) for tick in found) if moment > after)


def _last(schedule: str, zone: str, now: datetime) -> datetime:
    """Its latest time until a moment."""
    from cronsim import CronSim  # noqa: PLC0415 (for those who use it)

    start = (now + timedelta(seconds=1)).astimezone(ZoneInfo(zone))
    backwards = CronSim(MACROS.get(schedule, schedule), start, reverse=True)
    return next(moment for tick in islice(backwards, 4) if (moment := tick.astimezone(UTC)) <= now)
