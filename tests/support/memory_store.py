"""An in-memory `ObjectStore` that keeps the API server's promises for one kind.

resourceVersions come from one counter and every write tests one; spec and deletion move the generation,
metadata and status do not; a write that changes nothing makes no new version and no event; a deleted object
with finalizers stays until the last is gone, and takes no new ones; what is handed out is a copy.

A test acts as the user with the synchronous methods, and as the network with `hold`, `lose` and `on_request`.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pierhead.engine.outcome import Conflict, Invalid
from pierhead.engine.resource import Kind, Object, ObjectKey, as_stored

KIND = Kind(group="test.pierhead.dev", version="v1", kind="Widget", plural="widgets")

Verb = Literal["list", "get", "replace_status", "replace_finalizers"]
Phase = Literal["before", "after"]
Watcher = Callable[[str | None, Object], None]


@dataclass(frozen=True)
class Request:
    """One request of the operator; `changed` says whether it made a new version, once it was served."""

    verb: Verb
    key: ObjectKey | None = None
    body: Any = None
    changed: bool = False

    @property
    def writes(self) -> bool:
        """Whether it is of a kind that could change something."""
        return self.verb.startswith("replace")


OnRequest = Callable[[Request, Phase], Awaitable[None]]


async def _calm(_request: Request, _phase: Phase) -> None:
    return


@dataclass
class MemoryStore:
    """One kind's objects."""

    kind: Kind = KIND
    page_size: int = 500
    on_request: OnRequest = _calm
    """Called before and after each request is served; what it raises is what the operator gets."""
    requests: list[Request] = field(default_factory=list)
    """What was served, in order."""
    _objects: dict[ObjectKey, Object] = field(default_factory=dict)
    _revision: int = 100
    _uids: int = 0
    _watcher: Watcher | None = None
    _held: list[tuple[str, Object]] | None = None
    _lossy: bool = False

    # --- the user

    def create(self, name: str, *, namespace: str = "team", spec: Any = None, **metadata: Any) -> Object:
        """Creates an object."""
        key = ObjectKey(namespace, name)
        assert key not in self._objects, f"{key} exists"
        self._uids += 1
        obj = {
            "apiVersion": self.kind.api_version,
            "kind": self.kind.kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{self._uids}",
                "generation": 1,
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{"manager": "test"}],
                **metadata,
            },
            "spec": spec if spec is not None else {},
        }
        return self._commit("ADDED", key, obj)

    def change(self, key: ObjectKey, spec: Any) -> Object:
        """Replaces the spec."""
        obj = self.live(key)
        if obj["spec"] == spec:
            return obj
        obj["spec"] = spec
        obj["metadata"]["generation"] += 1
        return self._commit("MODIFIED", key, obj)

    def annotate(self, key: ObjectKey, **annotations: str) -> Object:
        """Adds annotations; `__` in a name stands for `/` and `_` for `-`."""
        obj = self.live(key)
        names = {name.replace("__", "/").replace("_", "-"): value for name, value in annotations.items()}
        obj["metadata"].setdefault("annotations", {}).update(names)
        return self._commit("MODIFIED", key, obj)

    def delete(self, key: ObjectKey) -> None:
        """Asks for deletion."""
        obj = self.live(key)
        if not obj["metadata"].get("finalizers"):
            self._drop(key, obj)
        elif "deletionTimestamp" not in obj["metadata"]:
            obj["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:01Z"
            obj["metadata"]["deletionGracePeriodSeconds"] = 0
            obj["metadata"]["generation"] += 1
            self._commit("MODIFIED", key, obj)

    def set_status(self, key: ObjectKey, status: Any) -> Object:
        """Somebody else writes the status."""
        obj = self.live(key)
        obj["status"] = status
        return self._commit("MODIFIED", key, obj)

    def set_finalizers(self, key: ObjectKey, finalizers: list[str]) -> None:
        """Somebody else replaces the finalizers."""
        obj = self.live(key)
        obj["metadata"]["finalizers"] = finalizers
        if "deletionTimestamp" in obj["metadata"] and not finalizers:
            self._drop(key, obj)
        else:
            self._commit("MODIFIED", key, obj)

    # --- the network

    def watch(self, watcher: Watcher) -> None:
        """Sends all objects as listed, then every event."""
        for obj in self._objects.values():
            watcher(None, _copy(obj))
        self._watcher = watcher

    def hold(self) -> None:
        """Keeps events back until `release`."""
        self._held = []

    def release(self) -> None:
        """Delivers what was held back."""
        held, self._held = self._held or [], None
        for event_type, obj in held:
            self._send(event_type, obj)

    def lose(self, *, lossy: bool = True) -> None:
        """Drops every event from now on, or no more."""
        self._lossy = lossy

    # --- the judge

    def live(self, key: ObjectKey) -> Object:
        """A copy of the stored object."""
        return _copy(self._objects[key])

    @property
    def keys(self) -> list[ObjectKey]:
        """Keys of all stored objects."""
        return list(self._objects)

    @property
    def writes(self) -> list[Request]:
        """Write requests that were served, those that changed nothing too."""
        return [request for request in self.requests if request.writes]

    # --- ObjectStore

    async def pages(self) -> AsyncIterator[list[Object]]:
        """As the API server does, all pages show the state of the first."""
        request = Request("list")
        await self.on_request(request, "before")
        snapshot = [_copy(obj) for obj in self._objects.values()]
        self.requests.append(request)
        for start in range(0, len(snapshot), self.page_size):
            yield snapshot[start : start + self.page_size]
        await self.on_request(request, "after")

    async def get(self, key: ObjectKey) -> Object | None:
        """The live object."""
        request = Request("get", key)
        await self.on_request(request, "before")
        self.requests.append(request)
        found = self.live(key) if key in self._objects else None
        await self.on_request(request, "after")
        return found

    async def replace_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replaces the status, and nothing else of the object."""

        def change(live: Object) -> None:
            live["status"] = as_stored(status)

        written = await self._write("replace_status", obj, status, change)
        assert written is not None
        return written

    async def replace_finalizers(self, obj: Object, finalizers: list[str]) -> Object | None:
        """Replaces the finalizers; drops a deleted object that has none left."""

        def change(live: Object) -> None:
            metadata = live["metadata"]
            added = set(finalizers) - set(metadata.get("finalizers", []))
            if "deletionTimestamp" in metadata and added:
                raise Invalid("no new finalizers can be added if the object is being deleted")
            metadata["finalizers"] = list(finalizers)

        return await self._write("replace_finalizers", obj, finalizers, change)

    async def _write(
        self, verb: Verb, obj: Object, body: Any, change: Callable[[Object], None]
    ) -> Object | None:
        key = ObjectKey.of(obj)
        body = json.loads(json.dumps(body))
        await self.on_request(Request(verb, key, body), "before")
        before = self._objects.get(key)
        if before is None or _version(before) != _version(obj):
            self.requests.append(Request(verb, key, body))
            raise Conflict(f"{key} is no longer at {_version(obj)}")
        live = _copy(before)
        change(live)
        request = Request(verb, key, body, changed=live != before)
        self.requests.append(request)
        answer: Object | None = live
        if "deletionTimestamp" in live["metadata"] and not live["metadata"].get("finalizers"):
            self._drop(key, live)
            answer = None
        elif request.changed:
            answer = self._commit("MODIFIED", key, live)
        await self.on_request(request, "after")
        return answer

    def _commit(self, event_type: str, key: ObjectKey, obj: Object) -> Object:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        self._objects[key] = _copy(obj)
        self._send(event_type, obj)
        return _copy(obj)

    def _drop(self, key: ObjectKey, obj: Object) -> None:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        del self._objects[key]
        self._send("DELETED", obj)

    def _send(self, event_type: str, obj: Object) -> None:
        if self._lossy:
            return
        if self._held is not None:
            self._held.append((event_type, _copy(obj)))
        elif self._watcher is not None:
            self._watcher(event_type, _copy(obj))


def _version(obj: Object) -> str:
    version: str = obj["metadata"]["resourceVersion"]
    return version


def _copy(obj: Object) -> Object:
    copied: Object = json.loads(json.dumps(obj))
    return copied
