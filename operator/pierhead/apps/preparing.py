"""What a revision is made of, found out before anything of it is written.

Invariant: the only write here is that of CRDs whose revision is stored already; a render that was too costly
is not tried again before its input or a request changes, or some time has passed.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from pierhead.apps.history.release import Release, Status
from pierhead.apps.history.revisions import Spared
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.objects.cluster import ReleaseObjects
from pierhead.apps.objects.crds import Mode, but_present, separated, to_bring
from pierhead.apps.rendering import Rendered, Renderer
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry, union
from pierhead.kube.plan import Plan
from pierhead.render.errors import RenderOutOfMemory, RenderTimeout
from pierhead.render.protocol import Release as TemplateRelease

_COSTLY = frozenset({RenderTimeout.default_reason, RenderOutOfMemory.default_reason})
_SPARED = timedelta(minutes=20)


class Preparer:
    """Renders and plans."""

    def __init__(self, renderer: Renderer, objects: ReleaseObjects, clock: Callable[[], datetime]) -> None:
        self._renderer = renderer
        self._objects = objects
        self._clock = clock

    async def prepared(
        self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs, *, explain: bool = False
    ) -> tuple[Rendered, Plan, Plan]:
        """What the inputs render to, the plan for CRDs that come before, and that for the objects."""
        before = subject.revisions[-1] if subject.revisions else None
        number = before.revision.revision + 1 if before else 1
        upgrade = before is not None and not before.revision.removed
        templates = TemplateRelease(subject.release, subject.key.namespace, number, is_upgrade=upgrade)
        rendered = await self._rendered(subject, spec, inputs, templates)
        crds = await to_bring(subject.client, rendered.crds, _crds_mode(spec))
        first, plan = await self.planned(subject, rendered.objects, crds, explain=explain)
        return rendered, first, plan

    async def planned(
        self,
        subject: Subject,
        objects: Iterable[Object],
        crds: Sequence[Object] = (),
        *,
        explain: bool = False,
    ) -> tuple[Plan, Plan]:
        """The plan for CRDs and that for a new revision's objects, none of them another release's."""
        if subject.revisions and subject.latest.bookkeeping is None:
            # Somebody else was at work, and not every event of that need have come yet.
            subject.memory.objects = None
        found = await self._objects.plan(subject, objects, crds=crds, explain=explain)
        first, plan = separated(found, crds)
        await self._objects.refuse_strangers(subject, plan, ours=frozenset(_ours(subject)))
        return first, plan

    async def inherited(self, subject: Subject) -> tuple[Entry, ...]:
        """The objects a next revision has to answer for, those of somebody else's revision included."""
        if not subject.revisions or subject.latest.bookkeeping is not None:
            return subject.inventory
        stored = await subject.history.read(subject.latest)
        foreign = await self._objects.plan(subject, await self._renderer.objects_of(stored), dry_run=False)
        return union(_ours(subject), foreign.entries)

    async def objects_of(self, subject: Subject, stored: Release) -> tuple[Object, ...]:
        """What a stored revision has to bring about; one that brings back has nothing to say of CRDs."""
        objects = await self._renderer.objects_of(stored)
        if stored.bookkeeping is None or stored.bookkeeping.rolls_back is None:
            return objects
        return await but_present(subject.client, objects)

    async def bring_crds(
        self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs | None, stored: Release
    ) -> bool:
        """Applies the CRDs of the chart's own folder if nothing proves that it was done; whether it is.

        They are in no manifest, so they are rendered again, which needs the inputs.
        """
        kept = stored.bookkeeping
        if kept is None or not kept.crds or kept.hooks is not None:
            return True
        if subject.memory.crds == stored.revision:
            return True
        if inputs is None:
            return False
        upgrade = stored.status == Status.PENDING_UPGRADE
        templates = TemplateRelease(stored.name, stored.namespace, stored.revision, is_upgrade=upgrade)
        rendered = await self._rendered(subject, spec, inputs, templates)
        crds = await to_bring(subject.client, rendered.crds, _crds_mode(spec))
        found = await self._objects.plan(subject, (), crds=crds)
        await self._objects.apply_crds(subject, separated(found, crds)[0])
        subject.memory.crds = stored.revision
        return True

    async def _rendered(
        self, subject: Subject, spec: AppReleaseSpec, inputs: Inputs, templates: TemplateRelease
    ) -> Rendered:
        spared, what = subject.memory.spared, (inputs.digest, subject.reconcile_at)
        if spared is not None and spared.what == what and self._clock() < spared.until:
            raise spared.error
        subject.memory.spared = None
        try:
            return await self._renderer.render(spec, inputs, templates, subject.client)
        except Invalid as error:
            if error.reason in _COSTLY:
                subject.memory.spared = Spared(what, self._clock() + _SPARED, error)
            raise


def _ours(subject: Subject) -> list[Entry]:
    """Objects of any revision that pierhead made."""
    return [
        Entry.parse(text)
        for stored in subject.revisions
        if stored.bookkeeping is not None
        for text in stored.bookkeeping.inventory
    ]


def _crds_mode(spec: AppReleaseSpec) -> Mode:
    return (spec.helm.crds if spec.helm is not None else None) or "Create"
