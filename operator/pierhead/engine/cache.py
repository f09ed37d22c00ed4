"""The objects of one kind as this process knows them.

Invariant: a key never goes back in time: an object replaces another only with a higher resourceVersion,
and an object that was seen to be gone (by uid) never returns. resourceVersions of one kind are ordered
as integers (Kubernetes API concepts, "Resource versions"; comparable by clients since 1.35, and an etcd
revision always).
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from pierhead.engine.resource import Object, ObjectKey


@dataclass(slots=True)
class _Entry:
    obj: Object
    uid: str
    version: int
    kept_at: int


class ObjectCache:
    """Newest known object by key. Objects handed in belong to the cache from then on."""

    def __init__(self) -> None:
        self._entries: dict[ObjectKey, _Entry] = {}
        self._gone: dict[str, int] = {}
        self._tick = 0

    def __len__(self) -> int:
        return len(self._entries)

    def observe(self, obj: Object) -> bool:
        """Keeps the object unless the same or a newer one is held; True when kept.

        Drops `managedFields`, which nobody here reads and which are most of a small object's size.
        """
        metadata = obj["metadata"]
        uid, version = metadata["uid"], _version(metadata)
        key = ObjectKey.of(obj)
        entry = self._entries.get(key)
        if uid in self._gone or (entry is not None and version <= entry.version):
            return False
        metadata.pop("managedFields", None)
        self._tick += 1
        self._entries[key] = _Entry(obj, uid, version, self._tick)
        return True

    def remove(self, key: ObjectKey, uid: str) -> bool:
        """Forgets the object of that uid for good; True when it was held.

        The uid matters: the end of an object may be told after its namesake's beginning.
        """
        self._tick += 1
        self._gone[uid] = self._tick
        entry = self._entries.get(key)
        if entry is None or entry.uid != uid:
            return False
        del self._entries[key]
        return True

    def get(self, key: ObjectKey) -> Object | None:
        """The newest known object; not to be changed in place."""
        entry = self._entries.get(key)
        return None if entry is None else entry.obj

    def keys(self) -> Collection[ObjectKey]:
        """All keys held."""
        return self._entries.keys()

    def objects(self) -> Iterable[Object]:
        """All objects held."""
        return (entry.obj for entry in self._entries.values())

    def mark(self) -> int:
        """This moment, for `sweep`. Taken before the first page of a list is asked for."""
        self._tick += 1
        return self._tick

    def sweep(self, seen: Collection[str], started: int) -> list[ObjectKey]:
        """Removes what a complete list did not have, and returns its keys.

        `seen` are the uids of the list, `started` the mark taken before it. What was kept after the mark
        stays: the list may be older than it.
        """
        ghosts = [
            (key, entry.uid)
            for key, entry in self._entries.items()
            if entry.uid not in seen and entry.kept_at < started
        ]
        # Whatever could still bring back an object that was gone before the mark has had its turn.
        self._gone = {uid: tick for uid, tick in self._gone.items() if tick >= started}
        for key, uid in ghosts:
            self.remove(key, uid)
        return [key for key, _ in ghosts]

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self._entries)


def _version(metadata: dict[str, str]) -> int:
    return int(metadata["resourceVersion"])
