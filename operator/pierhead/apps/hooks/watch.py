"""The hooks under way: the one of each release that is waited for, as last seen.

Invariant: a hook is known only by the mark of the very run that made it, so an object that an earlier run
left, or somebody else made, says nothing. Nothing is kept of a release that waits for no hook.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pierhead.apps.hooks.progress import Phase, Verdict, verdict_of
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.inventory import Entry
from pierhead.model import GROUP

HOOK_RUN = f"{GROUP}/hook-run"
"""Annotation of a hook's object: which run made it."""


@dataclass(slots=True)
class _Awaited:
    entry: Entry
    token: str
    version: int = 0
    verdict: Verdict | None = None


class LiveHooks:
    """The hooks of all releases that are waited for, one of each."""

    def __init__(self) -> None:
        self._awaited: dict[ObjectKey, _Awaited] = {}
        self._owners: dict[Entry, ObjectKey] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how an AppRelease is woken when its hook changes."""
        self._wake = wake

    def expect(self, owner: ObjectKey, entry: Entry, token: str) -> None:
        """From now on this object is the owner's hook under way."""
        held = self._awaited.get(owner)
        if held is None or (held.entry, held.token) != (entry, token):
            self.forget(owner)
            self._awaited[owner] = _Awaited(entry, token)
            self._owners[entry] = owner

    def forget(self, owner: ObjectKey) -> None:
        """Nothing of this owner is waited for."""
        held = self._awaited.pop(owner, None)
        if held is not None and self._owners.get(held.entry) == owner:
            del self._owners[held.entry]

    def seen(self, owner: ObjectKey, token: str) -> Verdict | None:
        """What is known of this run of a hook; None where it has to be looked at."""
        held = self._awaited.get(owner)
        return held.verdict if held is not None and held.token == token else None

    def observe(self, owner: ObjectKey, obj: Object) -> Verdict | None:
        """Takes an answer of our own requests; what is known after it."""
        held = self._awaited.get(owner)
        if held is None:
            return None
        self._take(held, obj)
        return held.verdict

    def handle(self, event_type: str, obj: Object) -> None:
        """Takes a watch event."""
        owner = self._owners.get(Entry.of(obj)) if self._owners else None
        if owner is None:
            return
        held, gone = self._awaited[owner], event_type == "DELETED"
        before = held.verdict
        self._take(held, obj)
        if gone and held.verdict is not None and held.verdict.phase is Phase.RUNNING and _is(held, obj):
            # Somebody deleted it while it ran: it has to be looked at.
            held.verdict = None
        if held.verdict != before or (gone and before is None):
            self._wake(owner)

    def _take(self, held: _Awaited, obj: Object) -> None:
        metadata = obj["metadata"]
        version = int(metadata["resourceVersion"])
        if _is(held, obj) and version >= held.version:
            held.version, held.verdict = version, verdict_of(obj)


def _is(held: _Awaited, obj: Object) -> bool:
    return (obj["metadata"].get("annotations") or {}).get(HOOK_RUN) == held.token
