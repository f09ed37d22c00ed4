"""From rendered objects to a plan: each object as its rules, and what is in the cluster, want it applied.

Invariant: an object without a rule costs no request here. The live object is read only where what is
applied depends on it, as the release's account; nothing is ever written. An object is replaced only where a
rule says so, the API server calls the change immutable, and the object carries the release's marks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pierhead.apps.objects.adoption import (
    adopted,
    has_replicas,
    is_scaled,
    unscaled,
    with_replicas_held,
)
from pierhead.apps.objects.live import LiveObjects
from pierhead.apps.objects.ownership import belongs, owned, scaled_by_others
from pierhead.apps.objects.treatment import PLAIN, Treatment, treatment_of, truthful
from pierhead.apps.subject import Subject
from pierhead.engine.resource import Object
from pierhead.expressions import Expressions
from pierhead.kube.bounded import gathered
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import ApiError, NotFound, UnknownKind, immutable_fields
from pierhead.kube.failures import Failure
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import digest, prepared
from pierhead.kube.plan import Action, Plan, Step, plan
from pierhead.kube.resources import ResourceType

_CONCURRENCY = 8
_HINT = " (spec.objectRules can have the object replaced: force)"
_REPLICAS = "/spec/replicas"


@dataclass(slots=True)
class _Draft:
    """Objects on their way into a plan."""

    asked: list[Object] = field(default_factory=list)
    """To be tried by a dry run."""

    steps: list[Step] = field(default_factory=list)
    """Known without one."""

    treatments: dict[Entry, Treatment] = field(default_factory=dict)
    bases: dict[Entry, str] = field(default_factory=dict)


class Planner:
    """Makes the plans of one release in one reconcile."""

    def __init__(
        self, subject: Subject, discovery: Discovery, live: LiveObjects, expressions: Expressions
    ) -> None:
        self._subject = subject
        self._discovery = discovery
        self._live = live
        self._expressions = expressions

    async def plan(
        self,
        objects: Iterable[Object],
        *,
        crds: Sequence[Object] = (),
        dry_run: bool = True,
        explain: bool = False,
    ) -> Plan:
        """What applying these objects would do, and before them `crds`, which are nobody's.

        `explain` tells which fields would change.

        Raises Invalid for a rule or annotation that cannot be followed; what the API server refuses are
        failures of the plan.
        """
        drafted = await self._drafted(objects, look=dry_run, correct=False, replicas=not explain)
        drafted.asked[:0] = crds
        found = await self._asked(drafted, dry_run=dry_run, explain=explain)
        return await self._without_autoscaled(drafted, found) if explain else found

    async def correction(self, objects: Iterable[Object]) -> Plan:
        """As `plan`, for objects that were as they should be once: without a dry run.

        Each that may have changed since has its `Step.live`, None for one that is not there.
        """
        drafted = await self._drafted(objects, look=True, correct=True, replicas=True)
        return await self._asked(drafted, dry_run=True, explain=True)

    async def _asked(self, drafted: _Draft, *, dry_run: bool, explain: bool) -> Plan:
        found = await plan(
            self._subject.client,
            self._discovery,
            drafted.asked,
            namespace=self._subject.key.namespace,
            dry_run=dry_run,
            explain=explain,
            known=self._live.known(self._subject.memory.objects or ()),
            version_of=self._live.version_of,
        )
        steps = [self._marked(step, drafted) for step in found.steps]
        failures = []
        for failure in found.failures:
            step = await self._replacement(failure, drafted)
            if step is None:
                failures.append(failure)
            else:
                steps.append(step)
        return Plan((*drafted.steps, *steps), tuple(failures))

    def _marked(self, step: Step, drafted: _Draft) -> Step:
        treatment = drafted.treatments.get(step.entry, PLAIN)
        basis = drafted.bases.get(step.entry, "")
        return replace(step, once=treatment.once, basis=basis) if treatment.once or basis else step

    async def _drafted(
        self, objects: Iterable[Object], *, look: bool, correct: bool, replicas: bool
    ) -> _Draft:
        drafted = _Draft()
        rules, release = self._subject.rules, self._subject.release
        marks = {"release": release, "namespace": self._subject.key.namespace}
        looked: list[tuple[Object, Treatment]] = []
        for obj, autoscaled in scaled_by_others(objects):
            treatment = treatment_of(obj, rules)
            if autoscaled and self._subject.revisions:
                treatment = replace(treatment, autoscaled=True)
            (made,) = owned([truthful(obj, rules)], **marks)
            scalable = replicas and bool(self._subject.revisions) and has_replicas(obj)
            if look and (correct or scalable or treatment is not PLAIN):
                looked.append((made, treatment))
            else:
                drafted.asked.append(made)
        await gathered(
            (self._look(made, treatment, drafted, correct) for made, treatment in looked), _CONCURRENCY
        )
        return drafted

    async def _look(self, given: Object, treatment: Treatment, drafted: _Draft, correct: bool) -> None:
        """Decides on one object by what is there."""
        try:
            resource = await self._discovery.resource_for(given["apiVersion"], given["kind"])
        except (UnknownKind, KeyError):
            drafted.asked.append(given)
            return
        made = prepared(given, resource, namespace=self._subject.key.namespace)
        entry = Entry.of(made)
        if treatment is not PLAIN:
            drafted.treatments[entry] = treatment
        if treatment.needs_live:
            drafted.bases[entry] = digest({"object": made, "as": repr(treatment)})
        if self._settled(made, entry, treatment, drafted, resource, correct):
            return
        try:
            live = await self._subject.client.get(resource, entry.name, entry.namespace or None)
        except NotFound:
            self._add(made, None, entry, treatment, drafted, resource, correct)
            return
        if treatment.once:
            self._keep(made, live, entry, drafted, resource)
            return
        if treatment.ignored:
            made = self._owned(adopted(made, live, treatment, self._expressions))
        if has_replicas(made) and is_scaled(live):
            made = unscaled(made)
        if treatment.autoscaled:
            made = with_replicas_held(made, live)
        self._add(made, live, entry, treatment, drafted, resource, correct)

    def _settled(
        self,
        made: Object,
        entry: Entry,
        treatment: Treatment,
        drafted: _Draft,
        resource: ResourceType,
        correct: bool,
    ) -> bool:
        """Whether the object is decided on without a look at it: nothing changed since the last."""
        scaled = has_replicas(made) and self._live.scaled(entry)
        if not treatment.needs_live and scaled is not None and not correct:
            drafted.asked.append(unscaled(made) if scaled else made)
            return True
        known = self._live.undisturbed(entry, drafted.bases.get(entry, ""))
        if known is None:
            return False
        sent = unscaled(made) if scaled else made
        if not treatment.needs_live and known.digest != digest(sent):
            return False
        step = Step(
            entry,
            sent,
            resource,
            known.digest,
            Action.NOTHING,
            resource_version=known.resource_version,
            once=treatment.once,
            basis=drafted.bases.get(entry, ""),
        )
        drafted.steps.append(step)
        return True

    def _add(
        self,
        made: Object,
        live: Object | None,
        entry: Entry,
        treatment: Treatment,
        drafted: _Draft,
        resource: ResourceType,
        correct: bool,
    ) -> None:
        if not correct or treatment.force:
            drafted.asked.append(made)
            return
        basis = drafted.bases.get(entry, "")
        fingerprint = digest(made)
        drafted.steps.append(
            Step(
                entry,
                made,
                resource,
                fingerprint,
                Action.UNTRIED,
                why="put back",
                live=live,
                once=treatment.once,
                basis=basis,
            )
        )

    def _keep(
        self, made: Object, live: Object, entry: Entry, drafted: _Draft, resource: ResourceType
    ) -> None:
        """Somebody's object that is there already is none of the release's."""
        if not belongs(live, release=self._subject.release, namespace=self._subject.key.namespace):
            return
        version = live["metadata"]["resourceVersion"]
        step = Step(
            entry, made, resource, digest(made), Action.NOTHING, answer=live, resource_version=version
        )
        drafted.steps.append(replace(step, once=True, basis=drafted.bases[entry]))

    def _owned(self, obj: Object) -> Object:
        (made,) = owned([obj], release=self._subject.release, namespace=self._subject.key.namespace)
        return made

    async def _replacement(self, failure: Failure, drafted: _Draft) -> Step | None:
        """The step that replaces an object, if its rules say so and nothing else would help."""
        error, made = failure.error, failure.object
        if not isinstance(error, ApiError) or not immutable_fields(error):
            return None
        entry = Entry.of(made)
        if not drafted.treatments.get(entry, PLAIN).force:
            error.message += _HINT
            return None
        resource = await self._discovery.resource_for(entry.api_version, entry.kind)
        try:
            live = await self._subject.client.get(
                resource, entry.name, entry.namespace or None, metadata_only=True
            )
        except NotFound:
            return Step(entry, made, resource, digest(made), Action.CREATE)
        if not belongs(live, release=self._subject.release, namespace=self._subject.key.namespace):
            return None
        return Step(
            entry,
            made,
            resource,
            digest(made),
            Action.REPLACE,
            uid=live["metadata"]["uid"],
            changes=immutable_fields(error),
            basis=drafted.bases.get(entry, ""),
        )

    async def _without_autoscaled(self, drafted: _Draft, found: Plan) -> Plan:
        """The plan with the replicas left alone of what turned out to be scaled."""
        scaled = [
            step for step in found.steps if _REPLICAS in step.changes and step.live and is_scaled(step.live)
        ]
        if not scaled:
            return found
        again = _Draft([unscaled(step.object) for step in scaled], [], drafted.treatments, drafted.bases)
        second = await self._asked(again, dry_run=True, explain=True)
        entries = {step.entry for step in scaled}
        others = tuple(step for step in found.steps if step.entry not in entries)
        return Plan((*others, *second.steps), (*found.failures, *second.failures))


def check_rules(rules: Sequence[Any], expressions: Expressions) -> None:
    """Raises Invalid, naming the field, for an expression in these rules that is none."""
    for index, rule in enumerate(rules):
        for at, difference in enumerate(rule.ignore_differences or ()):
            if difference.expression is not None:
                expressions.compiled(
                    difference.expression,
                    field=f"spec.objectRules[{index}].ignoreDifferences[{at}].expression",
                    variables=("object", "path"),
                )


def kept_by_rule(obj: Mapping[str, Any], subject: Subject) -> bool:
    """Whether a live object, of which the metadata is given, is not to be deleted."""
    return not treatment_of(obj, subject.rules).prune
