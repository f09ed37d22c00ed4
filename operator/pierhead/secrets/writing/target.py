"""The Secret that a SyncedSecret writes.

Invariants: every value goes straight from AWS to the API server, and no answer asked for here holds one,
except where a key has to be kept whose source is gone; what is remembered of Secrets is metadata; a Secret is
changed or deleted only as the very one (by uid) that was decided about.
"""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from pierhead.engine.outcome import Conflict, Waiting
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, Resource
from pierhead.kube.client import Client
from pierhead.kube.errors import Conflict409, NotFound, Rejected
from pierhead.kube.resources import SECRETS
from pierhead.kube.watch import EventType
from pierhead.kube.watch_set import WatchKey, WatchSet
from pierhead.model import FIELD_MANAGER, GROUP
from pierhead.secrets.decide import Live
from pierhead.secrets.model import RESOURCE, SyncedSecretStatus
from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.known import KnownSecrets

LABEL: Final = f"{GROUP}/managed-by"
"""Finds our Secrets; proves nothing."""

MARKER: Final = f"{GROUP}/versions"
"""Annotation with the marker of the versions a Secret is made of."""

_UNCHANGEABLE: Final = frozenset(
    {
        ("type", "FieldValueInvalid"),
        ("data", "FieldValueForbidden"),
        ("immutable", "FieldValueForbidden"),
    }
)

_NONE_YET: Final = "1"
"""A version that no object has: an apply that names it makes an object, or fails where there is one."""

_HELD_SECONDS: Final = 30.0

_SELECTOR: Final = f"{LABEL}={RESOURCE.kind}"


