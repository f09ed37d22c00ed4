"""Objects as they are sent: what a renderer makes, made fit for server-side apply.

Invariant: preparing twice is preparing once, and two renderings that mean the same have one digest. What
only the API server may write is left out, so applying never claims it.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.resources import ResourceType

_SERVER_FIELDS = frozenset(
    {"creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid"}
)
_PATHS_LIMIT = 32


def flattened(objects: Iterable[Object]) -> Iterator[Object]:
    """The objects, with those of `List` objects in their place."""
    for obj in objects:
        if obj.get("kind", "").endswith("List") and isinstance(obj.get("items"), list):
            yield from flattened(obj["items"])
        else:
            yield obj


def prepared(obj: Object, resource: ResourceType, *, namespace: str | None = None) -> Object:
    """The object to send; `namespace` is that of namespaced objects that name none.

    Raises Invalid when a namespaced object has none at all.
    """
    metadata = {
        name: value for name, value in (obj.get("metadata") or {}).items() if name not in _SERVER_FIELDS
    }
    if not resource.namespaced:
        metadata.pop("namespace", None)
    elif not metadata.get("namespace"):
        if not namespace:
            raise Invalid(f"{resource.kind} {metadata.get('name')}: no namespace is given")
        metadata["namespace"] = namespace
    made = {name: value for name, value in obj.items() if name != "status"} | {"metadata": metadata}
    if resource.kind == "Secret" and not resource.group:
        return _with_data(made)
    return made


def _with_data(secret: Object) -> Object:
    """Without stringData, which is write-only: a key taken out of it would stay in the Secret."""
    given = secret.get("stringData") or {}
    made = {name: value for name, value in secret.items() if name != "stringData"}
    if given:
        encoded = {
            key: base64.b64encode(value.encode()).decode() if isinstance(value, str) else value
            for key, value in given.items()
        }
        made["data"] = {**(secret.get("data") or {}), **encoded}
    return made


def digest(obj: Object) -> str:
    """A fingerprint of a prepared object: equal for equal JSON, whatever the order of its keys."""
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changed_paths(live: Object, desired: Object, *, limit: int = _PATHS_LIMIT) -> tuple[str, ...]:
    """JSON pointers of what differs between a live object and a dry-run's answer for it, `limit` at most.

    Status and what only the API server writes do not count.
    """
    found: list[str] = []
    _compare(meaningful(live), meaningful(desired), "", found, limit)
    return tuple(found)


def meaningful(obj: Object) -> dict[str, Any]:
    """The object without its status and what only the API server writes."""
    metadata = {name: value for name, value in obj["metadata"].items() if name not in _SERVER_FIELDS}
    return {name: value for name, value in obj.items() if name != "status"} | {"metadata": metadata}


def _same(one: Any, other: Any) -> bool:
    # To Python 1, 1.0 and True are equal; to JSON they are not.
    return bool(one == other) and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _compare(one: Any, other: Any, path: str, found: list[str], limit: int) -> None:
    if len(found) >= limit or _same(one, other):
        return
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted({*one, *other}):
            step = f"{path}/{str(key).replace('~', '~0').replace('/', '~1')}"
            if key in one and key in other:
                _compare(one[key], other[key], step, found, limit)
            elif len(found) < limit:
                found.append(step)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            _compare(left, right, f"{path}/{index}", found, limit)
    else:
        found.append(path)
