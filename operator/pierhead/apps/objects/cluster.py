"""The objects of releases in the cluster: tried, applied, followed, compared and deleted.

Invariant: before a release's first object is written its kinds are watched, so no change after that goes
unseen; everything is done with the release's account, but the watches, which are the operator's where it
may have them.
"""

from collections.abc import Iterable, Sequence

from pierhead.apps.health.checks import compiled_checks
from pierhead.apps.history.revisions import HELM_SECRETS, Revisions
from pierhead.apps.hooks.watch import LiveHooks
from pierhead.apps.model.delivery import HealthCheck
from pierhead.apps.objects.crds import known, separated
from pierhead.apps.objects.drift import Difference, difference, put_back
from pierhead.apps.objects.live import METADATA_IS_ENOUGH, LiveObjects
from pierhead.apps.objects.ownership import RELEASE_LABEL, belongs
from pierhead.apps.objects.planning import Planner, check_rules, kept_by_rule
from pierhead.apps.objects.takeover import refuse_what_belongs_to_others, take_over_from_helm
from pierhead.apps.situation import Health
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Invalid, ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey
from pierhead.expressions import Expressions
from pierhead.kube.apply import Applied, apply_staged
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Forbidden, NotFound, UnknownKind
from pierhead.kube.inventory import Entry
from pierhead.kube.plan import Action, Plan
from pierhead.kube.pods import WORKLOADS, pods_trouble
from pierhead.kube.prune import prune
from pierhead.kube.resources import SECRETS, ResourceType
from pierhead.kube.watch import slim
from pierhead.kube.watch_set import WatchKey, WatchSet

_EXPLAINED = 2
"""Workloads whose Pods are asked: what a condition has room for."""


