"""Objects that AppReleases name: noticed by watch, read when they moved, never held.

Invariant: whoever read an object through here is woken when it changes, comes or goes, unless neither the
operator nor the release's account may watch its kind; then its version is unknown, and it is read at every
look. Of each object there is its version alone, and nothing is watched that nobody refers to.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from pierhead.engine.outcome import ReconcileError, Transient
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.credentials import Identity
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS, ResourceType
from pierhead.kube.watch_set import WatchKey, WatchSet

ABSENT = ""
"""The version of what does not exist."""

RECHECK_SECONDS = 600.0
"""How long a refused watch is not tried again."""

_PATIENCE_SECONDS = 5.0
"""How long a reader waits for the first list of a watch; reading goes on without."""

_NOT_A_RELEASE = "type!=helm.sh/release.v1"
"""Field selector of Secrets: those of Helm's history are the most, and nobody refers to them."""

_RESOURCES: Mapping[str, ResourceType] = MappingProxyType(
    {resource.kind: resource for resource in (CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS)}
)
"""The kinds that can be named."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Named:
    """An object that an AppRelease of its namespace names."""

    resource: ResourceType
    namespace: str
    name: str


@dataclass(slots=True)
class User:
    """An AppRelease, and what it names."""

    generation: int
    identity: Identity | None
    read: dict[Named, str | None] = field(default_factory=dict)
    """The versions it last read; None while it reads for the first time."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What its readers want to find again while its generation is the same."""
    derived: dict[str, tuple[Named, str, Any]] = field(default_factory=dict)
    """What was made of objects, by the field that names them, with the version it was made of."""


