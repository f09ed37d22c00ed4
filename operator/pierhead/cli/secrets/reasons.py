"""Why a SyncedSecret is as it is, in sentences.

Invariant: pure; every cause is told with what to do about it, by the reason that the operator gave; nothing
here knows a value.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pierhead.cli.conditions import condition, is_current
from pierhead.cli.output import age
from pierhead.cli.secrets import views
from pierhead.cli.secrets.advice import ADVICE
from pierhead.engine.resource import Object
from pierhead.secrets.freshness import STALE

State = Literal["good", "bad", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about an object."""

    about: str
    state: State
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is around the object."""

    secret: Object | str | None
    """The target's metadata, None where there is no such Secret, or why that is not known."""

    event: Object | None
    cadence: views.Cadence

    now: datetime


def explain(obj: Object, around: Around) -> list[Finding]:
    """Everything that bears on it, the whole first."""
    return [
        *_whole(obj),
        *_lines(obj),
        *_target(obj, around),
        *_restarts(obj),
        *_passwords(obj, around),
        *_reads(obj, around),
        *_event(around),
    ]


def _whole(obj: Object) -> Iterator[Finding]:
    ready, spec = condition(obj), obj.get("spec") or {}
    if not ready:
        yield Finding(
            "Ready",
            "bad",
            "the operator has not looked at it yet",
            "if that lasts, see whether the operator runs and watches this namespace",
        )
        return
    reason, message = str(ready.get("reason", "")), str(ready.get("message", ""))
    if ready.get("status") == "True":
        yield Finding("Ready", "good", f"{reason}: {message}")
    else:
        yield Finding("Ready", "bad", f"{reason}: {message}", ADVICE.get(reason, ""))
    if spec.get("suspend"):
        yield Finding("Suspended", "note", "spec.suspend is true: nothing is read, written or restarted")
    if not is_current(obj):
        yield Finding(
            "Outdated",
            "note",
            "the status is of an earlier spec",
            "if that lasts, see whether the operator runs",
        )


def _lines(obj: Object) -> Iterator[Finding]:
    """What fails of each line of the spec; how many do not."""
    status = obj.get("status") or {}
    lines = [
        *((f"key {line.get('key')}", line) for line in status.get("keys") or ()),
        *((_extract(line), line) for line in status.get("extracts") or ()),
    ]
    failing = [(about, line) for about, line in lines if line.get("reason")]
    for about, line in failing:
        kept = "; the Secret keeps its last value" if line.get("versionId") else ""
        reason = str(line["reason"])
        text = f"{reason}: {line.get('message', '')}{kept}"
        yield Finding(about, "bad", text, ADVICE.get(reason, ""))
    for line in status.get("extracts") or ():
        for gone in line.get("found") or ():
            if gone.get("reason"):
                text = f"{gone['reason']}: it is not found any more; the Secret keeps its last value"
                yield Finding(f"found {gone.get('name')}", "note", text, ADVICE.get(str(gone["reason"]), ""))
    if len(lines) > len(failing):
        yield Finding(
            "Keys", "good", f"{len(lines) - len(failing)} of {len(lines)} lines of the spec are read"
        )


def _extract(line: Mapping[str, Any]) -> str:
    """How an entry of `status.extracts` is named."""
    return next((f"{kind} {line[kind]}" for kind in ("secret", "parameter", "find") if line.get(kind)), "?")


def _target(obj: Object, around: Around) -> Iterator[Finding]:
    secret, target = around.secret, ((obj.get("status") or {}).get("target") or {}).get("name")
    if isinstance(secret, str):
        yield Finding("Secret", "note", f"not looked at: {secret}")
    elif secret is None:
        if target:
            yield Finding(
                "Secret",
                "bad",
                f"{target} is gone",
                "the operator makes it anew once it sees that; if it does not, see whether it runs",
            )
        else:
            yield Finding("Secret", "note", "not written yet")
    else:
        name, metadata = secret["metadata"]["name"], secret["metadata"]
        owners = metadata.get("ownerReferences") or ()
        if any(owner.get("uid") == obj["metadata"].get("uid") for owner in owners):
            yield Finding("Secret", "good", f"{name} is this SyncedSecret's")
        else:
            owner = next(
                (f"{one['kind']} {one['name']}" for one in owners if one.get("controller")), "nobody"
            )
            yield Finding(
                "Secret",
                "bad",
                f"{name} is not this SyncedSecret's: it belongs to {owner}",
                ADVICE["TargetNotOwned"],
            )


def _restarts(obj: Object) -> Iterator[Finding]:
    for one in (obj.get("status") or {}).get("restarts") or ():
        failed = one.get("phase") == "Failed"
        text = f"{one.get('kind')} {one.get('name')} {one.get('message') or 'is rolling out'}"
        yield Finding(
            "Restart",
            "bad" if failed else "note",
            text,
            "heal it or the values; the annotation pierhead.dev/reconcile-at lets the others go on"
            if failed
            else "",
        )


def _passwords(obj: Object, around: Around) -> Iterator[Finding]:
    """When the passwords of registries end."""
    status = obj.get("status") or {}
    ends = views.moment(status.get("expiresAt"))
    if ends is not None:
        over = ends <= around.now
        text = f"of a registry {'ended' if over else 'ends'} at {status['expiresAt']}"
        renewed = "" if over else f", renewed at {status.get('renewAt')}"
        yield Finding("Password", "bad" if over else "good", text + renewed)


def _reads(obj: Object, around: Around) -> Iterator[Finding]:
    entry = views.summary(obj, cadence=around.cadence, now=around.now)
    known = views.read_cell(entry)
    if condition(obj, STALE).get("status") == "True":
        yield Finding("Age", "bad", str(condition(obj, STALE).get("message")))
    if known.startswith("<"):
        yield Finding(
            "Reads",
            "good",
            f"the last good read was within {known[1:]} if the operator runs, the next is within {known[1:]}",
        )
    elif known.startswith(">"):
        yield Finding(
            "Reads", "bad", f"no good read for at least {known[1:]}; next: {views.next_cell(entry)}"
        )
    else:
        yield Finding("Reads", "note", f"mode {entry['mode']}; next: {views.next_cell(entry)}")


def _event(around: Around) -> Iterator[Finding]:
    event: Mapping[str, Any] | None = around.event
    if event is not None:
        when = age(str(event.get("eventTime") or event.get("lastTimestamp") or ""), around.now)
        state: State = "note"
        yield Finding("Event", state, f"{when} ago, {event.get('reason')}: {event.get('message')}")
