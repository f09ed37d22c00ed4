"""Helm's hooks: which of them an event has, in what order, and how far a revision is with them.

Invariant: pure. What a hook came to is a function of what the revision's Secret says and of the live object;
a hook's place is advanced only by `ended`, so none is left out and none that has ended begins again.
Source: Helm `pkg/action/hooks.go`: by weight, then by name; the next begins when the one before is done.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from pierhead.engine.resource import Object
from pierhead.kube.resources import split_api_version
from pierhead.model import GROUP

TEST = "test"
PRE_DELETE = "pre-delete"
POST_DELETE = "post-delete"

BEFORE_CREATION = "before-hook-creation"
ON_SUCCESS = "hook-succeeded"
ON_FAILURE = "hook-failed"

FAILURE_LIMIT = 1024
"""Characters of a failure that are kept."""

_DEFINITION = "CustomResourceDefinition"
_FINISHING = frozenset({("batch", "Job"), ("", "Pod"), (GROUP, "BatchJob")})
"""Kinds that run to an end; of Helm's there are the first two."""


_LOOK_AGAIN = timedelta(seconds=3)
"""Between looks at a hook of which no event tells."""


class Phase(StrEnum):
    """How a hook fares, in Helm's words."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of the hook under way."""

    phase: Phase
    message: str = ""
    watched: bool = True
    """Whether an event will tell of its end; otherwise it has to be looked at again."""


@dataclass(frozen=True, slots=True)
class HookProgress:
    """How far a revision is with the hooks of one event; kept in its Secret."""

    event: str
    hooks: tuple[int, ...]
    """Places, in the release's list of hooks, of those to run, in order."""

    at: datetime
    """When the hook under way began, or the last one ended."""

    position: int = 0
    """Which of `hooks` is under way; their number when all have succeeded."""

    failure: str = ""
    """Why the hook under way failed, and with it the event."""

    done: bool = False
    """Whether it has ended, and what its delete policies say was done."""

    @property
    def present(self) -> int | None:
        """Place of the hook under way, or that failed; None when all have succeeded."""
        return self.hooks[self.position] if self.position < len(self.hooks) else None

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return bool(self.failure) or self.present is None


@dataclass(frozen=True, slots=True)
class RevisionHooks:
    """The hooks of a revision, as far as a decision needs them."""

    names: Mapping[str, Mapping[int, str]]
    """By event, its hooks in order: their places, and their names."""

    progress: HookProgress | None = None

    @classmethod
    def of(cls, hooks: Sequence[Mapping[str, Any]], progress: HookProgress | None) -> "RevisionHooks | None":
        """What is remembered of stored hooks; None where there are none."""
        if not hooks:
            return None
        events = {event for hook in hooks for event in hook.get("events") or ()}
        names = {event: {place: hooks[place]["name"] for place in ordered(hooks, event)} for event in events}
        return cls(names, progress)

    def has(self, event: str) -> bool:
        """Whether there is something to run."""
        return bool(self.names.get(event))

    def within(self, event: str) -> HookProgress | None:
        """How far it is with this event; None where it was not begun."""
        return self.progress if self.progress is not None and self.progress.event == event else None

    @property
    def unfinished(self) -> bool:
        """Whether a hook failed, or some that follow the objects' health never ran."""
        if self.progress is not None and self.progress.failure:
            return True
        after = ("post-install", "post-upgrade", "post-rollback")
        return any(self.has(event) for event in after)


class Turn(StrEnum):
    """What the hooks of an event ask for."""

    GO_ON = "GoOn"
    WAIT = "Wait"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True)
class Step:
    """What to do about the hooks of an event."""

    turn: Turn
    text: str
    until: datetime | None = None
    """When they are looked at again without an event."""


def next_step(
    held: RevisionHooks | None,
    event: str,
    live: Verdict | None,
    now: datetime,
    *,
    timeout: timedelta,
    since: datetime | None,
) -> Step | None:
    """What a revision's hooks of an event ask for; None when all have succeeded, or there are none.

    `live` is what is known of the hook under way, `since` when this process first saw the revision pending.
    """
    if held is None or not held.has(event):
        return None
    progress, names = held.within(event), held.names[event]
    if progress is None:
        return Step(Turn.GO_ON, f"{event} hooks", now + _LOOK_AGAIN)
    if progress.done:
        return Step(Turn.FAIL, f"{event} hook {progress.failure}") if progress.failure else None
    name = names.get(progress.hooks[min(progress.position, len(progress.hooks) - 1)], "")
    until = deadline(progress, timeout, since)
    if progress.ended or live is None or live.phase is not Phase.RUNNING or not live.watched or now >= until:
        return Step(Turn.GO_ON, f"{event} hook {name}", now + _LOOK_AGAIN)
    return Step(Turn.WAIT, f"{event} hook {name}: {live.message}", until)


