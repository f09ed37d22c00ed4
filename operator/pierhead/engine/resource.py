"""The object being reconciled, as this process last saw or wrote it.

Invariant: every write tests the resourceVersion it was decided on, and its answer replaces the cached
object before the reconcile goes on, so a reconcile always reads its own writes.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pierhead.engine.outcome import Conflict

Object = dict[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Names one object of one kind; `namespace` is empty for cluster-scoped ones."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> "ObjectKey":
        """The key of an object."""
        metadata = obj["metadata"]
        return cls(metadata.get("namespace", ""), metadata["name"])


@dataclass(frozen=True, slots=True)
class Kind:
    """One of our kinds, as the API server names it."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """`group/version`."""
        return f"{self.group}/{self.version}"


class ObjectStore(Protocol):
    """The API server's side of one kind. `pierhead.kube.store.KindStore` is the real one.

    All writes raise `Conflict` when the object is no longer at `obj`'s resourceVersion or gone, and return
    the object as the API server now has it.
    """

    def pages(self) -> AsyncIterator[list[Object]]:
        """All objects of the kind, in pages."""
        ...

    async def get(self, key: ObjectKey) -> Object | None:
        """The live object; None if there is none."""
        ...

    async def replace_status(self, obj: Object, status: Mapping[str, Any]) -> Object:
        """Replaces the status whole."""
        ...

    async def replace_finalizers(self, obj: Object, finalizers: list[str]) -> Object | None:
        """Replaces the finalizers; None when that let the object go."""
        ...


class Cache(Protocol):
    """Where the answers of our own writes go. `pierhead.engine.cache.ObjectCache` is the real one."""

    def observe(self, obj: Object) -> bool:
        """Keeps the object unless a newer one is held; True when kept."""
        ...

    def remove(self, key: ObjectKey, uid: str) -> bool:
        """Forgets the object of that uid; True when it was held."""
        ...


class Resource:
    """A handle on one object for the time of one reconcile."""

    def __init__(self, obj: Object, *, store: ObjectStore, cache: Cache) -> None:
        self._object = obj
        self._store = store
        self._cache = cache
        self._gone = False

    @property
    def object(self) -> Object:
        """The whole object; not to be changed in place."""
        return self._object

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey.of(self._object)

    @property
    def uid(self) -> str:
        """`metadata.uid`."""
        return str(self._object["metadata"]["uid"])

    @property
    def generation(self) -> int:
        """`metadata.generation`."""
        return int(self._object["metadata"].get("generation", 0))

    @property
    def annotations(self) -> Mapping[str, str]:
        """`metadata.annotations`."""
        return self._object["metadata"].get("annotations") or {}

    @property
    def spec(self) -> Mapping[str, Any]:
        """`spec`."""
        return self._object.get("spec") or {}

    @property
    def status(self) -> Mapping[str, Any]:
        """`status`, `{}` before the first report."""
        return self._object.get("status") or {}

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for."""
        return "deletionTimestamp" in self._object["metadata"]

    @property
    def gone(self) -> bool:
        """Whether removing a finalizer let the object go."""
        return self._gone

    @property
    def finalizers(self) -> list[str]:
        """`metadata.finalizers`."""
        return list(self._object["metadata"].get("finalizers") or [])

    async def write_status(self, status: Mapping[str, Any]) -> bool:
        """Makes `status` the stored status; False, and no request, when it already is."""
        desired = as_stored(status)
        if self.status == desired:
            return False
        self._keep(await self._store.replace_status(self._object, desired))
        return True

    async def add_finalizer(self, finalizer: str) -> None:
        """Holds the object until `remove_finalizer`. Belongs before the first side effect outside.

        Raises Conflict when the object is no longer what this reconcile was decided on.
        """
        if finalizer not in self.finalizers:
            updated = await self._store.replace_finalizers(self._object, [*self.finalizers, finalizer])
            if updated is None:
                raise Conflict("the object went away while it was being held")
            self._keep(updated)

    async def remove_finalizer(self, finalizer: str) -> None:
        """Lets the object go. Belongs after the outside is proven clean."""
        if finalizer not in self.finalizers:
            return
        remaining = [name for name in self.finalizers if name != finalizer]
        updated = await self._store.replace_finalizers(self._object, remaining)
        if updated is None:
            self._gone = True
            self._cache.remove(self.key, self.uid)
        else:
            self._keep(updated)

    def _keep(self, obj: Object) -> None:
        self._object = obj
        self._cache.observe(obj)


def as_stored(value: Any) -> Any:
    """The value as the API server would give it back: no nulls, lists for tuples, dicts for mappings.

    The API server prunes the null of a field that is not nullable, so one that were written would differ
    from what is stored for ever.
    """
    if isinstance(value, str | int):
        return value
    if isinstance(value, Mapping):
        return {name: as_stored(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [as_stored(item) for item in value]
    return value
