"""Restarts one workload.

Invariant: a workload's pod template changes once for one marker, however often this runs, and never for a
marker it has. The marker is made of version ids, so it tells nothing of a value.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import Conflict409, NotFound
from pierhead.kube.resources import CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, STATEFUL_SETS, ResourceType
from pierhead.model import GROUP
from pierhead.secrets.restarts.plan import WorkloadKey

FIELD_MANAGER: Final = "pierhead-restart"
PREFIX: Final = f"restart.{GROUP}/"

KINDS: Final[Mapping[str, ResourceType]] = {
    one.kind: one for one in (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, CRON_JOBS)
}
_NAME_LIMIT: Final = 63
"""Longest name of an annotation behind its prefix."""

_TRIES: Final = 4
"""A workload that rolls out or is scaled changes its version all the time."""

_TEMPLATE: Final = ("spec", "template")
_TEMPLATE_OF_JOBS: Final = ("spec", "jobTemplate", "spec", "template")


@dataclass(frozen=True, slots=True)
class Restarted:
    """What became of a restart.

    Changed: its pod template has the marker now. Unchanged: it had it. Absent: there is no such workload, or
    it is being deleted. Paused: it waits to be resumed. Refused: as `message` says.
    """

    end: Literal["Changed", "Unchanged", "Absent", "Paused", "Refused"]
    object: Object | None = None
    message: str = ""


async def restart(client: Client, workload: WorkloadKey, name: str, markers: Mapping[str, str]) -> Restarted:
    """Restarts a workload for the SyncedSecret `name`, and in the same rollout for all others in `markers`.

    Raises ReconcileError where trying again helps.
    """
    kind = KINDS[workload.kind]
    own = annotation_of(name)
    wanted = {annotation_of(other): marker for other, marker in markers.items()}
    for attempt in range(_TRIES):
        try:
            live = await client.get(kind, workload.name, workload.namespace)
        except NotFound:
            return Restarted("Absent")
        except Denied:
            return Restarted("Refused", message="may not be read by pierhead")
        if "deletionTimestamp" in live["metadata"]:
            return Restarted("Absent", live)
        present = _annotations(live)
        if present.get(own) == wanted[own]:
            return Restarted("Unchanged", live)
        if live["spec"].get("paused"):
            return Restarted("Paused", live, "is paused; it is restarted when it is resumed")
        # The annotations of other SyncedSecrets have the same manager, and would go if they were not named.
        ours = {key: value for key, value in present.items() if key.startswith(PREFIX)}
        try:
            return await _apply(client, kind, _patch(live, {**ours, **wanted}))
        except Conflict409:
            if attempt == _TRIES - 1:
                raise
    raise AssertionError


async def _apply(client: Client, kind: ResourceType, patch: Object) -> Restarted:
    try:
        return Restarted("Changed", await client.apply(kind, patch, field_manager=FIELD_MANAGER))
    except Denied:
        return Restarted("Refused", message="may not be changed by pierhead")
    except Invalid:
        return Restarted("Refused", message="is refused by the API server when it is restarted")


def annotation_of(name: str) -> str:
    """The annotation by which the SyncedSecret of this name restarts pods."""
    if len(name) > _NAME_LIMIT:
        digest = hashlib.sha256(name.encode()).hexdigest()[:10]
        name = f"{name[: _NAME_LIMIT - len(digest) - 1].rstrip('.-')}-{digest}"
    return f"{PREFIX}{name}"


def pod_template(workload: Object) -> Mapping[str, Any]:
    """The template of its pods."""
    found: Any = workload
    for step in _path(workload):
        found = found.get(step) or {}
    template: Mapping[str, Any] = found
    return template


def mentions(workload: Object, secret: str) -> bool:
    """Whether its pods get this Secret, in env, envFrom or a volume."""
    spec = pod_template(workload).get("spec") or {}
    return secret in set(_secrets(spec))


def _secrets(spec: Mapping[str, Any]) -> Iterator[str | None]:
    for kind in ("containers", "initContainers"):
        for container in spec.get(kind) or ():
            for source in container.get("envFrom") or ():
                yield (source.get("secretRef") or {}).get("name")
            for variable in container.get("env") or ():
                yield ((variable.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
    for volume in spec.get("volumes") or ():
        yield (volume.get("secret") or {}).get("secretName")
        for source in (volume.get("projected") or {}).get("sources") or ():
            yield (source.get("secret") or {}).get("name")


def _annotations(workload: Object) -> Mapping[str, str]:
    annotations: Mapping[str, str] = (pod_template(workload).get("metadata") or {}).get("annotations") or {}
    return annotations


def _path(workload: Object) -> tuple[str, ...]:
    return _TEMPLATE_OF_JOBS if workload["kind"] == CRON_JOBS.kind else _TEMPLATE


def _patch(live: Object, annotations: Mapping[str, str]) -> Object:
    """What is applied: the annotations, and the version they were decided on, so that it creates nothing."""
    metadata = live["metadata"]
    body: Any = {"metadata": {"annotations": dict(annotations)}}
    for step in reversed(_path(live)):
        body = {step: body}
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
        **body,
    }