@dataclass(frozen=True, slots=True)
class Hook:
    """One stored hook."""

    name: str
    kind: str
    path: str
    manifest: str
    delete_policies: frozenset[str]
    output_log_policies: frozenset[str]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Hook":
        """The hook, with Helm's default of a delete policy."""
        return cls(
            name=stored["name"],
            kind=stored.get("kind") or "",
            path=stored.get("path") or "",
            manifest=stored.get("manifest") or "",
            delete_policies=frozenset(stored.get("delete_policies") or (BEFORE_CREATION,)),
            output_log_policies=frozenset(stored.get("output_log_policies") or ()),
        )

    @property
    def label(self) -> str:
        """For people: `Job migrate`."""
        return f"{self.kind} {self.name}"

    @property
    def expires(self) -> bool:
        """Whether it is a Job that Kubernetes would delete by itself after its end."""
        return self.kind == "Job" and "ttlSecondsAfterFinished" in self.manifest

    def deleted_by(self, policy: str) -> bool:
        """Whether a delete policy applies; never to a CRD, whose objects would go too."""
        return policy in self.delete_policies and self.kind != _DEFINITION


def check(hooks: Any) -> tuple[Mapping[str, Any], ...]:
    """The stored hooks of a release, as far as they are read here.

    Raises TypeError or LookupError for what Helm would not have written.
    """
    found = tuple(hooks or ())
    for hook in found:
        texts = [hook["name"], *(hook.get(key) or "" for key in ("kind", "path", "manifest"))]
        lists = [hook.get(key) or [] for key in ("events", "delete_policies", "output_log_policies")]
        if not all(isinstance(each, list) for each in lists):
            raise TypeError("hooks")
        texts += [text for each in lists for text in each]
        last_run, weight = hook.get("last_run") or {}, hook.get("weight") or 0
        if not all(isinstance(text, str) for text in texts) or not isinstance(weight, int):
            raise TypeError("hooks")
        if not isinstance(last_run, Mapping):
            raise TypeError("hooks")
    return found


def never_run() -> dict[str, str]:
    """`last_run` of a hook that has not run, as Helm 3 and 4 read it."""
    return {"started_at": "", "completed_at": "", "phase": ""}


