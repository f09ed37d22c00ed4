"""What EventTriggers have started, as the watch and our own writes tell.

Invariant: what is known of an object never goes back in time; whose it is its controlling owner says, and
nothing else of it counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.resources import BATCH_JOBS, ResourceType
from pierhead.kube.watch import EventType
from pierhead.kube.watch_set import WatchKey, WatchSet
from pierhead.model import GROUP
from pierhead.triggers.decide import Child
from pierhead.triggers.making import EVENT_ANNOTATION, REPLACES_ANNOTATION, SENT_ANNOTATION, TRIGGER_LABEL
from pierhead.triggers.model import RESOURCE

ANNOUNCED: Final = f"{GROUP}/announced"
"""Annotation of what was started: the end that was told where it should be, by `mark_of`."""

STARTED: Final[Mapping[str, ResourceType]] = {BATCH_JOBS.kind: BATCH_JOBS}
"""The kinds that can be started. A new one ends with a condition Complete or Failed, and has a line here."""

_KEPT = ("phase", "succeeded", "failed", "size", "completedIndexes", "failedIndexes")


@dataclass(frozen=True, slots=True)
class Known:
    """One object that was started."""

    child: Child
    resource_version: int
    object: Object
    """Its apiVersion, kind and metadata, and what of its end is told."""
    deleted: bool = False
    """Whether there is no such object any more, and only its end is still to be told."""


class Children:
    """All that EventTriggers have started."""

    def __init__(self, client: Client, namespaces: Sequence[str]) -> None:
        self._namespaces: tuple[str | None, ...] = tuple(namespaces) or (None,)
        self._known: dict[ObjectKey, dict[str, Known]] = {}
        self._watches = WatchSet(client, self._told)
        self._wake: Wake = lambda _key: None

    async def start(self, wake: Wake) -> None:
        """Watches them; returns after the first complete list. Raises ReconcileError."""
        self._wake = wake
        for resource in STARTED.values():
            for namespace in self._namespaces:
                await self._watches.ensure(WatchKey(resource, namespace, label_selector=TRIGGER_LABEL))

    async def stop(self) -> None:
        """Ends the watches."""
        await self._watches.close()

    def of(self, key: ObjectKey, uid: str) -> dict[str, Known]:
        """What the EventTrigger of this uid has started, by name."""
        found = self._known.get(key, {})
        return {name: known for name, known in found.items() if _owner(known.object).get("uid") == uid}

    def observe(self, obj: Object) -> None:
        """Remembers what our own write made."""
        self._keep(obj)

    def deleting(self, key: ObjectKey, name: str) -> None:
        """Our own write has deleted it: it runs no more, though it may be there for a while."""
        known = self._known.get(key, {}).get(name)
        if known is not None:
            self._known[key][name] = replace(known, child=replace(known.child, deleting=True))

    def gone(self, obj: Object) -> None:
        """Forgets an object."""
        key = _trigger(obj)
        known = self._known.get(key, {}) if key is not None else {}
        before = known.get(obj["metadata"]["name"])
        if before is not None and before.child.uid == obj["metadata"]["uid"]:
            del known[obj["metadata"]["name"]]

    def forget_deleted(self, key: ObjectKey) -> None:
        """Forgets what has ended and is deleted: nobody is to be told of its end."""
        for known in list(self._known.get(key, {}).values()):
            if known.deleted:
                self.gone(known.object)

    def _told(self, event_type: EventType, obj: Object) -> None:
        key = _trigger(obj)
        if key is None:
            return
        if event_type == "DELETED":
            self._deleted(key, obj)
        elif not self._keep(obj):
            return
        self._wake(key)

    def _deleted(self, key: ObjectKey, obj: Object) -> None:
        metadata, child = obj["metadata"], child_of(obj)
        known = self._known.setdefault(key, {})
        before = known.get(metadata["name"])
        if before is not None and before.child.uid != child.uid:
            return  # another of its name is known already
        if child.ended and not child.announced:
            gone = replace(child, deleting=True)
            known[child.name] = Known(gone, int(metadata["resourceVersion"]), _slim(obj), deleted=True)
        else:
            self.gone(obj)

    def _keep(self, obj: Object) -> bool:
        key = _trigger(obj)
        if key is None:
            return False
        known = self._known.setdefault(key, {})
        name, version = obj["metadata"]["name"], int(obj["metadata"]["resourceVersion"])
        before = known.get(name)
        same = before is not None and before.child.uid == obj["metadata"]["uid"]
        if before is not None and same and version <= before.resource_version:
            return False
        child = child_of(obj)
        known[name] = Known(child, version, _slim(obj))
        return before is None or before.child != child


def child_of(obj: Object) -> Child:
    """What decisions see of an object that was started."""
    metadata, end = obj["metadata"], end_of(obj)
    annotations = metadata.get("annotations") or {}
    return Child(
        name=metadata["name"],
        uid=metadata["uid"],
        key=annotations.get(EVENT_ANNOTATION, ""),
        sent=_moment(annotations.get(SENT_ANNOTATION, "")),
        replaces=annotations.get(REPLACES_ANNOTATION) == "true",
        created=datetime.fromisoformat(metadata["creationTimestamp"]),
        ended=datetime.fromisoformat(end["lastTransitionTime"]) if end is not None else None,
        succeeded=end is not None and end["type"] == "Complete",
        announced=end is not None and annotations.get(ANNOUNCED) == mark_of(end),
        deleting="deletionTimestamp" in metadata,
    )


def _moment(text: str) -> datetime | None:
    """A time; None for a text that is none, which people may write into an annotation."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def end_of(obj: Object) -> Mapping[str, Any] | None:
    """The condition that says how it ended; None while it has not."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    ends = (
        entry for entry in conditions if entry["type"] in {"Complete", "Failed"} and entry["status"] == "True"
    )
    return next(ends, None)


def mark_of(end: Mapping[str, Any]) -> str:
    """What tells one end of an object from another: what has failed may be taken up again."""
    return f"{end['type']}@{end['lastTransitionTime']}"


def _slim(obj: Object) -> Object:
    """What an announcement tells of it, and what maps it to its owner."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    kept = ("name", "namespace", "uid", "creationTimestamp", "ownerReferences", "annotations", "labels")
    end = end_of(obj)
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {name: value for name, value in (obj.get("spec") or {}).items() if name == "outputUri"},
        "status": {
            **{name: status[name] for name in _KEPT if name in status and end is not None},
            "conditions": [dict(end)] if end is not None else [],
        },
    }


def _owner(obj: Object) -> Mapping[str, Any]:
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def _trigger(obj: Object) -> ObjectKey | None:
    owner = _owner(obj)
    if (owner.get("apiVersion"), owner.get("kind")) != (RESOURCE.reference.api_version, RESOURCE.kind):
        return None
    return ObjectKey(obj["metadata"]["namespace"], owner["name"])
