"""The AppRelease's reconciler: observe, decide, act, and again until there is nothing to do but wait.

Invariant: each kind of action runs at most once a reconcile, and no worker waits for the cluster: a wait
ends the reconcile with a deadline, and a watch event or a newer spec begins the next.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.apps.acting import Actor
from pierhead.apps.aws import AwsScopes
from pierhead.apps.decide import begins, decide
from pierhead.apps.gates.dependencies import gate as gate_of_dependencies
from pierhead.apps.health.alarms import Alarms
from pierhead.apps.history.revisions import Revisions
from pierhead.apps.images.updates import ImageUpdates
from pierhead.apps.inputs.aws import AwsValues
from pierhead.apps.inputs.reader import InputReader, Inputs
from pierhead.apps.inputs.references import References
from pierhead.apps.model import RESOURCE, AppReleaseSpec
from pierhead.apps.names import release_name
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.objects.drift import drift_status
from pierhead.apps.observer import Observer
from pierhead.apps.operations import Operations
from pierhead.apps.report import conditions_of, grace_of, status_of
from pierhead.apps.situation import Action, Decision, Observation, State, last_tried
from pierhead.apps.sources.fetcher import FETCHING, Sources
from pierhead.apps.stored_status import (
    is_settled,
    kept_conditions,
    only_words_differ,
    own_fields,
    stored_conditions,
)
from pierhead.apps.subject import Subject
from pierhead.apps.subjects import Subjects
from pierhead.engine.conditions import not_ready
from pierhead.engine.outcome import Denied, Invalid, Outcome, ReconcileError, Throttled, Transient, Waiting
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Kind, ObjectKey, Resource
from pierhead.kube.client import Client
from pierhead.kube.dependencies import Dependencies
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import (
    Forbidden,
    NotFound,
    UnknownKind,
)
from pierhead.kube.resources import NAMESPACES
from pierhead.model import FINALIZER, RECONCILE_AT, seconds
from pierhead.settings import Settings

_PROGRESS = timedelta(seconds=2)
"""Least time between two reports of a wait that differ in their message alone."""

_UNINSTALL_LOOK_SECONDS = 5.0

_NEW = frozenset({Action.PLAN, Action.INSTALL, Action.UPGRADE})
"""Actions that the present inputs are rendered for."""

_HANDLED_LIMIT = 256
"""Characters of the forcing annotation that the status repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """What the reconciler works with."""

    client: Client
    discovery: Discovery
    sources: Sources
    references: References
    aws_values: AwsValues
    aws: AwsScopes
    images: ImageUpdates
    revisions: Revisions
    dependencies: Dependencies
    alarms: Alarms
    objects: ReleaseObjects
    operations: Operations


