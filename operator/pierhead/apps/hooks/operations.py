"""Hooks brought about: one after another, each recorded before it begins and when it has ended.

Invariant: the revision's Secret says that a hook is under way before its object is created, and what it came
to before anything is deleted; the object carries the mark of that run. Whoever comes after a crash finds by
both whether it has yet to be created, runs, or has ended. No worker waits: `advance` ends where a hook runs.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from pierhead.apps.history.release import Release
from pierhead.apps.hooks import progress as hooks
from pierhead.apps.hooks.logs import last_lines, without_values
from pierhead.apps.hooks.progress import Hook, HookProgress, Phase, Verdict
from pierhead.apps.hooks.watch import HOOK_RUN
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.objects.ownership import RELEASE_LABEL, RELEASE_NAME, RELEASE_NAMESPACE
from pierhead.apps.rendering import Renderer
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Conflict, Invalid, ReconcileError, Waiting
from pierhead.engine.resource import Object
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import AlreadyExists, Conflict409, NotFound, UnknownKind
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import prepared
from pierhead.kube.resources import ResourceType

_TTL = "ttlSecondsAfterFinished"
_LOOK_SECONDS = 5.0
_DELETION = frozenset({hooks.PRE_DELETE, hooks.POST_DELETE})

Mask = Callable[[str], Awaitable[str]]


class HookOperations:
    """Runs the hooks of releases."""

    def __init__(
        self,
        renderer: Renderer,
        objects: ReleaseObjects,
        discovery: Discovery,
        clock: Callable[[], datetime],
    ) -> None:
        self._renderer = renderer
        self._objects = objects
        self._discovery = discovery
        self._clock = clock

    async def advance(
        self, subject: Subject, event: str, *, only: tuple[str, ...] | None = None, mask: Mask | None = None
    ) -> HookProgress:
        """Goes on with the newest revision's hooks of an event until one has to be waited for, or all ended.

        `only` are the names of those to run. `mask` takes out what is secret; without one no logs are read
        of a revision that may have secret values, and none of its values is told.
        Raises what keeps a hook from being looked at; what keeps it from being made is its failure.
        """
        stored = await subject.read_latest()
        if stored.bookkeeping is None:
            raise Conflict("the release's history was changed by somebody else")
        progress = stored.bookkeeping.hooks
        if progress is None or progress.event != event:
            made, progress = hooks.begun(stored.hooks, event, self._clock(), only=only)
            stored = await self._record(subject, stored, made, progress)
        while not progress.ended:
            if self._overdue(subject, progress):
                # What no event told is asked before it is given up.
                self._objects.hooks.forget(subject.key)
            verdict = self._timely(subject, progress, await self._look(subject, stored, progress))
            if verdict.phase is Phase.RUNNING:
                return progress
            failure = ""
            if verdict.phase is Phase.FAILED:
                failure = await self._told(subject, stored, progress, verdict, mask)
            made, progress = hooks.ended(stored.hooks, progress, self._clock(), failure)
            stored = await self._record(subject, stored, made, progress)
        if not progress.done:
            await self.clean(subject, stored, progress)
            progress = replace(progress, done=True)
            await self._record(subject, stored, stored.hooks, progress)
        self._objects.hooks.forget(subject.key)
        return progress

    async def through(self, subject: Subject, event: str) -> None:
        """Runs an event of the uninstall; returns when its hooks have succeeded, or are not to run.

        Raises Waiting while one runs, Invalid when one failed, until it is forced or hooks are disabled.
        """
        kept = subject.latest.revision.hooks
        if subject.hooks_disabled or kept is None or not kept.has(event):
            return
        progress = kept.within(event)
        if progress is not None and progress.done and progress.failure and self._forced(subject):
            await self._again(subject)
            progress = None
        if progress is None or not progress.done:
            progress = await self.advance(subject, event)
        if progress.failure:
            raise Invalid(
                f"{event} hook {progress.failure}: correct what it needs and set another "
                "pierhead.dev/reconcile-at to run it again, or set spec.helm.disableHooks to go on without",
                reason="HookFailed",
            )
        if not progress.ended:
            verdict = self._objects.hooks.seen(
                subject.key, hooks.token(subject.latest.revision.revision, progress)
            )
            text = verdict.message if verdict else ""
            raise Waiting(f"{event} hook: {text}", after=_LOOK_SECONDS, reason="RunningHook")

    async def clean(self, subject: Subject, stored: Release, progress: HookProgress) -> None:
        """Does what the delete policies say of hooks that ended, or are given up."""
        for hook in hooks.leftovers(stored.hooks, progress):
            obj, resource = await self._object(subject, stored, hook)
            place = (obj["metadata"]["name"], obj["metadata"].get("namespace"))
            try:
                live = await subject.client.get(resource, *place, metadata_only=True)
            except NotFound:
                continue
            if (live["metadata"].get("labels") or {}).get(RELEASE_LABEL) != subject.release:
                continue
            failed = progress.present is not None and hook == Hook.of(stored.hooks[progress.present])
            if hook.deleted_by(hooks.ON_FAILURE if failed else hooks.ON_SUCCESS):
                await subject.client.delete(resource, *place, uid=live["metadata"]["uid"])
            else:
                await subject.client.merge_patch(
                    resource, *place, {"spec": {_TTL: (obj.get("spec") or {}).get(_TTL)}}
                )

    async def _look(self, subject: Subject, stored: Release, progress: HookProgress) -> Verdict:
        run = hooks.token(stored.revision, progress)
        known = self._objects.hooks.seen(subject.key, run)
        if known is not None:
            return known
        assert progress.present is not None, "it has not ended"  # noqa: S101
        hook = Hook.of(stored.hooks[progress.present])
        try:
            return await self._brought_about(subject, stored, hook, run)
        except UnknownKind as error:
            return Verdict(Phase.RUNNING, f"{hook.label}: {error}", watched=False)
        except (AlreadyExists, Conflict409):
            return Verdict(Phase.RUNNING, f"{hook.label} is made by somebody else", watched=False)
        except ReconcileError as error:
            if not error.terminal or progress.event in _DELETION:
                error.message = without_values(stored, error.message)
                raise
            return Verdict(Phase.FAILED, str(error))

    async def _brought_about(self, subject: Subject, stored: Release, hook: Hook, run: str) -> Verdict:
        """Creates the hook's object unless this run has, in place of what an earlier run left."""
        obj, resource = await self._object(subject, stored, hook)
        place = (obj["metadata"]["name"], obj["metadata"].get("namespace"))
        self._objects.hooks.expect(subject.key, Entry.of(obj), run)
        if hooks.finishes(obj):
            await self._objects.watch(subject, resource)
        try:
            live = await subject.client.get(resource, *place)
        except NotFound:
            live = None
        if live is not None and (live["metadata"].get("annotations") or {}).get(HOOK_RUN) != run:
            if resource.kind == "CustomResourceDefinition":
                return Verdict(Phase.SUCCEEDED)
            if not hook.deleted_by(hooks.BEFORE_CREATION):
                return Verdict(
                    Phase.FAILED, "it exists already, and its helm.sh/hook-delete-policy does not replace it"
                )
            _refuse_stranger(subject, live, hook)
            uid = live["metadata"]["uid"]
            if live["metadata"].get("deletionTimestamp") or not await subject.client.delete(
                resource, *place, uid=uid
            ):
                return Verdict(Phase.RUNNING, "waiting until the one before is gone", watched=False)
            live = None
        if live is None:
            live = await subject.client.create(resource, _marked(obj, subject.release, run))
            live = {**live, "apiVersion": obj["apiVersion"], "kind": obj["kind"]}
        verdict = self._objects.hooks.observe(subject.key, live)
        return verdict or hooks.verdict_of(live)

    async def _object(self, subject: Subject, stored: Release, hook: Hook) -> tuple[Object, ResourceType]:
        obj = await self._renderer.hook_object(stored, hook)
        resource = await self._discovery.resource_for(obj["apiVersion"], obj["kind"])
        return prepared(obj, resource, namespace=subject.key.namespace), resource

    def _timely(self, subject: Subject, progress: HookProgress, verdict: Verdict) -> Verdict:
        if verdict.phase is not Phase.RUNNING or not self._overdue(subject, progress):
            return verdict
        seconds = f"{subject.timeout.total_seconds():g}s"
        return Verdict(Phase.FAILED, f"not finished within {seconds}: {verdict.message}")

    def _overdue(self, subject: Subject, progress: HookProgress) -> bool:
        begun = subject.memory.begun
        since = begun[1] if begun is not None and begun[0] == subject.latest.revision.revision else None
        return self._clock() >= hooks.deadline(progress, subject.timeout, since)

    async def _told(
        self,
        subject: Subject,
        stored: Release,
        progress: HookProgress,
        verdict: Verdict,
        mask: Mask | None,
    ) -> str:
        """Why the hook under way failed, for people."""
        assert progress.present is not None, "one failed"  # noqa: S101
        hook = Hook.of(stored.hooks[progress.present])
        text = f"{hook.label} failed: {verdict.message}"
        sensitive = stored.bookkeeping is None or stored.bookkeeping.sensitive
        if mask is None and sensitive:
            return without_values(stored, text)
        if hooks.ON_FAILURE in hook.output_log_policies:
            obj = await self._renderer.hook_object(stored, hook)
            namespace = obj["metadata"].get("namespace") or subject.key.namespace
            text += await last_lines(subject.client, hook, namespace)
        return text if mask is None else await mask(text)

    async def _record(
        self, subject: Subject, stored: Release, made: tuple[Mapping[str, Any], ...], progress: HookProgress
    ) -> Release:
        kept = stored.bookkeeping
        assert kept is not None, "looked at before"  # noqa: S101
        after = replace(stored, hooks=made, bookkeeping=replace(kept, hooks=progress))
        return await subject.write_latest(after, goes_on=stored.status.pending or not progress.done)

    def _forced(self, subject: Subject) -> bool:
        kept = subject.latest.bookkeeping
        return kept is not None and subject.reconcile_at != kept.reconcile_at

    async def _again(self, subject: Subject) -> None:
        """Lets the hook that failed run once more."""
        stored = await subject.read_latest()
        kept = stored.bookkeeping
        if kept is None or kept.hooks is None:
            return
        made, progress = hooks.restarted(stored.hooks, kept.hooks, self._clock())
        after = replace(
            stored, hooks=made, bookkeeping=replace(kept, hooks=progress, reconcile_at=subject.reconcile_at)
        )
        await subject.write_latest(after, goes_on=True)


