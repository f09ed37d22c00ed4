"""Restarts what uses a Secret.

Invariant: a workload's pod template changes once for one marker, however often this runs, and never for a
marker it has. The marker is made of version ids, so it tells nothing of a value.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.resource import Object, Resource
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, ResourceType
from pierhead.model import GROUP
from pierhead.secrets.model.restart import Workload
from pierhead.secrets.model.status import PendingRestart

FIELD_MANAGER: Final = "pierhead-restart"
PREFIX: Final = f"restart.{GROUP}/"

_KINDS: Final[Mapping[str, ResourceType]] = {
    one.kind: one for one in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)
}
_NAME_LIMIT: Final = 63
"""Longest name of an annotation behind its prefix."""


async def restart(
    client: Client, resource: Resource, workloads: Iterable[Workload], marker: str
) -> list[PendingRestart]:
    """Restarts these workloads of the SyncedSecret's namespace; returns those that have to wait.

    A workload that does not exist has nothing to restart: its pods will start with the new values.
    Raises ReconcileError where trying again helps.
    """
    pending = []
    for workload in workloads:
        why = await _restart(client, resource, workload, marker)
        if why:
            pending.append(PendingRestart(kind=workload.kind, name=workload.name, message=why))
    return pending


async def _restart(client: Client, resource: Resource, workload: Workload, marker: str) -> str:
    kind = _KINDS[workload.kind]
    annotation = annotation_of(resource.key.name)
    try:
        live = await client.get(kind, workload.name, resource.key.namespace)
    except NotFound:
        return ""
    except Denied:
        return "may not be read by pierhead"
    template = _template_annotations(live)
    if template.get(annotation) == marker or "deletionTimestamp" in live["metadata"]:
        return ""
    if live["spec"].get("paused"):
        return "is paused; it is restarted when it is resumed"
    # The annotations of other SyncedSecrets have the same manager, and would go if they were not named.
    ours = {name: value for name, value in template.items() if name.startswith(PREFIX)}
    return await _apply(client, kind, _patch(live, {**ours, annotation: marker}))


async def _apply(client: Client, kind: ResourceType, patch: Object) -> str:
    try:
        await client.apply(kind, patch, field_manager=FIELD_MANAGER)
    except Denied:
        return "may not be changed by pierhead"
    except Invalid:
        return "is refused by the API server when it is restarted"
    return ""


def annotation_of(name: str) -> str:
    """The annotation by which the SyncedSecret of this name restarts pods."""
    if len(name) > _NAME_LIMIT:
        digest = hashlib.sha256(name.encode()).hexdigest()[:10]
        name = f"{name[: _NAME_LIMIT - len(digest) - 1].rstrip('.-')}-{digest}"
    return f"{PREFIX}{name}"


def _template_annotations(live: Object) -> Mapping[str, str]:
    annotations: Mapping[str, str] = live["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return annotations


def _patch(live: Object, annotations: Mapping[str, str]) -> Object:
    """What is applied: the annotations, and the version they were decided on, so that it creates nothing."""
    metadata = live["metadata"]
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        "spec": {"template": {"metadata": {"annotations": dict(annotations)}}},
    }