class References:
    """What all AppReleases refer to."""

    def __init__(
        self,
        client: Client,
        *,
        namespaces: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`namespaces` are those the operator works in; none means all."""
        self._everywhere = not namespaces
        self._clock = clock
        self._watches = WatchSet(client, self._told, keep_metadata=_version_alone)
        self._refused: dict[WatchKey, float] = {}
        self._users: dict[ObjectKey, User] = {}
        self._named: dict[Named, set[ObjectKey]] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how an AppRelease is woken when something it names changes."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends the watches."""
        await self._watches.close()

    def of(self, user: ObjectKey, generation: int, client: Client) -> "Reader":
        """The objects that an AppRelease's spec of this generation names; `client` acts as its account."""
        known = self._users.get(user)
        if known is None or known.generation != generation or known.identity != client.identity:
            self._drop(user)
            self._users[user] = User(generation, client.identity)
        return Reader(self, user, client)

    def user(self, user: ObjectKey) -> User:
        """What is known of an AppRelease; empty of one that was forgotten meanwhile."""
        return self._users.get(user) or User(0, None)

    def forget(self, user: ObjectKey) -> None:
        """Drops what is known of an AppRelease that is gone."""
        self._drop(user)
        self._watches.release_all(user)

    def version(self, user: ObjectKey, named: Named) -> str | None:
        """The version that this user would read now; None where no watch tells."""
        known = self._users.get(user)
        keys = self._keys(user, known.identity, named.resource) if known is not None else []
        key = next((key for key in keys if self._watches.current(key)), None)
        if key is None:
            return None
        found = self._watches.get(key, ObjectKey(named.namespace, named.name))
        return ABSENT if found is None else str(found["metadata"]["resourceVersion"])

    async def follow(self, user: ObjectKey, named: Named) -> None:
        """From now on changes of the object wake the user; never raises, for reading is possible without."""
        known = self.user(user)
        self._named.setdefault(named, set()).add(user)
        known.read.setdefault(named, None)
        for key in self._keys(user, known.identity, named.resource):
            if self._clock() < self._refused.get(key, 0.0):
                continue
            try:
                await self._watches.ensure(key, user, timeout_seconds=_PATIENCE_SECONDS)
            except Forbidden:
                self._refused[key] = self._clock() + RECHECK_SECONDS
            except ReconcileError:
                return
            else:
                return

    def took(self, user: ObjectKey, named: Named, version: str) -> None:
        """The user has read this version: only another is news."""
        known = self._users.get(user)
        if known is None:
            return
        before, newest = known.read.get(named), self.version(user, named)
        known.read[named] = version
        # What came between the answer and now was told when nobody could say whether it was news.
        if newest not in {None, version} and (before is None or int(newest or 0) > int(version or 0)):
            self._wake(user)

    def settle(self, user: ObjectKey) -> None:
        """Ends the watches that the user's present spec has no use for."""
        known = self.user(user)
        wanted = {key for named in known.read for key in self._keys(user, known.identity, named.resource)}
        for key in self._watches.held(user) - wanted:
            self._watches.release(key, user)

    def derived(self, user: ObjectKey, at: str, named: Named) -> Any:
        """What was made of the object's present version for this field; None where that is not known."""
        made_of, version, product = self.user(user).derived.get(at, (None, None, None))
        return product if made_of == named and version == self.version(user, named) else None

    def derive(self, user: ObjectKey, at: str, named: Named, product: Any) -> None:
        """Remembers what was made of the version that was read last."""
        known = self._users.get(user)
        version = known.read.get(named) if known is not None else None
        if known is not None and version is not None:
            known.derived[at] = (named, version, product)

    def _drop(self, user: ObjectKey) -> None:
        known = self._users.pop(user, None)
        for named in known.read if known is not None else ():
            users = self._named.get(named, set())
            users.discard(user)
            if not users:
                self._named.pop(named, None)

    def _keys(self, user: ObjectKey, identity: Identity | None, resource: ResourceType) -> list[WatchKey]:
        """The watches that would tell, the one to be preferred first."""
        selector = _NOT_A_RELEASE if resource == SECRETS else None
        ours = WatchKey(
            resource,
            None if self._everywhere else user.namespace,
            field_selector=selector,
            metadata_only=True,
        )
        if identity is None:
            return [ours]
        theirs = WatchKey(
            resource, user.namespace, field_selector=selector, identity=identity, metadata_only=True
        )
        return [ours, theirs]

    def _told(self, event_type: str, obj: Object) -> None:
        """Takes a watch event."""
        metadata = obj["metadata"]
        named = Named(_RESOURCES[obj["kind"]], metadata["namespace"], metadata["name"])
        version = ABSENT if event_type == "DELETED" else str(metadata["resourceVersion"])
        for user in tuple(self._named.get(named, ())):
            read = self.user(user).read.get(named)
            if read is not None and read != version:
                self._wake(user)


@dataclass(frozen=True, slots=True)
class Reader:
    """The references of one AppRelease, in one pass."""

    references: References
    user: ObjectKey
    client: Client

    async def get(self, resource: ResourceType, name: str, *, at: str) -> Object:
        """An object that the field `at` of the spec names.

        Raises, naming the field, Transient when there is none, since it may yet come, and Forbidden.
        """
        named = Named(resource, self.user.namespace, name)
        await self.references.follow(self.user, named)
        try:
            found = await self.client.get(resource, name, self.user.namespace)
        except Forbidden as error:
            error.field = at
            raise
        except NotFound as error:
            self.references.took(self.user, named, ABSENT)
            raise Transient(
                f"{resource.kind} {name} does not exist", reason="ReferenceNotFound", field=at
            ) from error
        self.references.took(self.user, named, str(found["metadata"]["resourceVersion"]))
        return found

    async def derived(
        self,
        resource: ResourceType,
        name: str,
        *,
        at: str,
        make: Callable[[Object], _T],
        valid: Callable[[_T], bool] = lambda _: True,
    ) -> _T:
        """What `make` makes of the object, made again when the object moved or it is not `valid` any more.

        Raises as `get` does, and what `make` raises.
        """
        named = Named(resource, self.user.namespace, name)
        product: _T | None = self.references.derived(self.user, at, named)
        if product is None or not valid(product):
            product = make(await self.get(resource, name, at=at))
            self.references.derive(self.user, at, named, product)
        return product

    def settle(self) -> None:
        """Everything the spec names was asked for: what else is watched for it is not needed any more."""
        self.references.settle(self.user)

    def note(self, name: str, what: Any) -> None:
        """Remembers something until the spec or the account changes."""
        self.references.user(self.user).notes[name] = what

    def noted(self, name: str) -> Any:
        """What was remembered; None for nothing."""
        return self.references.user(self.user).notes.get(name)

    def last_read(self, resource: ResourceType, name: str) -> str | None:
        """The version that `get` found last, `ABSENT` for none; None where it was not asked for."""
        named = Named(resource, self.user.namespace, name)
        return self.references.user(self.user).read.get(named)

    def version(self, resource: ResourceType, name: str) -> str | None:
        """The version that `get` would find, `ABSENT` for none; None where no watch tells."""
        return self.references.version(self.user, Named(resource, self.user.namespace, name))


def _version_alone(obj: Object) -> Object:
    """What a watch has to remember of an object, for any number of objects that nobody names."""
    metadata = obj["metadata"]
    kept = {name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept}