def with_hooks(revision: Release, event: str, at: datetime) -> Release:
    """The revision with an event's first hook under way, where it has any."""
    kept = revision.bookkeeping
    if kept is None or not hooks.ordered(revision.hooks, event):
        return revision
    made, progress = hooks.begun(revision.hooks, event, at)
    return replace(revision, hooks=made, bookkeeping=replace(kept, hooks=progress))


def _marked(obj: Object, release: str, run: str) -> Object:
    """What is created: watched as the release's objects are, and not gone before its end was seen."""
    metadata = obj["metadata"]
    made = {
        **obj,
        "metadata": {
            **metadata,
            "labels": {**(metadata.get("labels") or {}), RELEASE_LABEL: release},
            "annotations": {**(metadata.get("annotations") or {}), HOOK_RUN: run},
        },
    }
    if obj["kind"] == "Job" and _TTL in (obj.get("spec") or {}):
        made["spec"] = {key: value for key, value in obj["spec"].items() if key != _TTL}
    return made


def _refuse_stranger(subject: Subject, live: Object, hook: Hook) -> None:
    marks = live["metadata"].get("annotations") or {}
    labels = live["metadata"].get("labels") or {}
    owner = (marks.get(RELEASE_NAME), marks.get(RELEASE_NAMESPACE))
    ours = (subject.release, subject.key.namespace)
    named = labels.get(RELEASE_LABEL, subject.release)
    if (any(owner) and owner != ours) or named != subject.release:
        raise Invalid(f"{hook.label} belongs to release {owner[0] or named}", reason="OwnedByAnother")
