"""What is shown of a SyncedSecret, as data.

Invariant: pure, and total: an object that nobody has looked at yet has a view too, and fields of a newer
pierhead do not disturb. The keys are what `-o json` and `-o yaml` print; scripts rely on them. The status
does not say when the last read was, so what is told of it is only what follows: a bound, with its side.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pierhead.cli.conditions import condition, is_current
from pierhead.engine.resource import Object
from pierhead.model import seconds
from pierhead.secrets.freshness import STALE, shown

_VERSION_SHOWN: Final = 8
ONCE: Final = "Once"
"""The mode in which values are not read again without being asked for."""

EVENTS: Final = "Events"


@dataclass(frozen=True, slots=True)
class Cadence:
    """How often the operator reads by itself, as it is set."""

    interval: str
    """Where an object names none."""

    with_events: str
    """The least while events arrive."""

    def seconds_of(self, obj: Object) -> float:
        """The longest time between two reads of an object that is read again, while all is well."""
        own = self.own_seconds_of(obj)
        rare = mode_of(obj) == EVENTS and not swept(obj)
        return max(own, seconds(self.with_events)) if rare else own

    def own_seconds_of(self, obj: Object) -> float:
        """The object's own interval, which is the longest time until a read that failed is tried again."""
        given = ((obj.get("spec") or {}).get("refresh") or {}).get("interval")
        return seconds(str(given or self.interval))


def summary(obj: Object, *, cadence: Cadence, now: datetime) -> dict[str, Any]:
    """One line of `status`."""
    status, ready = obj.get("status") or {}, condition(obj)
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", "Pending"),
        "message": ready.get("message") or "not looked at yet",
        "secret": (status.get("target") or {}).get("name"),
        "keys": status.get("keyCount"),
        "versions": sorted(versions(status)),
        "mode": mode_of(obj),
        "intervalSeconds": cadence.seconds_of(obj),
        "retrySeconds": cadence.own_seconds_of(obj),
        "lastRead": last_read(obj, cadence=cadence, now=now),
        "stale": condition(obj, STALE).get("status") == "True",
        "suspended": bool((obj.get("spec") or {}).get("suspend")),
        "restarts": len(status.get("restarts") or ()),
        "current": is_current(obj),
    }


def last_read(obj: Object, *, cadence: Cadence, now: datetime) -> dict[str, Any]:
    """What is known of the time since the last good read: `within` or `notFor` seconds, or neither."""
    ready = condition(obj)
    since = _age(ready.get("lastTransitionTime"), now)
    if ready.get("status") == "True":
        suspended = (obj.get("spec") or {}).get("suspend")
        if mode_of(obj) == ONCE or suspended or not is_current(obj):
            return {}
        return {"within": cadence.seconds_of(obj)}
    if ready.get("status") == "False" and since is not None:
        return {"notFor": since}
    return {}


def read_cell(entry: Mapping[str, Any]) -> str:
    """The last good read in a table: `<1h`, `>3h`, or nothing."""
    known = entry["lastRead"]
    if "within" in known:
        return f"<{shown(known['within'])}"
    if "notFor" in known:
        return f">{_rounded(known['notFor'])}" if entry["secret"] else "never"
    return ""


def next_cell(entry: Mapping[str, Any]) -> str:
    """The next read in a table."""
    if entry["suspended"]:
        return "suspended"
    within = f"<{shown(entry['intervalSeconds'])}"
    if entry["ready"] != "True":
        return f"retry <{shown(entry['retrySeconds'])}"
    if entry["mode"] == ONCE:
        return "when asked"
    return f"event, {within}" if entry["mode"] == EVENTS else within


def versions_cell(entry: Mapping[str, Any]) -> str:
    """The versions in a table."""
    found = entry["versions"]
    return found[0][:_VERSION_SHOWN] if len(found) == 1 else str(len(found) or "")


def versions(status: Mapping[str, Any]) -> set[str]:
    """Ids of the versions that the Secret is made of."""
    extracts = status.get("extracts") or ()
    found = [line for extract in extracts for line in extract.get("found") or ()]
    lines = [*(status.get("keys") or ()), *extracts, *found]
    return {str(line["versionId"]) for line in lines if line.get("versionId")}


def mode_of(obj: Object) -> str:
    """How values are read again."""
    return str(((obj.get("spec") or {}).get("refresh") or {}).get("mode") or EVENTS)


def swept(obj: Object) -> bool:
    """Whether versions are looked at in a list of all, and only what has moved is read."""
    return bool(((obj.get("spec") or {}).get("refresh") or {}).get("versionSweep"))


def moment(text: Any) -> datetime | None:
    """A time of the status; None where it is none, or has no zone."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _age(text: Any, now: datetime) -> float | None:
    since = moment(text)
    return max(0.0, (now - since).total_seconds()) if since is not None else None


def _rounded(age: float) -> str:
    """An age in whole units, none of them more than the age."""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if age >= 2 * size:
            return f"{int(age // size)}{unit}"
    return f"{int(age)}s"
