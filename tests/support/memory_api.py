"""An API server in memory that keeps the promises pierhead's BatchJobs rely on, for requests of a `Client`.

Invariant: resourceVersions come from one counter, and a write that names another one than is stored is a 409;
a write that changes nothing makes no new version; spec and deletion move the generation, metadata and status
do not; the status changes by its subresource alone; an object with finalizers stays until the last is gone,
and takes no new ones; what an object owned goes with it. `tests/component/batch/test_memory_api.py` holds the
same suite against a real API server. There are no schemas, no paging and no watches.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from pierhead.engine.resource import Object
from pierhead.kube.client import JSON_PATCH, MERGE_PATCH
from pierhead.kube.errors import ApiError, from_status
from pierhead.kube.resources import ResourceType
from pierhead.kube.transport import Answer, Call

_Place = tuple[str, str, str]
"""Path of the collection over all namespaces, namespace, name."""

_SERVER_OWNED = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "resourceVersion")


class MemoryApi:
    """Objects of some resources."""

    def __init__(
        self,
        *resources: ResourceType,
        with_status: tuple[ResourceType, ...] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`with_status` are those among the resources that have a status subresource and a generation."""
        self._with_status = {resource.path() for resource in with_status}
        self._resources = {resource.path(): resource for resource in resources}
        self._objects: dict[_Place, Object] = {}
        self._revision = 100
        self._uids = 0
        self._now = now

    async def send(self, call: Call) -> Answer:
        """As `Transport.send`. Raises ApiError."""
        return Answer(200, self._answer(call), None, 0.0)

    def _answer(self, call: Call) -> Any:
        collection, namespace, name, subresource = _parsed(call.path)
        if collection not in self._resources:
            raise self._refusal(call, 404, "NotFound", "the server could not find the requested resource")
        body = json.loads(call.body) if call.body else None
        place = (collection, namespace, name)
        if not name:
            if call.method == "POST":
                return self._create(call, place, body)
            return self._list(collection, namespace)
        if place not in self._objects:
            raise self._refusal(call, 404, "NotFound", f'{self._named(place)} "{name}" not found')
        match call.method:
            case "GET":
                return _copy(self._objects[place])
            case "DELETE":
                return self._delete(call, place, body or {})
            case "PUT":
                return self._update(call, place, body, subresource)
            case _:
                return self._update(call, place, self._patched(call, place, body), subresource)

    def _list(self, collection: str, namespace: str) -> Object:
        items = [
            _copy(obj)
            for place, obj in self._objects.items()
            if place[0] == collection and namespace in {"", place[1]}
        ]
        return {"metadata": {"resourceVersion": str(self._revision)}, "items": items}

    def _create(self, call: Call, place: _Place, obj: Object) -> Object:
        place = (place[0], place[1], obj["metadata"]["name"])
        if place in self._objects:
            text = f'{self._named(place)} "{place[2]}" already exists'
            raise self._refusal(call, 409, "AlreadyExists", text)
        self._uids += 1
        given = {name: value for name, value in obj["metadata"].items() if name not in _SERVER_OWNED}
        metadata = {
            **given,
            "namespace": place[1],
            "uid": f"{self._uids:08x}-0000-4000-8000-000000000000",
            "creationTimestamp": self._text(),
        }
        made = {**obj, "metadata": metadata}
        if place[0] in self._with_status:
            metadata["generation"] = 1
            made.pop("status", None)
        return self._commit(place, made)

    def _patched(self, call: Call, place: _Place, body: Any) -> Object:
        obj = _copy(self._objects[place])
        if call.content_type == JSON_PATCH:
            for operation in body:
                *way, last = operation["path"].lstrip("/").split("/")
                holder = obj
                for step in way:
                    holder[step] = dict(holder[step])
                    holder = holder[step]
                if operation["op"] == "remove":
                    del holder[last]
                else:
                    holder[last] = operation["value"]
            return obj
        assert call.content_type == MERGE_PATCH, call.content_type
        merged: Object = _merged(obj, body)
        return merged

    def _update(self, call: Call, place: _Place, wanted: Object, subresource: str) -> Object:
        before = self._objects[place]
        asked = wanted["metadata"].get("resourceVersion")
        if asked and asked != before["metadata"]["resourceVersion"]:
            text = "the object has been modified; please apply your changes to the latest version"
            raise self._refusal(call, 409, "Conflict", text)
        live = _copy(before)
        if subresource == "status":
            _put(live, "status", wanted.get("status"))
        else:
            kept = {name: live["metadata"][name] for name in _SERVER_OWNED if name in live["metadata"]}
            metadata = {key: value for key, value in wanted["metadata"].items() if key not in _SERVER_OWNED}
            fields = {key: value for key, value in wanted.items() if key not in {"status", "metadata"}}
            live = {**fields, "metadata": {**metadata, **kept}}
            _put(live, "status", before.get("status"))
            if not live["metadata"].get("finalizers"):
                live["metadata"].pop("finalizers", None)
        self._check_finalizers(call, place, before, live)
        if live == before:
            return live
        if place[0] in self._with_status and live.get("spec") != before.get("spec"):
            live["metadata"]["generation"] += 1
        return self._commit(place, live)

    def _check_finalizers(self, call: Call, place: _Place, before: Object, live: Object) -> None:
        held = set(before["metadata"].get("finalizers") or ())
        added = set(live["metadata"].get("finalizers") or ()) - held
        if "deletionTimestamp" in before["metadata"] and added:
            cause = {
                "reason": "FieldValueForbidden",
                "message": "Forbidden: no new finalizers can be added if the object is being deleted",
                "field": "metadata.finalizers",
            }
            details = {"name": place[2], "causes": [cause]}
            raise self._refusal(call, 422, "Invalid", cause["message"], details)

    def _delete(self, call: Call, place: _Place, options: Object) -> Object:
        obj = _copy(self._objects[place])
        for name, value in (options.get("preconditions") or {}).items():
            if obj["metadata"][name] != value:
                raise self._refusal(call, 409, "Conflict", f"the {name} in the precondition is another one")
        if not obj["metadata"].get("finalizers"):
            self._drop(place, obj)
            return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        if "deletionTimestamp" in obj["metadata"]:
            return obj
        obj["metadata"]["deletionTimestamp"] = self._text()
        obj["metadata"]["deletionGracePeriodSeconds"] = 0
        if place[0] in self._with_status:
            obj["metadata"]["generation"] += 1
        return self._commit(place, obj)

    def _commit(self, place: _Place, obj: Object) -> Object:
        self._revision += 1
        obj["metadata"]["resourceVersion"] = str(self._revision)
        if "deletionTimestamp" in obj["metadata"] and not obj["metadata"].get("finalizers"):
            self._drop(place, obj)
        else:
            self._objects[place] = _copy(obj)
        return obj

    def _drop(self, place: _Place, obj: Object) -> None:
        del self._objects[place]
        uid = obj["metadata"]["uid"]
        for other, owned in list(self._objects.items()):
            if any(owner["uid"] == uid for owner in owned["metadata"].get("ownerReferences") or ()):
                self._drop(other, owned)

    def _named(self, place: _Place) -> str:
        return self._resources[place[0]].group_resource

    def _text(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")

    @staticmethod
    def _refusal(call: Call, code: int, reason: str, message: str, details: Object | None = None) -> ApiError:
        status = {"reason": reason, "message": message, "details": details or {}}
        return from_status(status, code=code, request=call.request)


def _parsed(path: str) -> tuple[str, str, str, str]:
    """Path of the collection over all namespaces, namespace, name, subresource."""
    head, found, rest = path.partition("/namespaces/")
    if not found:
        return path, "", "", ""
    namespace, plural, name, subresource = [*map(unquote, rest.split("/")), "", "", ""][:4]
    return f"{head}/{plural}", namespace, name, subresource


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged


def _put(obj: Object, name: str, value: Any) -> None:
    if value is None:
        obj.pop(name, None)
    else:
        obj[name] = value


def _copy(obj: Object) -> Object:
    """A copy whose own fields and metadata may be changed; nobody changes what is further in."""
    return {**obj, "metadata": dict(obj["metadata"])}
