"""What somebody else changed of a release's objects: where, and who.

Invariant: a difference names fields and never their values, and there are never more of them than a status
holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pierhead.apps.model.status import MOST_FIELDS, MOST_OBJECTS
from pierhead.apps.objects.adoption import is_ours
from pierhead.apps.situation import Action, Decision, Gate, State
from pierhead.engine.conditions import Condition
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import changed_paths
from pierhead.kube.ownership import owners, owns, tokens_of

MOST_CORRECTIONS = 5
"""Corrections of one object within a minute after which its next ones wait."""

PAUSE = timedelta(seconds=30)
_CONTEST = timedelta(minutes=1)
_REMEMBERED = 20
_LONGEST_FIELD = 256
_LOOKED_AT = 1000
"""Differences of two objects of which ours are picked; what others changed must not crowd them out."""

_MESSAGE_LIMIT = 2048


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that was not as its release wants it."""

    object: str
    """As people are told: `Deployment shop/web`."""

    fields: tuple[str, ...] = ()
    """JSON pointers; none for an object that was deleted."""

    manager: str = ""
    """The field manager who changed the first of them last, where the object tells."""

    corrected_at: datetime | None = None
    """When it was put back; None while it is as others made it."""

    @property
    def text(self) -> str:
        """For people."""
        if not self.fields:
            return f"{self.object} was deleted"
        by = f" by {self.manager}" if self.manager else ""
        return f"{self.object}: {', '.join(self.fields)} changed{by}"


def difference(entry: Entry, live: Object | None, changes: Sequence[str]) -> Difference:
    """What these changes (JSON pointers) would put back; `live` is None for an object that is not there."""
    if live is None:
        return Difference(entry.label)
    return Difference(
        entry.label,
        tuple(change[:_LONGEST_FIELD] for change in changes[:MOST_FIELDS]),
        _manager(live, changes[0]) if changes else "",
    )


def put_back(live: Object, after: Object) -> tuple[str, ...]:
    """JSON pointers of what an apply of ours changed; `after` is its answer, `live` was read before it.

    Others may have been at work in between: what is not ours then is not told.
    """
    ours = [entry for entry in owners(after) if is_ours(entry)]
    return tuple(
        pointer
        for pointer in changed_paths(live, after, limit=_LOOKED_AT)
        if any(owns(entry.fields, after, tokens_of(pointer)) for entry in ours)
    )


def joined(
    earlier: Iterable[Difference], found: Iterable[Difference], *, at: datetime | None
) -> tuple[Difference, ...]:
    """What a status shows: what was put back before, and what was found now; the newest first.

    `at` is when what was found now was put back; None if it was not.
    """
    fresh = [replace(item, corrected_at=at) for item in found]
    known = {item.object for item in fresh}
    kept = [item for item in earlier if item.corrected_at is not None and item.object not in known]
    return tuple([*fresh, *kept][:MOST_OBJECTS])


def lately(
    earlier: Sequence[Difference], found: Iterable[Difference], *, at: datetime | None
) -> tuple[Difference, ...]:
    """What was put back, the newest first, as far as a contest is told from it."""
    if at is None:
        return tuple(earlier)
    return (*(replace(item, corrected_at=at) for item in found), *earlier)[:_REMEMBERED]


def contest_of(corrections: Sequence[Difference], now: datetime) -> Gate | None:
    """Why a release's objects are not put back now: one was, again and again, within a minute."""
    times: dict[str, list[datetime]] = {}
    for item in corrections:
        if item.corrected_at is not None and now - item.corrected_at < _CONTEST:
            times.setdefault(item.object, []).append(item.corrected_at)
    contested = next((name for name, found in times.items() if len(found) >= MOST_CORRECTIONS), None)
    if contested is None:
        return None
    until = max(times[contested]) + PAUSE
    if now >= until:
        return None
    latest = next(item for item in corrections if item.object == contested)
    message = (
        f"{latest.text}, each time it was put back ({len(times[contested])} times within a minute); the next "
        f"try is at {until:%H:%M:%SZ}: end the contest, or ignore the field (spec.objectRules)"
    )
    return Gate(State.DRIFTED, "Contested", message, until)


def status_of(differences: Iterable[Difference]) -> list[dict[str, Any]]:
    """As `status.drift`."""
    return [
        {
            "object": item.object,
            **({"fields": list(item.fields)} if item.fields else {}),
            **({"manager": item.manager} if item.manager else {}),
            **({"correctedAt": f"{item.corrected_at:%Y-%m-%dT%H:%M:%SZ}"} if item.corrected_at else {}),
        }
        for item in differences
    ]


def remembered(status: Mapping[str, Any]) -> tuple[Difference, ...]:
    """What a stored status says was put back."""
    return tuple(
        Difference(
            object=item["object"],
            fields=tuple(item.get("fields") or ()),
            manager=item.get("manager", ""),
            corrected_at=datetime.fromisoformat(item["correctedAt"]),
        )
        for item in status.get("drift") or ()
        if item.get("correctedAt")
    )


def drifted(decision: Decision, drift: Sequence[Difference]) -> list[Condition]:
    """The condition `Drifted`, if there is anything to say."""
    shown = _shown(decision, drift)
    left = [item.text for item in shown if item.corrected_at is None]
    if _is_drifted(decision):
        return [Condition("Drifted", "True", "Drifted", _joined_texts(left) or decision.message)]
    if shown:
        return [
            Condition(
                "Drifted", "False", "Corrected", f"put back: {_joined_texts(item.text for item in shown)}"
            )
        ]
    return []


def _is_drifted(decision: Decision) -> bool:
    return decision.state is State.DRIFTED and decision.action is Action.NOTHING


def _shown(decision: Decision, drift: Sequence[Difference]) -> list[Difference]:
    """What was put back, and what was not where that is to be reported."""
    return [item for item in drift if item.corrected_at is not None or _is_drifted(decision)]


def _joined_texts(texts: Iterable[str]) -> str:
    return "; ".join(texts)[:_MESSAGE_LIMIT]


def drift_status(decision: Decision, drift: Sequence[Difference]) -> dict[str, Any]:
    """What others changed, as a status field."""
    shown = _shown(decision, drift)
    return {"drift": status_of(shown)} if shown else {}


def _manager(live: Object, pointer: str) -> str:
    tokens = tokens_of(pointer)
    found = [entry for entry in owners(live) if not is_ours(entry) and owns(entry.fields, live, tokens)]
    return max(found, key=lambda entry: entry.time).manager[:128] if found else ""
