"""What is remembered of Secrets: metadata only, never a value.

Invariant: what is known of a Secret never goes back in time, so an event about our own write, which may
come before or after its answer, is no news.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.watch import EventType
from pierhead.model import API_VERSION
from pierhead.secrets.decide import Live
from pierhead.secrets.model import RESOURCE


@dataclass(frozen=True, slots=True)
class KnownSecret:
    """One Secret's metadata, as far as it matters."""

    uid: str
    resource_version: str
    owners: tuple[Mapping[str, Any], ...]
    marker: str | None
    deleting: bool

    def live(self, owner_uid: str) -> Live:
        """As the SyncedSecret of this uid sees it."""
        controller = next(
            (owner for owner in self.owners if owner.get("controller") and owner["uid"] != owner_uid), None
        )
        return Live(
            uid=self.uid,
            resource_version=self.resource_version,
            ours=any(owner["uid"] == owner_uid for owner in self.owners),
            controller=f"{controller['kind']} {controller['name']}" if controller else None,
            marker=self.marker,
            deleting=self.deleting,
        )

    def synced_by(self, namespace: str) -> set[ObjectKey]:
        """The SyncedSecrets it belongs to."""
        return {
            ObjectKey(namespace, owner["name"])
            for owner in self.owners
            if (owner["apiVersion"], owner["kind"]) == (API_VERSION, RESOURCE.kind)
        }


class KnownSecrets:
    """The Secrets with our label, as the watch and our own writes tell."""

    def __init__(self, *, annotation: str) -> None:
        self._annotation = annotation
        self._secrets: dict[ObjectKey, KnownSecret] = {}
        self._by_owner: dict[str, set[ObjectKey]] = {}
        # The answer to a write may come after the event that the Secret is gone.
        self._gone: deque[str] = deque(maxlen=1024)

    def live(self, namespace: str, name: str, owner_uid: str) -> Live | None:
        """The Secret as the SyncedSecret of this uid sees it; None where it is not known."""
        known = self._secrets.get(ObjectKey(namespace, name))
        return None if known is None else known.live(owner_uid)

    def of_owner(self, owner_uid: str) -> frozenset[ObjectKey]:
        """The Secrets that belong to the SyncedSecret of this uid."""
        return frozenset(self._by_owner.get(owner_uid, ()))

    def read(self, obj: Object) -> KnownSecret:
        """A Secret's metadata, without remembering it."""
        metadata = obj["metadata"]
        return KnownSecret(
            uid=metadata["uid"],
            resource_version=metadata["resourceVersion"],
            owners=tuple(metadata.get("ownerReferences") or ()),
            marker=(metadata.get("annotations") or {}).get(self._annotation),
            deleting="deletionTimestamp" in metadata,
        )

    def observe(self, obj: Object) -> KnownSecret:
        """Remembers what our own write made."""
        found = self.read(obj)
        self._keep(ObjectKey.of(obj), found)
        return found

    def told(self, event_type: EventType, obj: Object) -> set[ObjectKey]:
        """Takes a watch event; returns the SyncedSecrets for which it is news."""
        key = ObjectKey.of(obj)
        found, before = self.read(obj), self._secrets.get(key)
        owners = found.synced_by(key.namespace) | (before.synced_by(key.namespace) if before else set())
        if event_type == "DELETED":
            return owners if self.remove(key.namespace, key.name, found.uid) else set()
        return owners if self._keep(key, found) else set()

    def remove(self, namespace: str, name: str, uid: str) -> bool:
        """Forgets the Secret of that uid; whether it was known."""
        key = ObjectKey(namespace, name)
        known = self._secrets.get(key)
        self._gone.append(uid)
        if known is None or known.uid != uid:
            return False
        self._drop(key)
        return True

    def forget(self, namespace: str, name: str) -> None:
        """Forgets what turned out not to be so."""
        self._drop(ObjectKey(namespace, name))

    def _drop(self, key: ObjectKey) -> None:
        known = self._secrets.pop(key, None)
        for owner in known.owners if known is not None else ():
            owned = self._by_owner.get(owner["uid"], set())
            owned.discard(key)
            if not owned:
                self._by_owner.pop(owner["uid"], None)

    def _keep(self, key: ObjectKey, found: KnownSecret) -> bool:
        before = self._secrets.get(key)
        if found.uid in self._gone:
            return False
        if before is not None and int(found.resource_version) <= int(before.resource_version):
            return False
        self._drop(key)
        self._secrets[key] = found
        for owner in found.owners:
            self._by_owner.setdefault(owner["uid"], set()).add(key)
        return True
