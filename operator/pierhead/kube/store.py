"""The engine's view of the API server: objects of one kind, a Lease, Events.

Invariant: every write to an object names the resourceVersion it was decided on, so a write on a stale
view is refused (Conflict) and never lands on what somebody else wrote meanwhile.
"""

import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pierhead.engine.events import EventType
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import EVENTS, LEASES, ResourceType

# Limits of events.k8s.io/v1. Source: Kubernetes, pkg/apis/core/validation/events.go.
_NOTE_LIMIT = 1024
_REASON_LIMIT = 128
_NAME_LIMIT = 200


class KindStore:
    """`engine.resource.ObjectStore` of one kind, in some namespaces or in all."""

    def __init__(self, client: Client, resource: ResourceType, namespaces: Sequence[str] = ()) -> None:
        self._client = client
        self._resource = resource
        self._namespaces = tuple(namespaces)

    async def pages(self) -> AsyncIterator[list[Object]]:
        """All objects, in pages; one may come twice when a list had to begin again."""
        for namespace in self._namespaces or (None,):
            async for page in self._client.pages(self._resource, namespace):
                yield page.items

    async def get(self, key: ObjectKey) -> Object | None:
        """The live object; None if there is none."""
        try:
            return await self._client.get(self._resource, key.name, key.namespace)
        except NotFound:
            return None

    async def replace_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replaces the status whole. Raises Conflict when the object moved on or is gone."""
        operations = [{"op": "add", "path": "/status", "value": dict(status)}]
        return await self._patch(obj, operations, subresource="status")

    async def replace_finalizers(self, obj: Object, finalizers: list[str]) -> Object | None:
        """Replaces the finalizers; None when that let the object go.

        Raises Conflict when the object moved on or is gone.
        """
        path = "/metadata/finalizers"
        if finalizers:
            return await self._patch(obj, [{"op": "add", "path": path, "value": finalizers}])
        if not obj["metadata"].get("finalizers"):
            return obj
        updated = await self._patch(obj, [{"op": "remove", "path": path}])
        return None if "deletionTimestamp" in updated["metadata"] else updated

    async def _patch(
        self, obj: Object, operations: list[dict[str, Any]], *, subresource: str | None = None
    ) -> Object:
        metadata = obj["metadata"]
        # Writing the version the decision was made on makes any other one a 409.
        version = {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": metadata["resourceVersion"],
        }
        key = ObjectKey.of(obj)
        try:
            return await self._client.json_patch(
                self._resource,
                key.name,
                key.namespace,
                [version, *operations],
                subresource=subresource,
            )
        except NotFound as error:
            raise Conflict(f"{self._resource.kind} {key} is gone") from error


class LeaseStore:
    """`engine.leader.LeaseStore`: one named Lease."""

    def __init__(self, client: Client, *, namespace: str, name: str) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name

    async def get(self) -> Object | None:
        """The live Lease; None if there is none."""
        try:
            return await self._client.get(LEASES, self._name, self._namespace)
        except NotFound:
            return None

    async def create(self, lease: Object) -> Object:
        """Creates it; raises Conflict when it exists."""
        return await self._client.create(LEASES, lease)

    async def replace(self, lease: Object) -> Object:
        """Replaces it; raises Conflict when it is no longer at `lease`'s resourceVersion, or gone."""
        try:
            return await self._client.replace(LEASES, lease)
        except NotFound as error:
            raise Conflict(f"Lease {self._namespace}/{self._name} is gone") from error


class EventWriter:
    """`engine.events.EventSink` that writes events.k8s.io/v1; de-duplicating is the engine's."""

    def __init__(
        self,
        client: Client,
        *,
        controller: str,
        instance: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        unique: Callable[[], str] = lambda: uuid.uuid4().hex[:16],
    ) -> None:
        """`controller` names the operator, such as `pierhead.dev/operator`; `instance` this process."""
        self._client = client
        self._controller = controller
        self._instance = instance[:_REASON_LIMIT]
        self._now = now
        self._unique = unique

    async def emit(self, obj: Object, event_type: EventType, reason: str, message: str) -> None:
        """Says something about an object. Raises ReconcileError when it could not be said."""
        metadata = obj["metadata"]
        # The API server wants the Events of cluster-scoped objects in `default`.
        namespace = metadata.get("namespace") or "default"
        await self._client.create(
            EVENTS,
            {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {
                    "name": f"{metadata['name'][:_NAME_LIMIT].rstrip('.-')}.{self._unique()}",
                    "namespace": namespace,
                },
                "eventTime": self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "type": event_type,
                "reason": reason[:_REASON_LIMIT],
                "action": "Reconcile",
                "note": _shortened(message),
                "reportingController": self._controller,
                "reportingInstance": self._instance,
                "regarding": {
                    "apiVersion": obj["apiVersion"],
                    "kind": obj["kind"],
                    "name": metadata["name"],
                    "namespace": metadata.get("namespace", ""),
                    "uid": metadata["uid"],
                    "resourceVersion": metadata.get("resourceVersion", ""),
                },
            },
        )


def _shortened(message: str) -> str:
    """At most 1,024 bytes, which is how the API server counts."""
    if len(message.encode()) <= _NOTE_LIMIT:
        return message
    return message.encode()[: _NOTE_LIMIT - 3].decode(errors="ignore") + "…"