class Targets:
    """All Secrets that SyncedSecrets write."""

    def __init__(self, client: Client, namespaces: Sequence[str] = ()) -> None:
        self._client = client
        self._namespaces = tuple(namespaces)
        self._known = KnownSecrets(annotation=MARKER)
        self._watches = WatchSet(client, self._told)
        self._wake: Wake | None = None

    async def start(self, wake: Wake) -> None:
        """Watches our Secrets' metadata; returns after the first complete list. Raises ReconcileError."""
        self._wake = wake
        for namespace in self._namespaces or (None,):
            await self._watches.ensure(
                WatchKey(SECRETS, namespace, label_selector=_SELECTOR, metadata_only=True)
            )

    async def stop(self) -> None:
        """Ends the watches."""
        await self._watches.close()

    def known(self, resource: Resource, name: str) -> Live | None:
        """What is known of the Secret without asking; None also for one that does not carry our label."""
        return self._known.live(resource.key.namespace, name, resource.uid)

    def in_place(self, resource: Resource, status: SyncedSecretStatus) -> bool:
        """Whether the Secret is as the status tells, as far as the watch knows."""
        target = status.target
        if target is None:
            return True
        live = self.known(resource, target.name)
        return (
            live is not None
            and live.ours
            and (live.uid, live.resource_version) == (target.uid, target.resource_version)
        )

    async def observe(self, resource: Resource, name: str) -> Live | None:
        """The Secret of that name as it is now; asks only where it is not known."""
        known = self.known(resource, name)
        if known is not None:
            return known
        try:
            found = await self._client.get(SECRETS, name, resource.key.namespace, metadata_only=True)
        except NotFound:
            return None
        return self._known.read(found).live(resource.uid)

    def others(self, resource: Resource, name: str) -> tuple[str, ...]:
        """Secrets of this SyncedSecret beside `name`: former targets, though no status tells of them."""
        return tuple(sorted(key.name for key in self._known.of_owner(resource.uid) if key.name != name))

    async def values(self, resource: Resource, name: str, live: Live) -> dict[str, bytes]:
        """The Secret's values, for keys that have to stay. Raises Conflict409 for another Secret."""
        found = await self._client.get(SECRETS, name, resource.key.namespace)
        if found["metadata"]["uid"] != live.uid:
            raise Conflict409(f"Secret {name} was replaced")
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    async def write(
        self,
        resource: Resource,
        name: str,
        *,
        form: Form,
        data: Mapping[str, bytes],
        marker: str,
        live: Live | None,
    ) -> Live:
        """Makes the Secret hold exactly this. A Secret of ours that cannot be changed is made anew.

        Raises Conflict when it is not the one decided about, Waiting while finalizers hold one that has
        to go.
        """
        body = manifest(resource, name, form=form, data=data, marker=marker)
        try:
            written = await self._apply(body, live)
        except Rejected as error:
            if live is None or not live.ours or not _unchangeable(error):
                raise
            written = await self._anew(resource, body, live)
        surplus = surplus_keys(written["metadata"], data.keys())
        if surplus and form.immutable:
            written = await self._anew(resource, body, self._known.read(written).live(resource.uid))
        elif surplus:
            written = await self._remove_keys(written, surplus)
        return self._known.observe(written).live(resource.uid)

    async def delete(self, resource: Resource, name: str, live: Live) -> bool:
        """Deletes the Secret, if it still is that one; whether it is gone, and not held by finalizers."""
        try:
            gone = await self._client.delete(SECRETS, name, resource.key.namespace, uid=live.uid)
        except Conflict409:
            self._known.forget(resource.key.namespace, name)
            raise
        if gone:
            self._known.remove(resource.key.namespace, name, live.uid)
        return gone

    async def _anew(self, resource: Resource, body: Object, live: Live) -> Object:
        name = body["metadata"]["name"]
        if not await self.delete(resource, name, live):
            raise Waiting(
                f"Secret {name} has to be made anew, and finalizers of others hold it",
                after=_HELD_SECONDS,
                reason="TargetTerminating",
            )
        return await self._apply(body, None)

    async def _apply(self, body: Object, live: Live | None) -> Object:
        metadata = body["metadata"]
        precondition = {"resourceVersion": _NONE_YET} if live is None else {"uid": live.uid}
        body = {**body, "metadata": {**metadata, **precondition}}
        try:
            answer = await self._client.apply_answer(SECRETS, body, metadata_only=True)
        except (Conflict409, Rejected) as error:
            # The API server tells by a 422 that another Secret has the name, by a 409 that none has.
            if isinstance(error, Rejected) and "metadata.uid" not in {cause.field for cause in error.causes}:
                raise
            self._known.forget(metadata["namespace"], metadata["name"])
            raise Conflict(f"Secret {metadata['name']} is another one by now") from None
        return answer.object

    async def _remove_keys(self, secret: Object, keys: Iterable[str]) -> Object:
        metadata = secret["metadata"]
        version = {"op": "replace", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]}
        removals = [{"op": "remove", "path": f"/data/{key}"} for key in keys]
        patched = await self._client.json_patch(
            SECRETS, metadata["name"], metadata["namespace"], [version, *removals]
        )
        return {"metadata": patched["metadata"]}

    def _told(self, event_type: EventType, obj: Object) -> None:
        """Takes a watch event; wakes the owners of what was not our own write."""
        owners = self._known.told(event_type, obj)
        if self._wake is not None:
            for owner in owners:
                self._wake(owner)


def manifest(resource: Resource, name: str, *, form: Form, data: Mapping[str, bytes], marker: str) -> Object:
    """The Secret as it is applied."""
    fixed = {"immutable": True} if form.immutable else {}
    return {
        "apiVersion": SECRETS.api_version,
        "kind": SECRETS.kind,
        "metadata": {
            "name": name,
            "namespace": resource.key.namespace,
            "labels": {**form.labels, LABEL: RESOURCE.kind},
            "annotations": {**form.annotations, MARKER: marker},
            "ownerReferences": [
                {
                    "apiVersion": RESOURCE.reference.api_version,
                    "kind": RESOURCE.kind,
                    "name": resource.key.name,
                    "uid": resource.uid,
                    "controller": True,
                }
            ],
        },
        "type": form.type,
        **fixed,
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(data.items())},
    }


def _unchangeable(error: Rejected) -> bool:
    """Whether all that is wrong is a type, or an immutable Secret, that cannot be changed."""
    faults = {(cause.field, cause.reason) for cause in error.causes}
    return bool(faults) and faults <= _UNCHANGEABLE


def surplus_keys(metadata: Mapping[str, Any], ours: Collection[str]) -> list[str]:
    """Keys that other field managers have put into the Secret, from its managedFields."""
    found = {
        field.removeprefix("f:")
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") != FIELD_MANAGER or entry.get("operation") != "Apply"
        for field in (entry.get("fieldsV1") or {}).get("f:data") or ()
        if field.startswith("f:")
    }
    return sorted(found - set(ours))
