"""From a decision that was carried out to the status and conditions. Pure.

Invariant: the status says which version of each source is in the Secret now, whatever went wrong since;
it changes only when that does, so a poll that finds nothing new writes nothing.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.engine.conditions import READY, Condition, not_ready, ready, stalled
from pierhead.engine.properties import Fault
from pierhead.model import RECONCILE_AT
from pierhead.secrets.decide import Decision, Live, retained_version
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.secrets.model.limits import MESSAGE_LIMIT
from pierhead.secrets.model.status import ExtractStatus, FoundStatus, KeyStatus, RestartStatus, TargetStatus
from pierhead.secrets.reading.references import Renewal
from pierhead.secrets.reading.sources import Source
from pierhead.secrets.restarts.plan import FAILED, ROLLING_OUT, WAITING
from pierhead.secrets.writing.form import Form

RESTART_FAILED = "RestartFailed"
RESTART_PENDING = "RestartPending"
SUSPENDED = "Suspended"
_TEXT_LIMIT = 1024
_SMALL = 60
"""Entries that are never too large together."""
_LARGEST = 56 * 1024
_GO_ON = (
    ". No other workload is restarted until it is healthy, the values or the spec change, or the annotation "
    f"{RECONCILE_AT} does"
)

_VersionOf = Callable[[Source], str | None]
"""The version of a source whose value is in the Secret."""

_FoundOf = Callable[[Source], list[FoundStatus] | None]
"""What of a source that finds has its values in the Secret."""


def written(
    stored: SyncedSecretStatus,
    sources: Sequence[Source],
    decision: Decision,
    *,
    target: TargetStatus,
    key_count: int,
    restarts: Sequence[RestartStatus] | None,
) -> SyncedSecretStatus:
    """The status once the Secret holds what was decided."""

    def kept(source: Source) -> str | None:
        retained = source.key in decision.retained if source.key else decision.retained_rest
        return source.version_id or (retained_version(source, stored) if retained else None)

    return stored.model_copy(
        update={
            "target": target,
            "key_count": key_count,
            "keys": _keys(sources, kept),
            "extracts": _extracts(sources, kept, _members),
            "marker": decision.marker,
            "restarts": list(restarts or ()) or None,
            **(_renewal(decision.renewal) if decision.action == "Write" else {}),
        }
    )


def left(stored: SyncedSecretStatus, sources: Sequence[Source]) -> SyncedSecretStatus:
    """The status when the Secret was left as it is."""

    def kept(source: Source) -> str | None:
        return retained_version(source, stored)

    def found(source: Source) -> list[FoundStatus] | None:
        return next((one.found for one in stored.extracts or () if one.find == source.name), None)

    return stored.model_copy(
        update={
            "keys": _keys(sources, kept),
            "extracts": _extracts(sources, kept, found),
        }
    )


def deleted(stored: SyncedSecretStatus, sources: Sequence[Source]) -> SyncedSecretStatus:
    """The status once the Secret is deleted because its sources are; the marker stays."""
    # What was found stays named: it has to be looked at by name, as no list proves that it is gone.
    finds = [one for one in stored.extracts or () if one.find is not None]
    gone = stored.model_copy(
        update={
            **dict.fromkeys(("target", "key_count", "keys", "restarts")),
            "extracts": finds,
            **_renewal(None),
        }
    )
    return left(gone, sources)


def conditions(status: SyncedSecretStatus, fault: Fault | None, text: str) -> tuple[Condition, ...]:
    """Ready with this text, or why not, and the restarts that wait."""
    if fault is None:
        found = [ready("Synced", text)]
    else:
        message = fault.message[:_TEXT_LIMIT]
        found = [not_ready(fault.reason, message), stalled(fault.reason, message)]
    found += restart_conditions(status)
    return tuple(found)


def restart_conditions(status: SyncedSecretStatus) -> list[Condition]:
    """The restarts that are not over, and those that failed."""
    open_ones = [one for one in status.restarts or () if one.phase != FAILED]
    failed = [one for one in status.restarts or () if one.phase == FAILED]
    found = []
    if open_ones:
        waits = any(one.phase == WAITING for one in open_ones)
        text = "; ".join(f"{one.kind} {one.name} {one.message or 'is rolling out'}" for one in open_ones)
        found.append(
            Condition(RESTART_PENDING, "True", WAITING if waits else ROLLING_OUT, text[:_TEXT_LIMIT])
        )
    if failed:
        text = "; ".join(f"{one.kind} {one.name}: {one.message}" for one in failed)
        found.append(Condition(RESTART_FAILED, "True", "RolloutFailed", text[:_TEXT_LIMIT] + _GO_ON))
    return found


def suspended(status: SyncedSecretStatus) -> tuple[Condition, ...]:
    """What was true when it was suspended, and that it is."""
    kept = [
        Condition(one.type, one.status, one.reason, one.message)
        for one in status.conditions or ()
        if one.type in {READY, RESTART_FAILED, RESTART_PENDING}
    ]
    if not any(condition.type == READY for condition in kept):
        kept.append(Condition(READY, "Unknown", SUSPENDED, "suspended before the first read"))
    text = "nothing is read, written or restarted while spec.suspend is true"
    return (*kept, Condition(SUSPENDED, "True", SUSPENDED, text))


def summary(sources: Sequence[Source], key_count: int) -> str:
    """What a Secret that is as it should be holds."""
    names = {(source.kind, source.name) for source in sources if source.kind != "find"}
    names |= {
        (source.gathered.kind, member.name)
        for source in sources
        if source.gathered is not None
        for member in source.gathered.members
    }
    kinds: Counter[str] = Counter(kind for kind, _ in names)
    nouns = (("secret", "secret"), ("parameter", "parameter"), ("ecr", "registry"))
    parts = [_count(kinds[kind], noun) for kind, noun in nouns if kinds[kind]]
    return f"{_count(key_count, 'key')} from {' and '.join(parts)}"


def fields(status: SyncedSecretStatus) -> dict[str, Any]:
    """The kind's own status fields, as the engine takes them.

    A status that would be very large has the reasons of its keys without their messages.
    """
    told = status.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude={"conditions", "observed_generation"}
    )
    entries = [*told.get("keys", ()), *told.get("extracts", ())]
    if len(entries) + len(status.restarts or ()) > _SMALL and len(json.dumps(told)) > _LARGEST:
        for entry in entries:
            entry.pop("message", None)
    return told


def target_of(name: str, form: Form, live: Live) -> TargetStatus:
    """The Secret as it is now."""
    return TargetStatus(
        name=name, type=form.type, form=form.digest, uid=live.uid, resource_version=live.resource_version
    )


def _renewal(renewal: Renewal | None) -> dict[str, str | None]:
    if renewal is None:
        return {"expires_at": None, "renew_at": None}
    return {"expires_at": _moment(renewal.expires_at), "renew_at": _moment(renewal.renew_at, up=True)}


def _moment(moment: datetime, *, up: bool = False) -> str:
    """Whole seconds: `up` for what must not be looked at before."""
    if up and moment.microsecond:
        moment += timedelta(seconds=1)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _keys(sources: Sequence[Source], kept: _VersionOf) -> list[KeyStatus] | None:
    return [
        KeyStatus(key=source.key, **_version(source, kept), **_fault(source))
        for source in sources
        if source.key is not None
    ] or None


def _extracts(sources: Sequence[Source], kept: _VersionOf, found: _FoundOf) -> list[ExtractStatus] | None:
    return [
        ExtractStatus(
            **{source.kind: source.name},
            keys=len(source.values) + len(source.retained),
            **({"found": found(source)} if source.kind == "find" else _version(source, kept)),
            **_fault(source),
        )
        for source in sources
        if source.key is None
    ] or None


def _members(source: Source) -> list[FoundStatus] | None:
    if source.gathered is None:
        return None
    return [
        FoundStatus(name=member.name, version_id=member.version_id or None, reason=member.reason)
        for member in source.gathered.members
    ] or None


def _version(source: Source, kept: _VersionOf) -> dict[str, Any]:
    version_id = kept(source) or None
    number = (version_id or "").partition("@")[0]
    counted = source.kind == "parameter" and number.isdecimal()
    return {"version_id": version_id, **({"version": int(number)} if counted else {})}


def _fault(source: Source) -> dict[str, str]:
    if source.fault is None:
        return {}
    message = source.fault.message
    short = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 1] + "…"
    return {"reason": source.fault.reason, "message": short}


def _count(number: int, noun: str) -> str:
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("y") and noun != "key" else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"
