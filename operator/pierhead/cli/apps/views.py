"""What is shown of an AppRelease, as data.

Invariant: pure, and total: an AppRelease that nobody has looked at yet has a view too. The keys are what
`-o json` and `-o yaml` print; scripts rely on them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.apps.history.release import Release
from pierhead.cli.conditions import condition, is_current
from pierhead.cli.masking import without
from pierhead.engine.resource import Object

_REVISION_SHOWN = 12
_LONG_HEX = 40


def summary(obj: Object) -> dict[str, Any]:
    """One line of `list`."""
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    ready = condition(obj)
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", "Pending"),
        "revision": (status.get("release") or {}).get("revision"),
        "chart": chart_of(spec),
        "source": (status.get("source") or {}).get("revision"),
        "suspended": bool(spec.get("suspend")),
        "created": obj["metadata"].get("creationTimestamp"),
        "message": ready.get("message") or "not looked at yet",
    }


def details(obj: Object, release: Release | None, hidden: Iterable[str] = ()) -> dict[str, Any]:
    """What `get` shows; `hidden` are values that may not be in the notes."""
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    shown = summary(obj)
    for field in ("source", "overlay", "release", "images", "plan", "drift", "rejected", "objects"):
        shown[field] = status.get(field)
    shown["current"] = is_current(obj)
    shown["conditions"] = [
        {key: entry.get(key) for key in ("type", "status", "reason", "message", "lastTransitionTime")}
        for entry in status.get("conditions") or ()
    ]
    shown["serviceAccountName"] = spec.get("serviceAccountName")
    shown["notes"] = without(release.notes, hidden) if release is not None else None
    return shown


def revision_line(release: Release) -> dict[str, Any]:
    """One line of `history`."""
    kept = release.bookkeeping
    name, version = release.chart.get("name", ""), release.chart.get("version", "")
    return {
        "revision": release.revision,
        "updated": release.last_deployed.isoformat(timespec="seconds"),
        "status": release.status.value,
        "chart": f"{name}-{version}",
        "appVersion": str(release.chart.get("appVersion") or ""),
        "by": "pierhead" if kept is not None else "helm",
        "inputDigest": kept.input_digest if kept is not None else None,
        "rollsBack": kept.rolls_back if kept is not None else None,
        "rejected": kept.rejected if kept is not None else False,
        "description": release.description,
    }


def chart_of(spec: Mapping[str, Any]) -> str | None:
    """The chart's name as far as the spec tells; None where no chart is rendered."""
    helm, source = spec.get("helm"), spec.get("source") or {}
    if helm is None:
        return None
    if "helmRepository" in source:
        return str(source["helmRepository"].get("chart", ""))
    if "oci" in source:
        return str(source["oci"].get("url", "")).rstrip("/").rpartition("/")[2]
    return str(helm.get("path") or ".")


def short_revision(text: str | None) -> str:
    """A source's revision with its commit shortened: `main@0123456789ab`."""
    name, at, commit = (text or "").rpartition("@")
    is_commit = len(commit) >= _LONG_HEX and all(digit in "0123456789abcdef" for digit in commit)
    return f"{name}{at}{commit[:_REVISION_SHOWN]}" if is_commit else text or ""
