"""When new revisions may be begun, as a pure function of the windows and the time.

Invariant: the opening that is told is the first instant from now on at which the windows are open: each step
of the search leaps over nothing but closed time. A window lasts for its duration of real time, whatever the
clocks on the wall do meanwhile; a schedule at a fixed hour begins once a day: what falls into the hour that
is skipped begins after it, and in the hour that comes twice it begins the first time (as Debian's cron does).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from pierhead.apps.model.windows import Window
from pierhead.apps.situation import Gate, State
from pierhead.model import GROUP, seconds

IGNORE_WINDOWS = f"{GROUP}/ignore-windows"
"""Annotation for emergencies: the RFC 3339 time until which the windows hold nothing back."""

_LEAPS = 200
"""Steps of one search; where they do not suffice the windows are looked at again at the time reached."""

_TICK = timedelta(seconds=1)
_AMBIGUOUS = timedelta(hours=3)
"""More than any clock is ever put back."""


@dataclass(frozen=True, slots=True)
class Opening:
    """When closed windows open, and what closes them now."""

    at: datetime
    """In UTC."""

    certain: bool
    """False where they are only known to be closed until then."""

    closed_by: int | None
    """The Deny window that is in force; None where merely no Allow window is."""


def opening(windows: Sequence[Window], now: datetime) -> Opening | None:
    """When the windows open; None while they are open."""
    first: int | None = None
    at = now
    for leap in range(_LEAPS):
        ends = {
            index: end
            for index, window in enumerate(windows)
            if window.kind == "Deny" and (end := _covered_until(window, at)) is not None
        }
        if leap == 0:
            first = next(iter(ends), None)
        if ends:
            at = max(ends.values())
            continue
        allowing = [window for window in windows if window.kind == "Allow"]
        if not allowing or any(_covered_until(window, at) is not None for window in allowing):
            return Opening(at, certain=True, closed_by=first) if leap else None
        starts = [start for window in allowing if (start := _next_start(window, at)) is not None]
        if not starts:
            return Opening(at + timedelta(days=1), certain=False, closed_by=first)
        at = min(starts)
    return Opening(at, certain=False, closed_by=first)


def window_gate(windows: Sequence[Window], annotations: Mapping[str, str], now: datetime) -> Gate | None:
    """What holds a new revision back; None while the windows are open, or ignored for now."""
    if not windows:
        return None
    closed = opening(windows, now)
    ignored = annotations.get(IGNORE_WINDOWS, "")
    until = _time(ignored)
    if closed is None or (until is not None and now < until):
        return None
    which = "no Allow window is open" if closed.closed_by is None else _named(windows, closed.closed_by)
    opens = f"opens {closed.at:%Y-%m-%dT%H:%M:%SZ}" if closed.certain else "no opening is in sight"
    message = f"{which}; {opens}"
    if ignored and until is None:
        message += f" (the annotation {IGNORE_WINDOWS} is not a time such as 2026-11-24T18:00:00Z)"
    return Gate(State.PENDING, "WindowClosed", message, closed.at)


def _named(windows: Sequence[Window], index: int) -> str:
    window = windows[index]
    return f"spec.windows[{index}] (Deny {window.schedule}, {window.time_zone}) is in force"


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _covered_until(window: Window, at: datetime) -> datetime | None:
    """When the window ends that covers this instant; None where none does."""
    start = _last_start(window, at)
    if start is None:
        return None
    end = start + timedelta(seconds=seconds(window.duration))
    return end if end > at else None


def _next_start(window: Window, at: datetime) -> datetime | None:
    """The first beginning after this instant."""
    for tick in _ticks(window, at):
        start = tick.astimezone(UTC)
        # Within the hour that comes twice, the schedule goes by the clock on the wall alone.
        if start > at:
            return start
    return None


def _ticks(window: Window, at: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """Beginnings around this instant, and then ever further from it."""
    from cronsim import CronSim  # noqa: PLC0415 (for those who use it)

    local = at.replace(microsecond=0).astimezone(ZoneInfo(window.time_zone))
    if reverse:
        local = (local.astimezone(UTC) + (_AMBIGUOUS if local.fold else _TICK)).astimezone(local.tzinfo)
    return CronSim(window.schedule, local, reverse=reverse)


def _last_start(window: Window, at: datetime) -> datetime | None:
    """The last beginning up to this instant, this instant included."""
    for tick in _ticks(window, at, reverse=True):
        start = tick.astimezone(UTC)
        if start <= at:
            return start
    return None
