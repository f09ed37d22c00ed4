"""Compares what an AppRelease renders to with the cluster, by server-side dry runs in the caller's name.

Invariant: nothing is written; what the API server refuses in the dry run is an error that tells every object.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from pierhead.apps.history.revisions import Memory
from pierhead.apps.history.secrets import History
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.objects import ObjectRule
from pierhead.apps.names import release_name
from pierhead.apps.objects.live import LiveObjects
from pierhead.apps.objects.planning import Planner, check_rules
from pierhead.apps.objects.treatment import treatment_of
from pierhead.apps.rendering import Rendered
from pierhead.apps.subject import Subject
from pierhead.cli.apps.differences import change_of, deletion_of
from pierhead.cli.cluster import Cluster
from pierhead.cli.failures import CommandError
from pierhead.cli.masking import values_of
from pierhead.engine.resource import Object, ObjectKey
from pierhead.expressions import Expressions
from pierhead.kube.bounded import gathered
from pierhead.kube.errors import NotFound, UnknownKind
from pierhead.kube.inventory import Entry, difference
from pierhead.kube.plan import Action, Plan, Step
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS

_CONCURRENCY = 16
_DEFINITION = (CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.kind)
_KEEP = "helm.sh/resource-policy"


async def planned(cluster: Cluster, name: str, spec: AppReleaseSpec, found: Rendered) -> Plan:
    """The plan of an apply of rendered objects. Raises CommandError for what the API server refuses."""
    subject = _subject(cluster, name, spec)
    crds = [crd for crd in found.crds if await _live(cluster, Entry.of(crd)) is None]
    check_rules(subject.rules, expressions := Expressions())
    planner = Planner(subject, cluster.discovery, LiveObjects(), expressions)
    made = await planner.plan((*crds, *found.objects), explain=True)
    error = made.error()
    if error is not None:
        raise CommandError(f"the dry run was refused: {error}")
    return made


async def changes(
    cluster: Cluster, spec: AppReleaseSpec, made: Plan, before: Iterable[Entry], *, hidden: frozenset[str]
) -> list[dict[str, Any]]:
    """What an apply of a plan would change, and what it would delete of the objects there are.

    `hidden` are texts that no difference may show, beside the values of Secrets.
    """
    steps = [step for step in made.steps if not _is_nothing(step)]
    stale = difference(before, made.entries) if spec.prune else ()
    doomed = await gathered((_live(cluster, entry) for entry in stale), _CONCURRENCY)
    present = [obj for obj in (*(step.live for step in steps), *doomed) if obj is not None]
    hidden |= values_of([*present, *(step.object for step in made.steps)])
    found = [change_of(step, hidden) for step in steps]
    kept = tuple(spec.object_rules or ())
    found += [
        deletion_of(entry, live, hidden)
        for entry, live in zip(stale, doomed, strict=True)
        if live is not None and not _is_kept(entry, live, kept)
    ]
    return found


def _is_nothing(step: Step) -> bool:
    # An update without changes only takes or leaves the ownership of fields.
    return step.action is Action.NOTHING or (step.action is Action.UPDATE and not step.changes)


def _is_kept(entry: Entry, live: Object, rules: Sequence[ObjectRule]) -> bool:
    if (live["metadata"].get("annotations") or {}).get(_KEEP) == "keep":
        return True
    return (entry.group, entry.kind) == _DEFINITION or not treatment_of(live, rules).prune


def _subject(cluster: Cluster, name: str, spec: AppReleaseSpec) -> Subject:
    key = ObjectKey(cluster.namespace, name)
    release = release_name(name)
    memory = Memory(key)
    return Subject(
        key=key,
        release=release,
        reconcile_at="",
        memory=memory,
        history=History(
            cluster.client,
            memory.kept,
            namespace=cluster.namespace,
            name=release,
            clock=lambda: datetime.now(UTC),
        ),
        client=cluster.client,
        prune=spec.prune,
        rules=tuple(spec.object_rules or ()),
    )


async def _live(cluster: Cluster, entry: Entry) -> Object | None:
    try:
        resource = await cluster.discovery.resource_for(entry.api_version, entry.kind)
        return await cluster.client.get(resource, entry.name, entry.namespace or None)
    except (NotFound, UnknownKind):
        return None
