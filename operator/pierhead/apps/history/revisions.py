"""What is remembered of every release's revisions between reconciles.

Invariant: a remembered history is used only while no revision is known to be newer than it, so a settled
release costs no read, and a foreign `helm` command is noticed by the watch. Own writes are never taken
for foreign ones, whichever of answer and watch event comes first.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pierhead.apps.history.release import Release
from pierhead.apps.history.secrets import LastDeployed, StoredRevision
from pierhead.apps.model.objects import ObjectRule
from pierhead.apps.objects.drift import Difference
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.inventory import Entry

HELM_SECRETS = "owner=helm"
"""Label selector of the Secrets that hold revisions."""


@dataclass(frozen=True, slots=True)
class Spared:
    """A render that cost a renderer its process: nobody else should pay for that again at every look."""

    what: tuple[str, str]
    """The input's digest and the forcing annotation."""

    until: datetime
    error: ReconcileError


@dataclass(slots=True)
class Memory:
    """One release, as this process knows it."""

    owner: ObjectKey
    revisions: list[StoredRevision] | None = None
    """Oldest first; None when it has to be read."""

    applied: int = 0
    """The revision this process applied last."""

    pending: Release | None = None
    """The newest revision with its manifest, while this process brings it about."""

    kept: LastDeployed = field(default_factory=LastDeployed)

    objects: tuple[Entry, ...] | None = None
    """Objects of the newest revision; None until it was applied or compared."""

    compared: frozenset[tuple[Entry, int]] = frozenset()
    """Objects, and their versions, that were compared with the newest revision and differ from it."""

    drift: tuple[Difference, ...] | None = None
    """What others changed of the newest revision; None until the status was read."""

    corrections: tuple[Difference, ...] = ()
    """What was put back lately, the newest first."""

    ruled: tuple[ObjectRule, ...] | None = None
    """The rules that its objects were applied or compared by."""

    begun: tuple[int, datetime] | None = None
    """The pending revision, and when this process first saw it."""

    plan: Mapping[str, Any] | None = None
    """The plan that waits for approval, until the status has it."""

    told: Mapping[Entry, str] = field(default_factory=dict)
    """What the Pods of workloads that are not healthy said when they were asked."""

    patience: timedelta | None = None
    """How long the wait may last before they are asked again."""

    refused_order: tuple[str, str] = ("", "")
    """The order to roll back that cannot be carried out, and why."""

    hindered: int = 0
    """The revision whose last apply was stopped by something that passes by itself."""

    crds: int = 0
    """The revision whose chart's own CRDs this process has applied."""

    spared: "Spared | None" = None
    """The render that is not tried again for a while."""

    reported_at: datetime | None = None
    """When the progress of a wait was last reported."""

    handled_reconcile_at: str = ""
    """The forcing annotation that sources were last fetched for."""

    written: dict[str, int] = field(default_factory=dict)
    """Newest resourceVersion we know of, by Secret name."""

    def rule(self, rules: tuple[ObjectRule, ...]) -> None:
        """Takes the rules of now; objects that were applied by others have to be looked at again."""
        if self.ruled is not None and self.ruled != rules:
            self.objects, self.applied = None, 0
        self.ruled = rules

    def remember(self, revisions: Iterable[StoredRevision]) -> None:
        """Takes the history as it was read or written."""
        self.revisions = sorted(revisions, key=lambda stored: stored.revision.revision)
        self.written = {stored.secret_name: int(stored.resource_version) for stored in self.revisions}

    def store(self, revision: StoredRevision) -> None:
        """Takes one revision as it was written."""
        others = [kept for kept in self.revisions or [] if kept.secret_name != revision.secret_name]
        self.remember([*others, revision])


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the watch last showed of a Secret."""

    version: int
    gone: bool


class Revisions:
    """The histories of all releases."""

    def __init__(self) -> None:
        self._memories: dict[tuple[str, str], Memory] = {}
        self._shown: dict[tuple[str, str], dict[str, _Shown]] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how an AppRelease is woken when somebody else changes its history."""
        self._wake = wake

    def of(self, owner: ObjectKey, release: str) -> Memory:
        """What is known of a release, for one reconcile; its history is None when it must be read."""
        place = (owner.namespace, release)
        memory = self._memories.setdefault(place, Memory(owner))
        shown = self._shown.get(place, {})
        if memory.revisions is None:
            if all(secret.gone for secret in shown.values()):
                memory.remember([])
        elif _foreign(memory, shown):
            memory.revisions = None
        return memory

    def exists(self, namespace: str, release: str) -> bool:
        """Whether anybody has a release of this name there."""
        memory = self._memories.get((namespace, release))
        if memory is not None and memory.revisions:
            return True
        return any(not secret.gone for secret in self._shown.get((namespace, release), {}).values())

    def forget(self, namespace: str, release: str) -> None:
        """Drops everything about a release."""
        self._memories.pop((namespace, release), None)

    def handle(self, event_type: str, secret: Object) -> None:
        """Takes a watch event of a Secret that holds a revision."""
        metadata = secret["metadata"]
        place = (metadata["namespace"], (metadata.get("labels") or {}).get("name", ""))
        shown = self._shown.setdefault(place, {})
        shown[metadata["name"]] = _Shown(int(metadata["resourceVersion"]), gone=event_type == "DELETED")
        memory = self._memories.get(place)
        if memory is None:
            if all(held.gone for held in shown.values()):
                del self._shown[place]
        elif memory.revisions is None or _foreign(memory, shown):
            self._wake(memory.owner)
        else:
            kept = {name: held for name, held in shown.items() if not held.gone or name in memory.written}
            self._shown[place] = kept


def _foreign(memory: Memory, shown: dict[str, _Shown]) -> bool:
    """Whether somebody else wrote or deleted; what of ours the watch has yet to show does not count."""
    for name, secret in shown.items():
        known = memory.written.get(name, 0)
        if secret.version > known and (known or not secret.gone):
            return True
    return False