class ReleaseObjects:
    """The objects of all releases."""

    def __init__(
        self, client: Client, discovery: Discovery, revisions: Revisions, *, namespaces: Sequence[str] = ()
    ) -> None:
        """`namespaces` are those the operator works in; none means all."""
        self._discovery = discovery
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._live = LiveObjects()
        self._expressions = Expressions()
        self._revisions = revisions
        self.hooks = LiveHooks()
        self._objects = WatchSet(client, self._handle, keep=slim)
        self._secrets = WatchSet(client, revisions.handle)

    async def start(self, wake: Wake) -> None:
        """Watches the releases' Secrets; their objects are watched as releases come."""
        self._live.start(wake)
        self.hooks.start(wake)
        for namespace in self._namespaces:
            await self._secrets.ensure(
                WatchKey(SECRETS, namespace, label_selector=HELM_SECRETS, metadata_only=True)
            )

    async def stop(self) -> None:
        """Ends all watches."""
        await self._objects.close()
        await self._secrets.close()

    def forget(self, key: ObjectKey) -> None:
        """Drops what is known of an AppRelease's objects, and its watches."""
        self._objects.release_all(key)
        self._live.keep(key, ())
        self.hooks.forget(key)

    def _handle(self, event_type: str, obj: Object) -> None:
        self._live.handle(event_type, obj)
        self.hooks.handle(event_type, obj)

    async def plan(
        self,
        subject: Subject,
        objects: Iterable[Object],
        *,
        crds: Sequence[Object] = (),
        dry_run: bool = True,
        explain: bool = False,
    ) -> Plan:
        """What applying these rendered or stored objects would do; `crds` are nobody's, and come before.

        Raises what any of them causes, told for every object; Invalid for another AppRelease's object.
        """
        found = await self._planner(subject).plan(objects, crds=crds, dry_run=dry_run, explain=explain)
        return self._accepted(subject, found, crds)

    def _planner(self, subject: Subject) -> Planner:
        check_rules(subject.rules, self._expressions)
        return Planner(subject, self._discovery, self._live, self._expressions)

    def _accepted(self, subject: Subject, found: Plan, crds: Sequence[Object] = ()) -> Plan:
        error = found.error()
        if error is not None:
            raise error
        self._refuse_claimed(subject, separated(found, crds)[1].entries)
        return found

    async def refuse_strangers(self, subject: Subject, wanted: Plan, *, ours: frozenset[Entry]) -> None:
        """Raises Invalid naming what a plan would take from another release; `ours` is known not to be."""
        await refuse_what_belongs_to_others(subject, wanted.steps, ours=ours, exists=self._release_exists)

    async def take_over_from_helm(self, subject: Subject, wanted: Plan) -> Plan:
        """Makes pierhead's what Helm's command wrote into these objects; the plan for them after that."""
        if not await take_over_from_helm(subject, wanted.steps):
            return wanted
        return await self.plan(subject, [step.object for step in wanted.steps])

    def _release_exists(self, namespace: str, release: str) -> bool:
        unseen = None not in self._namespaces and namespace not in self._namespaces
        return unseen or self._revisions.exists(namespace, release)

    def _refuse_claimed(self, subject: Subject, entries: Iterable[Entry]) -> None:
        for entry in entries:
            owner = self._live.owner(entry)
            if owner is not None and owner != subject.key:
                raise Invalid(f"{entry.label} belongs to AppRelease {owner}", reason="OwnedByAnother")

    async def apply(self, subject: Subject, wanted: Plan, crds: Plan | None = None) -> None:
        """Applies a plan, its objects followed from before the first write, and `crds` before them.

        Raises one error that tells every failure; what was applied stays.
        """
        await self._applied(subject, wanted, crds)

    async def correct(self, subject: Subject, objects: Iterable[Object]) -> tuple[Difference, ...]:
        """Puts back what somebody changed of these objects, which were applied once; what that was."""
        wanted = self._accepted(subject, await self._planner(subject).correction(objects))
        applied = await self._applied(subject, wanted)
        found = []
        for step in wanted.steps:
            after = applied[step.entry].object
            if step.action is Action.NOTHING or after is None:
                continue
            changes = put_back(step.live, after) if step.live is not None else step.changes
            missing = step.live is None and not changes
            if changes or missing:
                found.append(difference(step.entry, None if missing else step.live or after, changes))
        return tuple(found)

    async def _applied(
        self, subject: Subject, wanted: Plan, crds: Plan | None = None
    ) -> dict[Entry, Applied]:
        await self._follow(subject, wanted.entries)
        both = wanted if crds is None else Plan((*crds.steps, *wanted.steps), ())
        result = await apply_staged(subject.client, self._discovery, both)
        steps = {step.entry: step for step in wanted.steps}
        for done in result.applied:
            if done.object is not None and done.entry in steps:
                self._live.verified(steps[done.entry], done.object)
        error = result.error()
        if error is not None:
            raise error
        subject.memory.objects = wanted.entries
        subject.memory.compared = frozenset()
        return {done.entry: done for done in result.applied}

    async def apply_crds(self, subject: Subject, crds: Plan) -> None:
        """Applies the CRDs of a chart's own folder alone; returns when their kinds are known.

        Raises one error that tells every failure.
        """
        result = await apply_staged(subject.client, self._discovery, crds)
        error = result.error()
        if error is not None:
            raise error
        await known(self._discovery, [step.object for step in crds.steps])

    async def compare(self, subject: Subject, wanted: Plan) -> tuple[Difference, ...]:
        """Takes for verified what is as a plan (an explained one) wants it, and remembers what is not."""
        await self._follow(subject, wanted.entries)
        found = []
        for step in wanted.steps:
            # A step that changes nothing but who owns a field is no drift.
            same = step.action is Action.NOTHING or (step.action is Action.UPDATE and not step.changes)
            if not same:
                self._live.differs(step.entry)
                found.append(difference(step.entry, step.live or step.answer, step.changes))
            elif step.answer is not None:
                self._live.verified(step, step.answer)
        subject.memory.objects = wanted.entries
        subject.memory.compared = self._live.suspects(wanted.entries)
        return tuple(found)

    async def _follow(self, subject: Subject, entries: Sequence[Entry]) -> None:
        """Watches the kinds of these objects. Raises Forbidden where neither we nor the account may.

        Raises Invalid where another AppRelease came first since the plan.
        """
        self._refuse_claimed(subject, entries)
        self._live.claim(subject.key, entries)
        for api_version, kind in sorted({(entry.api_version, entry.kind) for entry in entries}):
            try:
                resource = await self._discovery.resource_for(api_version, kind)
            except UnknownKind:
                # Its CRD comes with this very apply; the answers of the apply tell of its objects.
                continue
            await self.watch(subject, resource)

    def drift(self, subject: Subject) -> tuple[Entry, ...] | None:
        """Objects that differ from the newest revision; None when they have to be compared."""
        objects = subject.memory.objects
        if objects is None:
            return None
        suspects = self._live.suspects(objects)
        if not suspects <= subject.memory.compared:
            return None
        return tuple(sorted(entry for entry, _ in suspects))

    def health(self, subject: Subject) -> Health:
        """The health of the newest revision's objects."""
        objects = subject.memory.objects
        if objects is None:
            return Health("InProgress", "not compared with the cluster yet")
        return self._live.health(objects, subject.memory.told)

    async def judge(self, subject: Subject, wanted: Sequence[HealthCheck]) -> None:
        """From now on these checks say how the release's objects fare.

        Raises Invalid for a check that cannot be used; what the API server refuses of objects read again.
        """
        checks = compiled_checks(wanted, self._expressions) if wanted else ()
        before = self._live.checks(subject.key)
        try:
            for entry in self._live.judge_by(subject.key, checks):
                await self._judge(subject, entry)
        except ReconcileError:
            self._live.judge_by(subject.key, before)
            raise

    async def _judge(self, subject: Subject, entry: Entry) -> None:
        try:
            resource = await self._discovery.resource_for(entry.api_version, entry.kind)
            obj = await subject.client.get(resource, entry.name, entry.namespace or None)
        except (NotFound, UnknownKind):
            return
        self._live.judged_anew(obj)

    async def words_of_pods(self, subject: Subject) -> dict[Entry, str]:
        """What keeps the Pods of workloads that are not healthy, as far as the account may know."""
        workloads = [
            entry
            for entry in self._live.troubled(subject.memory.objects or ())
            if (entry.group, entry.kind) in WORKLOADS
        ]
        told = {}
        for entry in workloads[:_EXPLAINED]:
            try:
                told[entry] = await pods_trouble(subject.client, self._discovery, entry)
            except ReconcileError:
                continue
        return {entry: text for entry, text in told.items() if text}

    def settle(self, subject: Subject, kept: Iterable[Entry]) -> None:
        """Drops what is known of any other object of the release."""
        self._live.keep(subject.key, kept)

    async def doomed(self, subject: Subject, stale: Iterable[Entry]) -> tuple[Entry, ...]:
        """What `prune` would delete of these."""
        pruned = await prune(
            subject.client,
            self._discovery,
            stale,
            owned=lambda obj: _may_go(obj, subject),
            dry_run=True,
        )
        return pruned.doomed

    async def prune(self, subject: Subject, stale: Iterable[Entry]) -> tuple[Entry, ...]:
        """Deletes objects that carry this release's marks; those that are still going away.

        Raises the first error of an object that nobody is deleting.
        """
        pruned = await prune(
            subject.client,
            self._discovery,
            stale,
            owned=lambda obj: _may_go(obj, subject),
        )
        for survivor in pruned.errors:
            error = survivor.error
            if isinstance(error, ReconcileError):
                raise error
        return pruned.remaining

    async def watch(self, subject: Subject, resource: ResourceType) -> None:
        """Watches the objects of releases of this kind. Raises Forbidden where nobody may."""
        metadata_only = resource.kind in METADATA_IS_ENOUGH
        try:
            for namespace in self._namespaces if resource.namespaced else (None,):
                await self._objects.ensure(
                    WatchKey(resource, namespace, label_selector=RELEASE_LABEL, metadata_only=metadata_only),
                    subject.key,
                )
        except Forbidden:
            if subject.client.identity is None:
                raise
            theirs = WatchKey(
                resource,
                namespace=subject.key.namespace if resource.namespaced else None,
                label_selector=RELEASE_LABEL,
                identity=subject.client.identity,
                metadata_only=metadata_only,
            )
            await self._objects.ensure(theirs, subject.key)


def _may_go(obj: Object, subject: Subject) -> bool:
    """Whether a live object is this release's to delete."""
    ours = belongs(obj, release=subject.release, namespace=subject.key.namespace)
    return ours and not kept_by_rule(obj, subject)
