"""What to do next for an EventTrigger. Pure: everything, the time too, comes in as an argument.

Invariant: nothing is started twice: what has a key that is there already has been started; nothing that
runs, or whose end was not told where it should be, is deleted as history; what an event started is kept
while the event may be told once more, and what a schedule started until the status tells of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from pierhead.triggers.cron import TOO_MANY, Due

REMEMBERED = timedelta(minutes=15)
"""How long what an event started is kept after its end: a queue may show a message again meanwhile."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Policy = Literal["Allow", "Forbid", "Replace"]
Verdict = Literal["Start", "Done", "Hold"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """Something that was started."""

    name: str
    uid: str
    key: str
    """What started it: equal for events that start one thing together, and for one time of a schedule."""
    created: datetime
    sent: datetime | None = None
    """When the event that started it came into its queue; None where that is not known."""
    replaces: bool = False
    """Whether it was started in place of all that ran then."""
    ended: datetime | None = None
    succeeded: bool = False
    announced: bool = False
    deleting: bool = False

    @property
    def active(self) -> bool:
        """Whether it runs."""
        return self.ended is None and not self.deleting


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision is made from."""

    now: datetime
    policy: Policy = "Allow"
    suspend: bool = False
    keep_successful: int = 3
    keep_failed: int = 1
    announces: bool = False
    last_success: datetime | None = None
    """The latest success that the status tells of."""
    children: tuple[Child, ...] = ()
    due: Due | None = None
    """What the schedule says; None without one."""
    scheduled_key: str = ""
    """The key of the time that is due."""
    waiting: tuple[str, ...] = ()
    """The keys of the waiting events, oldest first."""
    overtaken: frozenset[str] = frozenset()
    """Those of them that came into their queue before what has been started last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now."""

    scheduled: Verdict = "Hold"
    """What becomes of the time that is due."""
    events: tuple[Verdict, ...] = ()
    """What becomes of each waiting event."""
    announced: tuple[Child, ...] = ()
    """Whose end is to be told."""
    trimmed: tuple[Child, ...] = ()
    """To be deleted as history."""
    wake_at: datetime | None = None
    """When another decision may come out although nothing is seen to change."""
    warning: str = ""
    """Why a time was not started, or many were not, for people; empty if all is well."""


def decide(facts: Facts) -> Decision:
    """What to do now."""
    announced = tuple(
        child for child in facts.children if facts.announces and child.ended and not child.announced
    )
    trimmed, later = _history(facts, spared={child.uid for child in announced})
    scheduled, warning = _scheduled(facts)
    events = _events(facts)
    moments = [later] if later is not None else []
    if facts.due is not None and not facts.suspend:
        moments.append(facts.due.next)
    return Decision(
        scheduled=scheduled,
        events=events,
        announced=announced,
        trimmed=trimmed,
        wake_at=min(moments, default=None),
        warning=warning,
    )


def replaced(children: Iterable[Child], policy: Policy) -> tuple[Child, ...]:
    """What still runs of what a newer one was started to replace; to be deleted once that one is there.

    Not before: a crash in between would leave nothing that tells that the older event was started.
    """
    ordered = sorted(children, key=lambda child: (child.created, child.sent or _NEVER, child.name))
    newest = max((place for place, child in enumerate(ordered) if child.replaces), default=0)
    return tuple(child for child in ordered[:newest] if child.active) if policy == "Replace" else ()


def _scheduled(facts: Facts) -> tuple[Verdict, str]:
    if facts.due is None or facts.due.at is None:
        return "Hold", ""
    if facts.scheduled_key in {child.key for child in facts.children}:
        return "Done", ""
    if facts.suspend:
        return "Hold", ""
    many = ""
    if facts.due.missed > TOO_MANY:
        many = f"more than {TOO_MANY} times of the schedule were missed; only the latest is started"
    if facts.policy == "Forbid" and _active(facts.children):
        return (
            "Hold",
            f"{facts.due.at:%Y-%m-%dT%H:%M:%SZ} waits or passes, because what was started before runs",
        )
    return "Start", many


def _events(facts: Facts) -> tuple[Verdict, ...]:
    known = {child.key for child in facts.children}
    running = _active(facts.children)
    wanted = [key for key in dict.fromkeys(facts.waiting) if key not in known]
    if facts.suspend:
        chosen: Sequence[str] = ()
    elif facts.policy == "Forbid":
        chosen = wanted[:1] if not running else ()
    elif facts.policy == "Replace":
        # One that is shown again after the newer one has replaced what it started would start it anew.
        chosen = [key for key in wanted if key not in facts.overtaken][-1:]
    else:
        chosen = wanted
    found: list[Verdict] = []
    started: set[str] = set()
    for key in facts.waiting:
        if key in chosen and key not in started:
            started.add(key)
            found.append("Start")
        elif key in known or key in chosen or (facts.policy == "Replace" and not facts.suspend):
            found.append("Done")
        else:
            found.append("Hold")
    return tuple(found)


def _untold(facts: Facts, child: Child, end: datetime) -> bool:
    """Whether nothing but the child tells of its time of the schedule, or of its success."""
    if facts.due is not None and facts.due.at is not None and child.key == facts.scheduled_key:
        return True
    # The status tells whole seconds.
    return child.succeeded and (facts.last_success is None or facts.last_success < end.replace(microsecond=0))


def _active(children: Iterable[Child]) -> bool:
    return any(child.active for child in children)


def _history(facts: Facts, spared: set[str]) -> tuple[tuple[Child, ...], datetime | None]:
    """What goes as history, and when more of it will."""
    trimmed: list[Child] = []
    later: list[datetime] = []
    patience = timedelta() if facts.due is not None else REMEMBERED
    for succeeded, keep in ((True, facts.keep_successful), (False, facts.keep_failed)):
        ended = [
            (child.ended, child)
            for child in sorted(facts.children, key=lambda child: (child.created, child.name))
            if child.ended is not None and child.succeeded == succeeded and not child.deleting
        ]
        for end, child in ended[: max(0, len(ended) - keep)]:
            if child.uid in spared:
                continue
            if _untold(facts, child, end):
                later.append(facts.now)
            elif facts.now >= end + patience:
                trimmed.append(child)
            else:
                later.append(end + patience)
    return tuple(trimmed), min(later, default=None)
