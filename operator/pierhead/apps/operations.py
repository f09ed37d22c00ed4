"""What can be done to a release: one function an action, each safe to repeat after a crash at any point.

Invariant: the pending revision is written before the first object and names every object that may have
to be cleaned up; its inventory shrinks only to what is proven gone. Objects are applied from the stored
manifest's objects, with the release's account.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from pierhead.apps.gates.approval import live_digest, plan_status
from pierhead.apps.gates.plans import described, hooks_told, masks_of
from pierhead.apps.history.release import Bookkeeping, Release, Status
from pierhead.apps.history.secrets import StoredRevision
from pierhead.apps.hooks.operations import HookOperations, with_hooks
from pierhead.apps.hooks.progress import POST_DELETE, PRE_DELETE, TEST, only_tests, ordered
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.objects.crds import but_present
from pierhead.apps.objects.drift import Difference, joined, lately
from pierhead.apps.preparing import Preparer
from pierhead.apps.rendering import Renderer
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry, difference, union
from pierhead.kube.plan import Plan
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS

_DESCRIPTION_LIMIT = 1024
_MOST_LEFT = 20
_DONE: Mapping[Status, str] = MappingProxyType(
    {
        Status.PENDING_INSTALL: "Install complete",
        Status.PENDING_UPGRADE: "Upgrade complete",
        Status.FAILED: "Became healthy after it had failed",
    }
)
_VERBS: Mapping[Status, str] = MappingProxyType(
    {Status.DEPLOYED: "Release", Status.PENDING_INSTALL: "Install", Status.PENDING_ROLLBACK: "Rollback"}
)


class Operations:
    """The actions of `decide.Action`."""

    def __init__(
        self,
        renderer: Renderer,
        objects: ReleaseObjects,
        hooks: HookOperations,
        clock: Callable[[], datetime],
    ) -> None:
        self._renderer = renderer
        self._objects = objects
        self._hooks = hooks
        self._clock = clock
        self._preparer = Preparer(renderer, objects, clock)

    async def release(self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs) -> None:
        """Renders the inputs, dry-runs them, writes the pending revision and applies it, or begins its hooks.

        Raises Invalid with every object's error when the dry run fails; nothing was written then.
        """
        before = subject.revisions[-1] if subject.revisions else None
        fresh = before is None or before.revision.removed
        rendered, first, plan = await self._preparer.prepared(subject, spec, inputs)
        inherited = await self._preparer.inherited(subject)
        now = self._clock()
        revision = Release(
            name=subject.release,
            namespace=subject.key.namespace,
            revision=before.revision.revision + 1 if before else 1,
            status=Status.PENDING_INSTALL if fresh else Status.PENDING_UPGRADE,
            description="Initial install underway" if fresh else "Preparing upgrade",
            manifest=rendered.manifest,
            first_deployed=before.first_deployed if before else now,
            last_deployed=now,
            chart=rendered.chart,
            values=inputs.values,
            notes=rendered.notes,
            hooks=rendered.hooks,
            bookkeeping=Bookkeeping(
                input_digest=inputs.digest,
                inventory=_texts(union(inherited, plan.entries)),
                left=_left(inherited, plan.entries, rendered.crds),
                reconcile_at=subject.reconcile_at,
                sensitive=bool(inputs.sensitive),
                order=subject.order,
                crds=bool(first.steps),
            ),
        )
        await self._begin(subject, revision, plan, first)

    async def plan(self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs) -> None:
        """Finds out what `release` would do, for `status.plan`; nothing is written.

        Raises what `release` would raise before its first write.
        """
        rendered, first, plan = await self._preparer.prepared(subject, spec, inputs, explain=True)
        stale = difference(await self._preparer.inherited(subject), plan.entries) if subject.prune else ()
        doomed = await self._objects.doomed(subject, stale)
        masks = masks_of(inputs.sensitive, inputs.values, await self._secret_values(subject))
        told = await asyncio.to_thread(described, (*first.steps, *plan.steps), doomed, masks)
        upgrade = bool(subject.revisions) and not subject.latest.revision.removed
        hooks = hooks_told(rendered.hooks, "upgrade" if upgrade else "install")
        subject.memory.plan = plan_status(
            {**told, "hooks": hooks} if hooks else told,
            input_digest=inputs.digest,
            history=[stored.revision for stored in subject.revisions],
            made_at=self._clock(),
            live=live_digest(subject.memory.compared),
        )

    async def roll_back(
        self, subject: Subject, target: int, *, order: str = "", instead_of: str = ""
    ) -> None:
        """Writes a pending revision with the manifest of `target`, and applies it.

        With an order it stands in for the input of digest `instead_of`.
        """
        stored = next((item for item in subject.revisions if item.revision.revision == target), None)
        if stored is None:
            raise Conflict(f"revision {target} is gone")
        wanted = await subject.history.read(stored)
        objects = await but_present(subject.client, await self._renderer.objects_of(wanted))
        none, plan = await self._preparer.planned(subject, objects)
        kept = wanted.bookkeeping
        revision = replace(
            wanted,
            revision=subject.latest.revision.revision + 1,
            status=Status.PENDING_ROLLBACK,
            description=f"Rollback to {target}",
            last_deployed=self._clock(),
            labels={},
            resource_version="",
            hooks=only_tests(wanted.hooks) if subject.hooks_disabled else wanted.hooks,
            bookkeeping=Bookkeeping(
                input_digest=kept.input_digest if kept else f"foreign:{wanted.secret_name}",
                inventory=_texts(union(await self._preparer.inherited(subject), plan.entries)),
                rolls_back=target,
                sensitive=kept.sensitive if kept else True,
                reconcile_at=subject.reconcile_at if order else "",
                order=order or subject.order,
                instead_of=instead_of if order else "",
            ),
        )
        await self._begin(subject, revision, plan, none)

    async def apply(self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs | None) -> None:
        """Applies the pending revision from its stored manifest: after its hooks, or again."""
        stored = await subject.read_latest()
        if not await self._preparer.bring_crds(subject, spec, inputs, stored):
            return
        plan = await self._objects.plan(subject, await self._preparer.objects_of(subject, stored))
        await self._apply(subject, plan)
        subject.memory.applied = stored.revision
        # The time it took until everybody took the objects was not theirs to become healthy.
        subject.memory.begun = (stored.revision, self._clock())

    async def run_hooks(
        self,
        subject: Subject,
        spec: AppReleaseSpec,
        inputs: Inputs | None,
        event: str,
        tests: tuple[str, ...],
    ) -> None:
        """Goes on with the newest revision's hooks of an event; of tests, with these."""
        pending = subject.latest.revision.status.pending
        if pending and not await self._preparer.bring_crds(
            subject, spec, inputs, await subject.read_latest()
        ):
            return
        only = tests if event == TEST else None
        # What is brought back has values of its own, which the inputs know nothing of.
        same = inputs is not None and inputs.digest == subject.latest.revision.input_digest
        mask = inputs.told if inputs is not None and same else None
        await self._hooks.advance(subject, event, only=only, mask=mask)

    async def compare(self, subject: Subject) -> None:
        """Compares the newest revision with the cluster."""
        stored = await subject.read_latest()
        plan = await self._objects.plan(
            subject, await self._preparer.objects_of(subject, stored), explain=True
        )
        self._tell(subject, await self._objects.compare(subject, plan), at=None)

    async def correct(self, subject: Subject) -> None:
        """Applies what differs from the newest revision."""
        stored = await subject.read_latest()
        found = await self._objects.correct(subject, await self._preparer.objects_of(subject, stored))
        self._tell(subject, found, at=self._clock())

    async def finish(self, subject: Subject, *, on_trial: bool = False) -> None:
        """Deletes what is no longer part of the release, and marks the newest revision deployed.

        Objects that are still going away stay in its inventory. `on_trial` begins the bake of what is new.
        """
        stored = await subject.read_latest()
        if stored.bookkeeping is None or subject.memory.objects is None:
            raise Conflict("the release's history was changed by somebody else")
        wanted = subject.memory.objects
        stale = difference(subject.inventory, wanted)
        survivors = await self._objects.prune(subject, stale) if subject.prune else ()
        for earlier in subject.revisions[:-1]:
            if earlier.revision.status == Status.DEPLOYED:
                marked = await subject.history.mark(earlier, Status.SUPERSEDED, earlier.revision.description)
                subject.memory.store(marked)
        new = stored.status.pending and stored.bookkeeping.rolls_back is None
        done = replace(
            stored.now(Status.DEPLOYED, _DONE.get(stored.status, stored.description), stored.last_deployed),
            bookkeeping=replace(
                stored.bookkeeping,
                inventory=_texts(union(wanted, survivors)),
                rejected=False,
                failed_at=None,
                baking_since=self._clock() if on_trial and new else None,
                crds=False,
                hooks=None,
            ),
        )
        await subject.write_latest(done)
        self._objects.settle(subject, wanted)
        await self._trim(subject)

    async def fail(self, subject: Subject, cause: str) -> None:
        """Marks the newest revision failed and its input rejected."""
        stored = await subject.read_latest()
        if stored.bookkeeping is None:
            raise Conflict("the release's history was changed by somebody else")
        await self._give_up_hooks(subject, stored)
        verb = _VERBS.get(stored.status, "Upgrade")
        text = f"{verb} failed: {cause}"[:_DESCRIPTION_LIMIT]
        rejected = replace(
            stored.bookkeeping,
            rejected=stored.bookkeeping.rolls_back is None,
            failed_at=self._clock(),
            baking_since=None,
        )
        failed = stored.now(Status.FAILED, text, stored.last_deployed)
        await subject.write_latest(replace(failed, bookkeeping=rejected))

    async def abandon(self, subject: Subject, cause: str) -> None:
        """Marks the newest revision failed; its input may be tried again."""
        stored = await subject.read_latest()
        await self._give_up_hooks(subject, stored)
        await subject.write_latest(
            stored.now(Status.FAILED, cause[:_DESCRIPTION_LIMIT], stored.last_deployed)
        )

    async def baked(self, subject: Subject) -> None:
        """Notes that the newest revision's trial is over."""
        stored = await subject.read_latest()
        if stored.bookkeeping is None:
            raise Conflict("the release's history was changed by somebody else")
        await subject.write_latest(
            replace(stored, bookkeeping=replace(stored.bookkeeping, baking_since=None))
        )

    async def remove(self, subject: Subject) -> None:
        """Deletes every object of an install that failed; its revision stays, and says why it failed.

        Raises as `uninstall` does.
        """
        if not _within(subject, POST_DELETE):
            await self._hooks.through(subject, PRE_DELETE)
        survivors = await self._objects.prune(subject, subject.inventory)
        if survivors:
            return
        await self._hooks.through(subject, POST_DELETE)
        stored = await subject.read_latest()
        if stored.bookkeeping is None:
            raise Conflict("the release's history was changed by somebody else")
        await subject.write_latest(
            replace(stored, bookkeeping=replace(stored.bookkeeping, inventory=(), removed=True))
        )
        subject.memory.objects = ()
        self._objects.settle(subject, ())

    async def uninstall(self, subject: Subject) -> tuple[Entry, ...]:
        """Deletes every object of the release, then its history; what is still going away.

        Raises Waiting while a hook of it runs, Invalid when one failed.
        """
        if not subject.revisions:
            return ()
        inventory = await self._preparer.inherited(subject)
        if subject.latest.revision.status != Status.UNINSTALLING:
            stored = await subject.read_latest()
            going = stored.now(Status.UNINSTALLING, "Deletion in progress", stored.last_deployed)
            if going.hooks and not subject.hooks_disabled:
                kept = going.bookkeeping or Bookkeeping(f"foreign:{going.secret_name}", _texts(inventory))
                going = with_hooks(replace(going, bookkeeping=kept), PRE_DELETE, self._clock())
            await subject.write_latest(going, goes_on=bool(going.hooks))
        if not _within(subject, POST_DELETE):
            await self._hooks.through(subject, PRE_DELETE)
            survivors = await self._objects.prune(subject, inventory)
            if survivors:
                return survivors
        await self._hooks.through(subject, POST_DELETE)
        # The newest goes last: until then a crash finds the inventory again.
        await subject.history.delete(subject.revisions)
        subject.memory.pending = None
        subject.memory.remember([])
        return ()

    def _tell(self, subject: Subject, found: Sequence[Difference], *, at: datetime | None) -> None:
        """Remembers what others changed, and when that was put back."""
        subject.memory.drift = joined(subject.memory.drift or (), found, at=at)
        subject.memory.corrections = lately(subject.memory.corrections, found, at=at)

    async def _begin(self, subject: Subject, revision: Release, plan: Plan, crds: Plan) -> None:
        """Takes the lock, which is the pending revision, and applies, unless hooks come first."""
        event = f"pre-{revision.status.value.removeprefix('pending-')}"
        hooked = bool(ordered(revision.hooks, event))
        if hooked and not crds.steps:
            revision = with_hooks(revision, event, revision.last_deployed)
        created = await subject.history.create(revision)
        subject.memory.store(StoredRevision.of(created))
        subject.memory.pending = created
        subject.memory.drift = ()
        if hooked:
            if crds.steps:
                await self._objects.apply_crds(subject, crds)
                subject.memory.crds = revision.revision
            return
        await self._apply(subject, plan, crds)
        subject.memory.crds = subject.memory.applied = revision.revision

    async def _give_up_hooks(self, subject: Subject, stored: Release) -> None:
        """Deletes what its policy does not leave of an event that did not end."""
        progress = stored.bookkeeping.hooks if stored.bookkeeping is not None else None
        if progress is not None and not progress.done:
            await self._hooks.clean(subject, stored, progress)

    async def _secret_values(self, subject: Subject) -> Mapping[str, Any] | None:
        """The values of the newest revision, if some of them may be secret."""
        if not subject.revisions:
            return None
        kept = subject.latest.bookkeeping
        if kept is not None and not kept.sensitive:
            return None
        return (await subject.history.read(subject.latest)).values

    async def _apply(self, subject: Subject, plan: Plan, crds: Plan | None = None) -> None:
        before = subject.revisions[-2] if len(subject.revisions) > 1 else None
        if before is not None and before.bookkeeping is None:
            plan = await self._objects.take_over_from_helm(subject, plan)
        await self._objects.apply(subject, plan, crds)

    async def _trim(self, subject: Subject) -> None:
        """Forgets revisions beyond the limit, never the deployed one."""
        surplus = [
            stored
            for stored in subject.revisions[: -subject.history_limit]
            if stored.revision.status != Status.DEPLOYED
        ]
        if surplus:
            await subject.history.delete(surplus)
            gone = {stored.secret_name for stored in surplus}
            subject.memory.remember(kept for kept in subject.revisions if kept.secret_name not in gone)


def _within(subject: Subject, event: str) -> bool:
    """Whether the newest revision's hooks of this event were begun."""
    held = subject.latest.revision.hooks
    return held is not None and held.within(event) is not None


def _left(before: Iterable[Entry], wanted: Iterable[Entry], crds: Iterable[Object]) -> tuple[str, ...]:
    """CRDs that a revision has no longer, for people; those of a chart's own folder do not count."""
    folder = {crd["metadata"]["name"] for crd in crds}
    gone = [entry for entry in difference(before, wanted) if entry.kind == CUSTOM_RESOURCE_DEFINITIONS.kind]
    return tuple(entry.label for entry in gone if entry.name not in folder)[:_MOST_LEFT]


def _texts(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(str(entry) for entry in entries)
