"""Workloads that are looked at while they roll out, are paused, or have failed.

Invariants: nothing is watched that nobody asks for; what is kept of a workload has no pod template. Where a
watch cannot be had, or there are too many, the workload is read instead.
"""

from collections.abc import Callable
from typing import Final

from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.watch import EventType
from pierhead.kube.watch_set import WatchKey, WatchSet
from pierhead.secrets.restarts.plan import WorkloadKey
from pierhead.secrets.restarts.workloads import KINDS

MOST_WATCHES: Final = 100

_METADATA: Final = ("name", "namespace", "uid", "resourceVersion", "generation", "deletionTimestamp")
_SPEC: Final = ("paused", "replicas", "updateStrategy", "selector")


def slim(workload: Object) -> Object:
    """What tells how a workload fares."""
    metadata, spec = workload["metadata"], workload.get("spec") or {}
    return {
        "apiVersion": workload["apiVersion"],
        "kind": workload["kind"],
        "metadata": {name: metadata[name] for name in _METADATA if name in metadata},
        "spec": {name: spec[name] for name in _SPEC if name in spec},
        "status": workload.get("status") or {},
    }


class Watched:
    """The workloads that somebody waits for, one watch each."""

    def __init__(self, client: Client, told: Callable[[WorkloadKey, Object | None], None]) -> None:
        """`told` hears of each change; of None when the workload is gone."""
        self._client = client
        self._told = told
        self._watches = WatchSet(client, self._handle, keep=slim)

    def __len__(self) -> int:
        return len(self._watches)

    async def look(self, workload: WorkloadKey, *, least: int = 0) -> Object | None:
        """The workload as it is, and never older than the resourceVersion `least`; None if there is none.

        It is watched from now on, until `leave`. Raises ReconcileError when it cannot be read.
        """
        key = _watch_key(workload)
        name = ObjectKey(workload.namespace, workload.name)
        if self._watches.held(None) & {key} or len(self._watches) < MOST_WATCHES:
            try:
                await self._watches.ensure(key)
            except ReconcileError:
                self._watches.release(key)
            found = self._watches.get(key, name)
            if self._watches.current(key) and (found is None or _version(found) >= least):
                return found
        try:
            return slim(await self._client.get(key.resource, workload.name, workload.namespace))
        except NotFound:
            return None

    def leave(self, workload: WorkloadKey) -> None:
        """Nobody waits for it any more."""
        if workload.kind in KINDS:
            self._watches.release(_watch_key(workload))

    async def close(self) -> None:
        """Ends all watches."""
        await self._watches.close()

    def _handle(self, event_type: EventType, obj: Object) -> None:
        key = ObjectKey.of(obj)
        workload = WorkloadKey(key.namespace, obj["kind"], key.name)
        self._told(workload, None if event_type == "DELETED" else obj)


def _watch_key(workload: WorkloadKey) -> WatchKey:
    return WatchKey(KINDS[workload.kind], workload.namespace, field_selector=f"metadata.name={workload.name}")


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
