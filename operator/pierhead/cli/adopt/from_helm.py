"""A Helm release of the cluster, made into an AppRelease and tried before it takes over.

Invariant: nothing is written; what a takeover would change is what the API server's dry run says.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pierhead.apps.history.release import Release
from pierhead.cli.adopt.release import newest, restarts, translate
from pierhead.cli.adopt.translation import Translation
from pierhead.cli.apps import releases
from pierhead.cli.apps.comparison import changes, planned
from pierhead.cli.apps.given import Given
from pierhead.cli.apps.rendering import NoCluster, Wanted, rendered
from pierhead.cli.apps.show import documents_of
from pierhead.cli.cluster import Cluster
from pierhead.engine.resource import Object
from pierhead.kube.errors import NotFound, UnknownKind
from pierhead.kube.inventory import Entry
from pierhead.kube.objects import prepared
from pierhead.kube.resources import ResourceType


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the caller says of a release that Helm does not know."""

    source: Callable[[Mapping[str, Any]], Mapping[str, Any]]
    """Makes `spec.source`, knowing the release's `chart.metadata`."""

    path: str | None = None
    account: str | None = None
    values_secret: str | None = None
    given: Given
    check: bool = True


@dataclass(frozen=True, slots=True)
class Adopted:
    """A translation, and what its takeover would change and restart; None where nobody looked."""

    translation: Translation
    changes: list[dict[str, Any]] | None = None
    restarts: tuple[str, ...] = ()


async def adopted(cluster: Cluster, name: str, choice: Choice) -> Adopted:
    """The AppRelease for a Helm release, tried unless the choice says not to. Raises CommandError."""
    release = newest(await releases.revisions(cluster, name), name)
    made = translate(
        release,
        choice.source(release.chart),
        path=choice.path,
        account=choice.account,
        values_secret=choice.values_secret,
    )
    if not choice.check:
        return Adopted(made)
    wanted = Wanted(
        obj=made.app_release,
        namespace=cluster.namespace,
        given=choice.given,
        revision=release.revision + 1,
    )

    async def lookup(resource: ResourceType, wanted_name: str) -> Object | None:
        for extra in made.extras:
            if (extra["kind"], extra["metadata"]["name"]) == (resource.kind, wanted_name):
                return extra
        try:
            return await cluster.client.get(resource, wanted_name, cluster.namespace)
        except NotFound:
            return None

    found, hidden = await rendered(wanted, cluster=cluster, lookup=lookup, offline=NoCluster())
    plan = await planned(cluster, made.name, wanted.spec, found)
    objects = await _objects(cluster, release)
    told = await changes(cluster, wanted.spec, plan, [Entry.of(obj) for obj in objects], hidden=hidden)
    deleted = [change["object"] for change in told if change["action"] == "Delete"]
    return Adopted(made, told, tuple(restarts(plan, objects, deleted)))


async def _objects(cluster: Cluster, release: Release) -> list[Object]:
    """The objects of Helm's revision, in their namespaces."""
    found = []
    for obj in documents_of(release.manifest):
        try:
            resource = await cluster.discovery.resource_for(obj["apiVersion"], obj["kind"])
        except UnknownKind:
            continue
        found.append(prepared(obj, resource, namespace=release.namespace))
    return found
