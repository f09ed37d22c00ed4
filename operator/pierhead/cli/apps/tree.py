"""`tree`: an AppRelease, its objects, and what these own.

Invariant: an object that is missing, or that the caller may not read, has its place in the tree and says so.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import typer

from pierhead.cli import options
from pierhead.cli.apps.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.conditions import condition
from pierhead.cli.output import print_tree, show
from pierhead.cli.place import Place
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.bounded import gathered
from pierhead.kube.errors import NotFound
from pierhead.kube.health import health_of
from pierhead.kube.inventory import Entry
from pierhead.kube.resources import JOBS, PODS, REPLICA_SETS, ResourceType

_CONCURRENCY = 16
_OWNERS: Mapping[str, tuple[ResourceType, ...]] = {
    "CronJob": (JOBS, PODS),
    "DaemonSet": (PODS,),
    "Deployment": (REPLICA_SETS, PODS),
    "Job": (PODS,),
    "ReplicaSet": (PODS,),
    "StatefulSet": (PODS,),
}
"""What kinds leave to others, and what these are."""


def tree(
    name: NameArgument,
    place: Place,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show the objects of an AppRelease, the ReplicaSets, Jobs and Pods they own, and how each fares."""

    async def read(cluster: Cluster) -> dict[str, Any]:
        obj = await cluster.app_release(name)
        status = obj.get("status") or {}
        entries = [Entry.parse(text) for text in status.get("inventory") or ()]
        found = await gathered((_live(cluster, entry) for entry in entries), _CONCURRENCY)
        owned = await _owned(cluster, entries)
        now = datetime.now(UTC)
        ready = condition(obj)
        return {
            "kind": "AppRelease",
            "name": name,
            "namespace": cluster.namespace,
            "health": {"True": "Current", "False": "Failed"}.get(str(ready.get("status")), "InProgress"),
            "message": f"{ready.get('reason', 'Pending')}: {ready.get('message', 'not looked at yet')}",
            "hidden": max(0, int(status.get("objects") or 0) - len(entries)),
            "children": [_node(entry, live, owned, now) for entry, live in zip(entries, found, strict=True)],
        }

    found = on(place, read)

    def text() -> None:
        print_tree(found, label=_label, children=lambda node: node["children"])
        if found["hidden"]:
            typer.echo(f"and {found['hidden']} more objects")

    show(found, output, text)


def owned_by(objects: Iterable[Object]) -> dict[str, list[Object]]:
    """Objects by the uid of their controller."""
    found: dict[str, list[Object]] = {}
    for obj in objects:
        for owner in obj["metadata"].get("ownerReferences") or ():
            if owner.get("controller"):
                found.setdefault(owner["uid"], []).append(obj)
    return found


def descendants(obj: Object, owned: Mapping[str, list[Object]], now: datetime) -> list[dict[str, Any]]:
    """The nodes below a live object; ReplicaSets that were scaled to nothing are history, and left out."""
    children = sorted(owned.get(obj["metadata"]["uid"], ()), key=lambda child: str(child["metadata"]["name"]))
    return [_of_live(child, owned, now) for child in children if not _is_past(child)]


def _is_past(obj: Object) -> bool:
    if obj["kind"] != "ReplicaSet":
        return False
    status = obj.get("status") or {}
    return not (obj.get("spec") or {}).get("replicas") and not status.get("replicas")


def _node(
    entry: Entry, live: Object | ReconcileError, owned: Mapping[str, list[Object]], now: datetime
) -> dict[str, Any]:
    if isinstance(live, ReconcileError):
        missing = isinstance(live, NotFound)
        return {
            "kind": entry.kind,
            "name": entry.name,
            "namespace": entry.namespace,
            "health": "NotFound" if missing else "Unknown",
            "message": "not found" if missing else live.message,
            "children": [],
        }
    return _of_live(live, owned, now)


def _of_live(obj: Object, owned: Mapping[str, list[Object]], now: datetime) -> dict[str, Any]:
    health = health_of(obj, now=now)
    return {
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "namespace": obj["metadata"].get("namespace") or "",
        "health": health.status.value,
        "message": health.message,
        "children": descendants(obj, owned, now),
    }


async def _live(cluster: Cluster, entry: Entry) -> Object | ReconcileError:
    try:
        resource = await cluster.discovery.resource_for(entry.api_version, entry.kind)
        return await cluster.client.get(resource, entry.name, entry.namespace or None)
    except ReconcileError as error:
        return error


async def _owned(cluster: Cluster, entries: Iterable[Entry]) -> dict[str, list[Object]]:
    wanted = sorted(
        {(entry.namespace, resource) for entry in entries for resource in _OWNERS.get(entry.kind, ())}
    )

    async def listed(namespace: str, resource: ResourceType) -> list[Object]:
        try:
            pages = cluster.client.pages(resource, namespace)
            return [item async for page in pages for item in page.items]
        except ReconcileError:
            # What the caller may not list is left out; the owner's own health speaks for it.
            return []

    lists = await gathered((listed(*place) for place in wanted), _CONCURRENCY)
    return owned_by(obj for found in lists for obj in found)


def _label(node: Mapping[str, Any]) -> Iterator[str]:
    yield f"{node['kind']}/{node['name']}"
    yield node["health"]
    yield node["message"]
