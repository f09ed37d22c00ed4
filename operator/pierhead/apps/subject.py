"""One release in one reconcile: what every action needs to know of it.

Invariant: `client` acts as the release's account and is the only client an action writes with.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pierhead.apps.history.release import Release, Status
from pierhead.apps.history.revisions import Memory
from pierhead.apps.history.secrets import History, StoredRevision
from pierhead.apps.model.objects import ObjectRule
from pierhead.apps.situation import Attempt
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.inventory import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The AppRelease, its release, and who acts for it."""

    key: ObjectKey
    release: str
    """The release's name in `helm list`."""

    reconcile_at: str
    """The forcing annotation."""

    memory: Memory
    history: History
    client: Client
    annotations: Mapping[str, str] = field(default_factory=dict)
    """The AppRelease's own, some of which are orders."""

    told_plan: Mapping[str, Any] | None = None
    """The plan that waits for approval, as the status has it."""

    generation: int = 0
    """Its `metadata.generation`."""

    prune: bool = True
    """`spec.prune`."""

    rules: tuple[ObjectRule, ...] = ()
    """`spec.objectRules`."""

    history_limit: int = 10
    """`spec.historyLimit`."""

    remembered: Attempt | None = None
    """What was released last, as the status has it."""

    timeout: timedelta = timedelta(minutes=5)
    """`spec.health.timeout`: what a hook may take too."""

    hooks_disabled: bool = False
    """`spec.helm.disableHooks`."""

    @property
    def revisions(self) -> list[StoredRevision]:
        """All revisions, oldest first."""
        return self.memory.revisions or []

    @property
    def latest(self) -> StoredRevision:
        """The newest revision. Raises Conflict when there is none any more."""
        if not self.revisions:
            raise Conflict("the release's history is gone")
        return self.revisions[-1]

    async def read_latest(self) -> Release:
        """The newest revision with its manifest; without a request while this process is at it."""
        pending = self.memory.pending
        if pending is not None and pending.resource_version == self.latest.resource_version:
            return pending
        return await self.history.read(self.latest)

    async def write_latest(self, revision: Release, *, goes_on: bool = False) -> Release:
        """Writes the newest revision; held with its manifest where this process `goes_on` with it."""
        self.memory.pending = None
        written = await self.history.update(revision)
        self.memory.store(StoredRevision.of(written))
        if goes_on:
            self.memory.pending = written
        return written

    @property
    def half_applied(self) -> bool:
        """Whether an operation of ours is under way."""
        latest = self.revisions[-1].revision if self.revisions else None
        return latest is not None and latest.status.pending and latest.input_digest is not None

    @property
    def brings_new(self) -> bool:
        """Whether the operation under way brings something new, and does not bring back."""
        return self.half_applied and self.latest.revision.rolls_back is None

    @property
    def plan(self) -> Mapping[str, Any] | None:
        """The plan that waits for approval: the newest there is."""
        return self.memory.plan or self.told_plan

    @property
    def sensitive(self) -> bool:
        """Whether the newest revision has values that must not be shown."""
        kept = self.revisions[-1].bookkeeping if self.revisions else None
        return kept is not None and kept.sensitive

    @property
    def settled(self) -> bool:
        """Whether the newest revision is known, is pierhead's, and is deployed."""
        latest = self.revisions[-1] if self.revisions else None
        return (
            latest is not None
            and latest.bookkeeping is not None
            and latest.revision.status == Status.DEPLOYED
        )

    def shown_plan(self, held: str | None) -> dict[str, Any]:
        """The status field for the plan of the input that is held; remembered until the status has it."""
        plan = self.plan if held is not None else None
        if plan is None or plan["inputDigest"] != held:
            self.memory.plan = None
            return {}
        if plan == self.told_plan:
            self.memory.plan = None
        return {"plan": plan}

    @property
    def inventory(self) -> tuple[Entry, ...]:
        """Objects that the newest revision answers for, its predecessors' included until it is deployed."""
        kept = self.revisions[-1].bookkeeping if self.revisions else None
        return tuple(Entry.parse(text) for text in kept.inventory) if kept else ()

    @property
    def order(self) -> str:
        """The order to roll back that was carried out last."""
        return next(
            (stored.bookkeeping.order for stored in reversed(self.revisions) if stored.bookkeeping), ""
        )