def only_tests(hooks: Sequence[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """The hooks without what runs by itself: those of tests, for nothing else."""
    return tuple({**hook, "events": [TEST]} for hook in hooks if TEST in (hook.get("events") or ()))


def ordered(hooks: Sequence[Mapping[str, Any]], event: str) -> tuple[int, ...]:
    """Places of an event's hooks in the order to run."""
    places = [place for place, hook in enumerate(hooks) if event in (hook.get("events") or ())]
    return tuple(sorted(places, key=lambda place: (hooks[place].get("weight") or 0, hooks[place]["name"])))


def selected(
    names: Iterable[str], include: Sequence[str] = (), exclude: Sequence[str] = ()
) -> tuple[str, ...]:
    """The names that `helm test --filter` would leave: those included, or all, but none excluded."""
    return tuple(name for name in names if (name in include or not include) and name not in exclude)


def begun(
    hooks: Sequence[Mapping[str, Any]], event: str, at: datetime, *, only: Sequence[str] | None = None
) -> tuple[tuple[Mapping[str, Any], ...], HookProgress]:
    """The stored hooks and the progress with an event's first hook under way; `only` are names."""
    places = tuple(place for place in ordered(hooks, event) if only is None or hooks[place]["name"] in only)
    progress = HookProgress(event, places, at, done=not places)
    return _running(hooks, progress), progress


def ended(
    hooks: Sequence[Mapping[str, Any]], progress: HookProgress, at: datetime, failure: str = ""
) -> tuple[tuple[Mapping[str, Any], ...], HookProgress]:
    """Both, when the hook under way has ended: the next one is under way then, if there is one."""
    place = progress.present
    if place is None:
        return tuple(hooks), progress
    run = {
        **(hooks[place].get("last_run") or {}),
        "completed_at": timestamp(at),
        "phase": (Phase.FAILED if failure else Phase.SUCCEEDED).value,
    }
    after = [{**hook, "last_run": run} if index == place else hook for index, hook in enumerate(hooks)]
    if failure:
        made = replace(progress, at=at, failure=failure[:FAILURE_LIMIT])
    else:
        made = replace(progress, at=at, position=progress.position + 1)
    made = replace(made, done=made.ended and not leftovers(after, made))
    return _running(after, made), made


def restarted(
    hooks: Sequence[Mapping[str, Any]], progress: HookProgress, at: datetime
) -> tuple[tuple[Mapping[str, Any], ...], HookProgress]:
    """Both, with the hook that failed under way once more."""
    made = replace(progress, at=at, failure="", done=False)
    return _running(hooks, made), made


def _running(hooks: Sequence[Mapping[str, Any]], progress: HookProgress) -> tuple[Mapping[str, Any], ...]:
    if progress.ended:
        return tuple(hooks)
    run = {"started_at": timestamp(progress.at), "completed_at": "", "phase": Phase.RUNNING.value}
    return tuple(
        {**hook, "last_run": run} if index == progress.present else hook for index, hook in enumerate(hooks)
    )


def leftovers(hooks: Sequence[Mapping[str, Any]], progress: HookProgress) -> list[Hook]:
    """What is to be deleted, or left to expire, once an event has ended; or is given up where it has not."""
    passed = [Hook.of(hooks[place]) for place in progress.hooks[: progress.position]]
    passed = [hook for hook in passed if hook.deleted_by(ON_SUCCESS) or hook.expires]
    if progress.present is None:
        return passed[::-1]
    last = Hook.of(hooks[progress.present])
    return [last, *passed] if last.deleted_by(ON_FAILURE) or last.expires else passed


def deadline(progress: HookProgress, timeout: timedelta, since: datetime | None) -> datetime:
    """When the hook under way has had its time; `since` is when this process first saw the revision."""
    return max(progress.at, since or progress.at) + timeout


def token(revision: int, progress: HookProgress) -> str:
    """What marks the object of the hook under way as made by this very run of it."""
    return f"{revision}.{progress.event}.{progress.position}.{timestamp(progress.at)}"


def finishes(obj: Mapping[str, Any]) -> bool:
    """Whether a hook of this kind has to be waited for; others have succeeded when they are there."""
    group, _ = split_api_version(str(obj.get("apiVersion", "")))
    return (group, obj.get("kind")) in _FINISHING


def verdict_of(obj: Object) -> Verdict:
    """How the live object of a hook fares, whether it is being deleted or not."""
    if not finishes(obj):
        return Verdict(Phase.SUCCEEDED)
    status = obj.get("status") or {}
    if obj["kind"] == "Pod":
        return _pod(status)
    for entry in status.get("conditions") or ():
        if entry.get("status") == "True" and entry.get("type") in {"Complete", "Failed"}:
            text = ": ".join(part for part in (entry.get("reason"), entry.get("message")) if part)
            phase = Phase.SUCCEEDED if entry["type"] == "Complete" else Phase.FAILED
            return Verdict(phase, text)
    active, failed = status.get("active") or 0, status.get("failed") or 0
    return Verdict(Phase.RUNNING, f"{active} active" + (f", {failed} failed" if failed else ""))


def _pod(status: Mapping[str, Any]) -> Verdict:
    phase = status.get("phase") or "Pending"
    if phase == "Succeeded":
        return Verdict(Phase.SUCCEEDED)
    waiting = [
        f"{entry.get('name')}: {(state.get('message') or state['reason'])}"
        for key in ("initContainerStatuses", "containerStatuses")
        for entry in status.get(key) or ()
        if (state := (entry.get("state") or {}).get("waiting") or {}).get("reason")
    ]
    if phase != "Failed":
        return Verdict(Phase.RUNNING, "; ".join(waiting) or f"phase {phase}")
    exits = [
        f"container {entry.get('name')} exited with {ended['exitCode']}"
        for entry in status.get("containerStatuses") or ()
        if (ended := (entry.get("state") or {}).get("terminated") or {}).get("exitCode")
    ]
    told = status.get("message") or status.get("reason")
    return Verdict(Phase.FAILED, str(told) if told else "; ".join(exits) or "the Pod failed")


def timestamp(moment: datetime) -> str:
    """A time as Go reads it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