class AppReleaseReconciler:
    """Keeps applications as their AppReleases say."""

    def __init__(
        self,
        collaborators: Collaborators,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._with = collaborators
        self._settings = settings
        self._clock = clock
        self._subjects = Subjects(collaborators.client, collaborators.revisions, settings, clock)
        self._actor = Actor(collaborators.operations)
        self._observer = Observer(collaborators.objects, collaborators.alarms, clock)
        self._waiting_for_kinds: set[ObjectKey] = set()

    @property
    def kind(self) -> Kind:
        """AppRelease."""
        return RESOURCE.reference

    async def start(self, wake: Wake) -> None:
        """Starts the watches of releases and the fetching of sources."""
        self._with.sources.start(wake)
        self._with.references.start(wake)
        self._with.aws_values.start(wake)
        self._with.images.start(wake)
        self._with.revisions.start(wake)
        self._with.dependencies.start(wake)
        self._with.alarms.start(wake)
        self._with.discovery.on_change(lambda *_: self._kinds_changed(wake))
        await self._with.objects.start(wake)

    async def stop(self) -> None:
        """Ends them."""
        await self._with.sources.stop()
        await self._with.references.stop()
        await self._with.aws_values.stop()
        await self._with.dependencies.stop()
        await self._with.alarms.stop()
        await self._with.images.stop()
        await self._with.objects.stop()

    def forget(self, key: ObjectKey) -> None:
        """Drops what is in memory of an AppRelease that is gone."""
        self._waiting_for_kinds.discard(key)
        self._with.sources.forget(key)
        self._with.references.forget(key)
        self._with.aws_values.keep(key, ())
        self._with.dependencies.forget(key)
        self._with.alarms.forget(key)
        self._with.images.forget(key)
        self._with.objects.forget(key)
        self._with.revisions.forget(key.namespace, release_name(key.name))

    async def reconcile(self, resource: Resource) -> Outcome:
        """One pass."""
        if resource.deleting:
            try:
                return await self._uninstall(resource)
            except (Invalid, Denied) as error:
                error.look_again = self._settings.source_poll_seconds
                raise
        spec = RESOURCE.parse(resource.object)
        if spec.suspend:
            suspended = not_ready("Suspended", "spec.suspend is set: the application is left as it is")
            return Outcome(
                status=own_fields(resource.status), conditions=(suspended, *kept_conditions(resource.status))
            )
        subject = self._subjects.of(resource, spec)
        await resource.add_finalizer(FINALIZER)
        try:
            return await self._converge(resource, subject, spec)
        except ReconcileError as error:
            if error.reason == UnknownKind.default_reason:
                self._waiting_for_kinds.add(resource.key)
            if error.reason == FETCHING and is_settled(resource):
                # A restart has every source to fetch again; until it is known to differ, nothing has changed.
                return Outcome(
                    status=own_fields(resource.status), conditions=stored_conditions(resource.status)
                )
            if error.terminal:
                # What is at fault may be in the source, or in an object the spec names, and change there.
                error.look_again = self._pace(spec)
            handled = self._handled(resource)
            if handled and error.status is None:
                error.status = {**own_fields(resource.status), **handled}
            raise

    async def _converge(self, resource: Resource, subject: Subject, spec: AppReleaseSpec) -> Outcome:
        reader = self._reader(subject, spec, resource.generation)
        force = subject.reconcile_at != subject.memory.handled_reconcile_at
        # Before the read: it may end in an error, and what it began to fetch is not to be fetched again.
        subject.memory.handled_reconcile_at = subject.reconcile_at
        try:
            self._with.dependencies.check(spec.depends_on or ())
            await self._with.objects.judge(subject, (spec.health and spec.health.checks) or ())
            inputs = await reader.read(spec, subject.key, force=force, settled=subject.settled)
            inputs = await self._with_images(resource, subject, spec, inputs, force=force)
        except (Invalid, Denied, Transient, Throttled) as error:
            await self._hold(subject, spec)
            if error.reason == "ReferenceNotFound" and spec.depends_on:
                # What is missing may be what a dependency is about to make: that is the better reason.
                gate = await gate_of_dependencies(
                    self._with.dependencies, subject, spec.depends_on, self._clock()
                )
                if gate is not None and not gate.stalled:
                    raise Waiting(gate.message, reason=gate.reason, after=self._interval(spec)) from error
            raise
        done: set[tuple[Action, str]] = set()
        while True:
            seen = await self._observer.observe(subject, spec, inputs.digest)
            decision = decide(seen)
            if spec.depends_on and begins(decision):
                gate = await gate_of_dependencies(self._with.dependencies, subject, spec.depends_on, seen.now)
                if gate is not None:
                    seen = replace(seen, gates=(*seen.gates, gate))
                    decision = decide(seen)
            else:
                self._with.dependencies.forget(subject.key)
            step = (decision.action, decision.event)
            if step in done or decision.action in {Action.NOTHING, Action.WAIT}:
                return self._outcome(resource, subject, inputs, seen, decision, self._pace(spec))
            done.add(step)
            await self._step(subject, spec, inputs, decision, seen)

    async def _step(
        self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs, decision: Decision, seen: Observation
    ) -> None:
        """Does what was decided; where nothing new can be begun, keeps true what is there."""
        try:
            if decision.action in {Action.INSTALL, Action.UPGRADE}:
                await self._with.alarms.check(subject, spec)
            await self._actor.act(subject, spec, inputs, decision, seen)
        except (Invalid, Denied, Transient, Throttled):
            if decision.action in _NEW and not subject.half_applied:
                with suppress(Invalid, Denied):
                    await self._hold(subject, spec)
            raise

    def _reader(self, subject: Subject, spec: AppReleaseSpec, generation: int) -> InputReader:
        return InputReader(
            self._with.sources,
            self._with.references.of(subject.key, generation, subject.client),
            self._with.aws_values,
            self._with.aws,
            interval=self._interval(spec),
        )

    async def _with_images(
        self, resource: Resource, subject: Subject, spec: AppReleaseSpec, inputs: Inputs, *, force: bool
    ) -> Inputs:
        if not spec.images:
            self._with.images.forget(subject.key)
            return inputs
        await self._observer.recall(subject)
        newest = subject.latest.revision.revision if subject.revisions else None
        chosen = await self._with.images.choose(
            spec.images,
            spec.aws,
            self._with.references.of(subject.key, resource.generation, subject.client),
            told=resource.status.get("images") or (),
            current=newest in {None, (resource.status.get("release") or {}).get("revision")},
            interval=self._interval(spec),
            force=force,
        )
        return inputs.with_images(chosen)

    async def _hold(self, subject: Subject, spec: AppReleaseSpec) -> None:
        """Keeps true what the history has, and ends what it has begun, while the inputs cannot be used."""
        await self._observer.recall(subject)
        tried = last_tried(tuple(stored.revision for stored in subject.revisions))
        if tried is None or tried.input_digest is None:
            return
        done = {Action.NOTHING, Action.WAIT, *_NEW}
        while True:
            seen = await self._observer.observe(subject, spec, tried.input_digest)
            decision = decide(seen)
            if decision.action in done:
                return
            done.add(decision.action)
            await self._actor.act(subject, spec, None, decision, seen)

    def _outcome(
        self,
        resource: Resource,
        subject: Subject,
        inputs: Inputs,
        seen: Observation,
        decision: Decision,
        interval: float,
    ) -> Outcome:
        drift = subject.memory.drift or ()
        conditions = conditions_of(decision, seen, inputs, drift)
        status = status_of(
            seen, inputs, release=subject.release, inventory=subject.memory.objects or subject.inventory
        )
        status |= self._handled(resource) | drift_status(decision, drift)
        held = decision.state in {State.AWAITING_APPROVAL, State.PENDING}
        status |= subject.shown_plan(seen.desired if held else None)
        after = interval
        if decision.deadline is not None:
            after = min(after, max(0.1, (decision.deadline - seen.now).total_seconds()))
            look = self._observer.next_look(subject, seen)
            after = min(after, look.total_seconds()) if look is not None else after
            grace = grace_of(decision, seen)
            if grace > 0:
                return Outcome(told=False, requeue_after=min(after, grace))
            reported = subject.memory.reported_at
            lately = reported is not None and seen.now - reported < _PROGRESS
            if lately and only_words_differ(resource.status, status, conditions):
                return Outcome(
                    status=own_fields(resource.status),
                    conditions=stored_conditions(resource.status),
                    requeue_after=min(after, _PROGRESS.total_seconds()),
                )
            subject.memory.reported_at = seen.now
        return Outcome(status=status, conditions=conditions, requeue_after=after)

    async def _uninstall(self, resource: Resource) -> Outcome:
        if FINALIZER not in resource.finalizers:
            return Outcome(status=own_fields(resource.status), conditions=stored_conditions(resource.status))
        subject = self._subjects.of(resource)
        try:
            await self._observer.recall(subject)
            ours = _was_ours(subject, resource.status)
            survivors = await self._with.operations.uninstall(subject) if ours else ()
        except (Forbidden, NotFound):
            # A namespace that is going away takes its RoleBindings first; what is in it goes with it.
            if not await self._namespace_is_going(resource.key.namespace):
                raise
            survivors = ()
        if survivors:
            raise Waiting(
                f"waiting until {survivors[0]} and {len(survivors) - 1} more are gone"
                if len(survivors) > 1
                else f"waiting until {survivors[0]} is gone",
                after=_UNINSTALL_LOOK_SECONDS,
                reason="Uninstalling",
            )
        await resource.remove_finalizer(FINALIZER)
        return Outcome()

    async def _namespace_is_going(self, name: str) -> bool:
        try:
            namespace = await self._with.client.get(NAMESPACES, name)
        except NotFound:
            return True
        return "deletionTimestamp" in namespace["metadata"]

    def _handled(self, resource: Resource) -> dict[str, str]:
        """The status field that tells which forced look is over; it is not while its fetches go on."""
        asked = resource.annotations.get(RECONCILE_AT, "")[:_HANDLED_LIMIT]
        looking = self._with.sources.fetching(resource.key) or self._with.images.looking(resource.key)
        if asked and looking:
            asked = resource.status.get("handledReconcileAt", "")
        return {"handledReconcileAt": asked} if asked else {}

    def _interval(self, spec: AppReleaseSpec) -> float:
        """Seconds between looks at what the spec refers to."""
        return seconds(spec.interval) if spec.interval else self._settings.source_poll_seconds

    def _pace(self, spec: AppReleaseSpec) -> float:
        """Seconds between looks at anything."""
        own = [seconds(image.interval) for image in spec.images or () if image.interval is not None]
        return min([self._interval(spec), *own])

    def _kinds_changed(self, wake: Wake) -> None:
        waiting, self._waiting_for_kinds = self._waiting_for_kinds, set()
        for key in waiting:
            wake(key)


def _was_ours(subject: Subject, status: Mapping[str, Any]) -> bool:
    """Whether the release was ever pierhead's: one that Helm made, and that was never taken over, is not."""
    known = "inputDigest" in (status.get("release") or {})
    return known or any(stored.bookkeeping is not None for stored in subject.revisions)
