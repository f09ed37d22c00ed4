"""Deletes what somebody answers for no longer, and tells what is still there.

Invariant: an object is deleted only if the caller owns it as it is now, and only that very object (by its
uid); an entry leaves the inventory only when its object is proven gone, is somebody else's, or is to be
kept. A kind that cannot be asked about proves nothing. CRDs are never deleted: with them would go every
object of their kinds.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.bounded import CONCURRENCY, gathered
from pierhead.kube.client import Client, Propagation
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Conflict409, NotFound, UnknownKind
from pierhead.kube.inventory import Entry
from pierhead.kube.order import uninstall_stages
from pierhead.kube.resources import ResourceType

RESOURCE_POLICY = "helm.sh/resource-policy"
_KEEP = "keep"
_TRIES = 3

Owned = Callable[[Object], bool]
"""Whether an object, of which only the metadata is given, is the caller's to delete."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """An object that stays in the inventory."""

    entry: Entry
    error: ReconcileError | None = None
    """Why it could not be deleted; None where it is on its way."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What became of the entries."""

    gone: tuple[Entry, ...] = ()
    """Proven not to be there."""
    released: tuple[Entry, ...] = ()
    """There, and not to be deleted: somebody else's, marked to be kept, or a CRD."""
    survivors: tuple[Survivor, ...] = ()
    doomed: tuple[Entry, ...] = ()
    """Of a dry run: what would be deleted."""

    @property
    def remaining(self) -> tuple[Entry, ...]:
        """What the inventory must go on holding."""
        return tuple(survivor.entry for survivor in self.survivors)

    @property
    def errors(self) -> tuple[Survivor, ...]:
        """The survivors that nobody is deleting."""
        return tuple(survivor for survivor in self.survivors if survivor.error is not None)


def owned_by(*, labels: dict[str, str] | None = None, annotations: dict[str, str] | None = None) -> Owned:
    """Owns what carries all of these."""
    wanted = {"labels": labels or {}, "annotations": annotations or {}}

    def owned(obj: Object) -> bool:
        return all(
            (obj["metadata"].get(where) or {}).get(key) == value
            for where, pairs in wanted.items()
            for key, value in pairs.items()
        )

    return owned


async def prune(
    client: Client,
    discovery: Discovery,
    stale: Iterable[Entry],
    *,
    owned: Owned,
    propagation: Propagation = "Background",
    concurrency: int = CONCURRENCY,
    dry_run: bool = False,
) -> Pruned:
    """Deletes in reverse install order; objects of one kind do not wait for each other.

    With `dry_run` nothing is deleted, and only told. Never raises for what one object causes: that one
    survives, with its error.
    """
    pruner = _Pruner(client, discovery, owned, propagation, dry_run=dry_run)
    for stage in uninstall_stages(stale):
        await gathered((pruner.prune(entry) for entry in stage), concurrency)
    return Pruned(tuple(pruner.gone), tuple(pruner.released), tuple(pruner.survivors), tuple(pruner.doomed))


class _Pruner:
    """One prune under way."""

    def __init__(
        self,
        client: Client,
        discovery: Discovery,
        owned: Owned,
        propagation: Propagation,
        *,
        dry_run: bool = False,
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._owned = owned
        self._propagation = propagation
        self._dry_run = dry_run
        self.gone: list[Entry] = []
        self.released: list[Entry] = []
        self.survivors: list[Survivor] = []
        self.doomed: list[Entry] = []

    async def prune(self, entry: Entry) -> None:
        """Deletes one object, if it is ours to delete."""
        if entry.kind == "CustomResourceDefinition":
            self.released.append(entry)
            return
        try:
            resource = await self._resource(entry)
            for _ in range(_TRIES):
                try:
                    await self._delete(entry, resource)
                except Conflict409:
                    # Another object has the name by now; whether that one is ours is asked anew.
                    continue
                return
            self.survivors.append(Survivor(entry))
        except UnknownKind:
            # No kind, no objects: deleting a CRD deletes them.
            self.gone.append(entry)
        except ReconcileError as error:
            self.survivors.append(Survivor(entry, error))

    async def _resource(self, entry: Entry) -> ResourceType:
        try:
            return await self._discovery.resource_for(entry.api_version, entry.kind)
        except UnknownKind:
            # The version may have been retired; the object is there at another.
            return await self._discovery.resource_in_group(entry.group, entry.kind)

    async def _delete(self, entry: Entry, resource: ResourceType) -> None:
        namespace = entry.namespace or None
        try:
            live = await self._client.get(resource, entry.name, namespace, metadata_only=True)
        except NotFound:
            self.gone.append(entry)
            return
        metadata = live["metadata"]
        kept = (metadata.get("annotations") or {}).get(RESOURCE_POLICY) == _KEEP
        if kept or not self._owned(live):
            self.released.append(entry)
            return
        if metadata.get("deletionTimestamp"):
            self.survivors.append(Survivor(entry))
            return
        if self._dry_run:
            self.doomed.append(entry)
            return
        gone = await self._client.delete(
            resource, entry.name, namespace, uid=metadata["uid"], propagation=self._propagation
        )
        if gone:
            self.gone.append(entry)
        else:
            self.survivors.append(Survivor(entry))
