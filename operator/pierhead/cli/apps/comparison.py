"""Compares what an AppRelease renders to with the cluster, by server-side dry runs in the caller's name.

Invariant: nothing is written; what the API server refuses in the dry run is an error that tells every object.
"""

from collections.abc import Iterable
from typing import Any

from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.names import release_name
from pierhead.apps.objects import owned, scaled_by_others
from pierhead.apps.rendering import Rendered
from pierhead.cli.apps.differences import change_of, deletion_of
from pierhead.cli.cluster import Cluster
from pierhead.cli.failures import CommandError
from pierhead.cli.masking import values_of
from pierhead.engine.resource import Object
from pierhead.kube.bounded import gathered
from pierhead.kube.errors import NotFound, UnknownKind
from pierhead.kube.inventory import Entry, difference
from pierhead.kube.plan import Action, Plan, Step, plan
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS

_CONCURRENCY = 16
_DEFINITION = (CUSTOM_RESOURCE_DEFINITIONS.group, CUSTOM_RESOURCE_DEFINITIONS.kind)
_KEEP = "helm.sh/resource-policy"


async def planned(cluster: Cluster, name: str, found: Rendered) -> Plan:
    """The plan of an apply of rendered objects. Raises CommandError for what the API server refuses."""
    crds = [crd for crd in found.crds if await _live(cluster, Entry.of(crd)) is None]
    objects = owned(
        scaled_by_others((*crds, *found.objects)), release=release_name(name), namespace=cluster.namespace
    )
    made = await plan(cluster.client, cluster.discovery, objects, namespace=cluster.namespace, explain=True)
    error = made.error()
    if error is not None:
        raise CommandError(f"the dry run was refused: {error}")
    return made


async def changes(
    cluster: Cluster, spec: AppReleaseSpec, made: Plan, before: Iterable[Entry]
) -> list[dict[str, Any]]:
    """What an apply of a plan would change, and what it would delete of the objects there are."""
    steps = [step for step in made.steps if not _is_nothing(step)]
    stale = difference(before, made.entries) if spec.prune else ()
    doomed = await gathered((_live(cluster, entry) for entry in stale), _CONCURRENCY)
    present = [obj for obj in (*(step.live for step in steps), *doomed) if obj is not None]
    hidden = values_of([*present, *(step.object for step in made.steps)])
    found = [change_of(step, hidden) for step in steps]
    found += [
        deletion_of(entry, live, hidden)
        for entry, live in zip(stale, doomed, strict=True)
        if live is not None and not _is_kept(entry, live)
    ]
    return found


def _is_nothing(step: Step) -> bool:
    # An update without changes only takes or leaves the ownership of fields.
    return step.action is Action.NOTHING or (step.action is Action.UPDATE and not step.changes)


def _is_kept(entry: Entry, live: Object) -> bool:
    kept = (live["metadata"].get("annotations") or {}).get(_KEEP) == "keep"
    return kept or (entry.group, entry.kind) == (
        CUSTOM_RESOURCE_DEFINITIONS.group,
        CUSTOM_RESOURCE_DEFINITIONS.kind,
    )


async def _live(cluster: Cluster, entry: Entry) -> Object | None:
    try:
        resource = await cluster.discovery.resource_for(entry.api_version, entry.kind)
        return await cluster.client.get(resource, entry.name, entry.namespace or None)
    except (NotFound, UnknownKind):
        return None
