"""The objects that others wait for: what they are like, whom their changes wake, and who waits for whom.

Invariant: what a dependency is like is read as whom the waiter says, so nobody learns from a message what
that account may not read; the watches that wake who waits see metadata alone, and exist only while somebody
waits.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey
from pierhead.expressions import Expressions
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Forbidden, NotFound, UnknownKind
from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.health_facts import Health, in_progress, is_true
from pierhead.kube.resources import APP_RELEASES, BATCH_JOBS, ResourceType, split_api_version
from pierhead.kube.watch_set import WatchKey, WatchSet

UNWATCHED_SECONDS = 30.0
"""Between looks at a dependency that neither the operator nor the account may watch."""

_SHOWN = 3
_MESSAGE_LIMIT = 512
_LONGEST_CHAIN = 100
_ENDING = frozenset({(BATCH_JOBS.group, BATCH_JOBS.kind), ("batch", "Job")})
"""Kinds that end for good."""

_Place = tuple[str, str, str, str]
"""Group, kind, namespace and name."""


class Wanted(Protocol):
    """One entry of a `dependsOn`."""

    @property
    def api_version(self) -> str:
        """Its apiVersion."""
        ...

    @property
    def kind(self) -> str:
        """Its kind."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def ready(self) -> str | None:
        """CEL that is true when it is ready; None: what its kind's health says."""
        ...


@dataclass(frozen=True, slots=True)
class Waiter:
    """An object with dependencies, and as whom each resource is read for it."""

    key: ObjectKey
    resource: ResourceType
    reads: Callable[[ResourceType], Client]


@dataclass(frozen=True, slots=True)
class Found:
    """What one dependency is like; `missing` is what it lacks, empty when it is ready."""

    missing: str
    resource: ResourceType | None = None
    object: Object | None = None
    stalled: bool = False
    """Whether only a change by somebody helps."""
    failed: bool = False
    """Whether it has ended without becoming ready, and cannot any more."""


@dataclass(frozen=True, slots=True)
class Held:
    """What somebody waits for."""

    found: Mapping[int, Found]
    """Every dependency by its number, those that are ready too."""
    watched: bool
    """Whether a change of each that is missing wakes the waiter."""
    cycle: str
    """Who waits for each other, where the waiter is among them; empty where it is not."""

    @property
    def lacking(self) -> str:
        """What is waited for, in words; empty when all is ready."""
        told = [one.missing for one in self.found.values() if one.missing]
        more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        return f"{'; '.join(told[:_SHOWN])}{more}"


class Dependencies:
    """Who waits for which objects; for one kind of waiters."""

    def __init__(self, client: Client, discovery: Discovery, expressions: Expressions) -> None:
        self._discovery = discovery
        self._expressions = expressions
        self._watches = WatchSet(client, self._handle)
        self._waiting: dict[_Place, set[ObjectKey]] = defaultdict(set)
        self._held: dict[ObjectKey, set[_Place]] = {}
        self._wake: Wake = lambda _key: None

    def start(self, wake: Wake) -> None:
        """Says how a waiter is woken when something it waits for changes."""
        self._wake = wake
        self._discovery.on_change(lambda *_: self._wake_all())

    async def stop(self) -> None:
        """Ends all watches."""
        await self._watches.close()

    def check(self, wanted: Sequence[Wanted]) -> None:
        """Raises Invalid, naming the field, for an expression that is none."""
        for index, dependency in enumerate(wanted):
            if dependency.ready is not None:
                self._expressions.compiled(dependency.ready, field=f"spec.dependsOn[{index}].ready")

    def forget(self, key: ObjectKey) -> None:
        """It waits for nothing any more. Free for one that does not wait."""
        if key not in self._held:
            return
        for place in self._held.pop(key):
            self._waiting[place].discard(key)
            if not self._waiting[place]:
                del self._waiting[place]
        self._watches.release_all(key)

    async def look(self, waiter: Waiter, wanted: Mapping[int, Wanted]) -> Held:
        """What these dependencies, by their numbers, are like. Nothing is watched when all are ready."""
        found = {index: await self._look(waiter, index, item) for index, item in wanted.items()}
        if not any(one.missing for one in found.values()):
            self.forget(waiter.key)
            return Held(found, watched=True, cycle="")
        watched = True
        for index, one in list(found.items()):
            if one.missing and one.resource is not None:
                before = len(self._held.get(waiter.key, ()))
                watched &= await self._follow(waiter, one.resource, wanted[index].name)
                if len(self._held[waiter.key]) > before:
                    # Whatever changed before the watch began has woken nobody.
                    found[index] = await self._look(waiter, index, wanted[index])
        missing = [one for one in found.values() if one.missing]
        if not missing:
            self.forget(waiter.key)
            return Held(found, watched=True, cycle="")
        self._held.setdefault(waiter.key, set())
        return Held(found, watched, await self._cycle(waiter, missing))

    async def _look(self, waiter: Waiter, index: int, wanted: Wanted) -> Found:
        label, at = f"{wanted.kind} {wanted.name}", f"spec.dependsOn[{index}]"
        try:
            resource = await self._discovery.resource_for(wanted.api_version, wanted.kind)
        except UnknownKind:
            return Found(f"{label}: the cluster has no {wanted.kind} in {wanted.api_version}")
        try:
            obj = await waiter.reads(resource).get(
                resource, wanted.name, waiter.key.namespace if resource.namespaced else None
            )
        except NotFound:
            return Found(f"{label}, which does not exist", resource)
        except Forbidden as error:
            return Found(f"{label}: {at}: {error.message}", resource, stalled=True)
        try:
            missing = self._missing(wanted, obj, field=f"{at}.ready")
        except (Denied, Invalid) as error:
            return Found(f"{label}: {error}", resource, obj, stalled=True)
        failed = bool(missing) and (resource.group, resource.kind) in _ENDING and is_true(obj, "Failed")
        told = f"{label}: {missing}"[:_MESSAGE_LIMIT] if missing else ""
        return Found(told, resource, obj, failed=failed)

    def _missing(self, wanted: Wanted, obj: Object, *, field: str) -> str:
        health = _health(obj)
        if wanted.ready is None:
            return "" if health.status is HealthStatus.CURRENT else health.message or health.status.value
        if health.status is HealthStatus.TERMINATING:
            return health.message
        if self._expressions.compiled(wanted.ready, field=field).holds(object=obj):
            return ""
        said = "" if health.status is HealthStatus.CURRENT else f" ({health.message})"
        return f"not yet {wanted.ready}{said}"

    async def _follow(self, waiter: Waiter, resource: ResourceType, name: str) -> bool:
        """Watches an object until `forget`; whether anybody may."""
        key, namespace = waiter.key, waiter.key.namespace if resource.namespaced else None
        watched = True
        for identity in dict.fromkeys((None, waiter.reads(resource).identity)):
            try:
                await self._watches.ensure(
                    WatchKey(resource, namespace, identity=identity, metadata_only=True), key
                )
            except Forbidden:
                watched = False
            else:
                watched = True
                break
        place = (resource.group, resource.kind, namespace or "", name)
        self._waiting[place].add(key)
        self._held.setdefault(key, set()).add(place)
        return watched

    async def _cycle(self, waiter: Waiter, missing: Sequence[Found]) -> str:
        """The way from this object back to it, over what each waits for; empty for none."""
        own = (waiter.resource, waiter.key.name)
        ways = [[own, node] for one in missing for node in _itself(one)]
        seen: set[tuple[ResourceType, str]] = set()
        while ways and len(seen) < _LONGEST_CHAIN:
            way = ways.pop()
            node = way[-1]
            if node == own:
                return _words(way)
            if node in seen:
                continue
            seen.add(node)
            resource, name = node
            await self._follow(waiter, resource, name)
            try:
                obj = await waiter.reads(resource).get(resource, name, waiter.key.namespace)
            except (Forbidden, NotFound):
                continue
            ways += [[*way, further] for further in _further(obj)]
        return ""

    def _handle(self, _event_type: str, obj: Object) -> None:
        metadata = obj["metadata"]
        group, _ = split_api_version(obj["apiVersion"])
        place = (group, obj["kind"], metadata.get("namespace") or "", metadata["name"])
        for key in list(self._waiting.get(place, ())):
            self._wake(key)

    def _wake_all(self) -> None:
        for key in list(self._held):
            self._wake(key)


def _health(obj: Object) -> Health:
    """For a Job that is suspended on purpose to be as it should be is not enough: it has made nothing."""
    health = health_of(obj)
    group, _ = split_api_version(str(obj.get("apiVersion", "")))
    current = health.status is HealthStatus.CURRENT
    if current and (group, obj.get("kind")) in _ENDING and not is_true(obj, "Complete"):
        return in_progress(health.message)
    return health


def _itself(found: Found) -> Iterator[tuple[ResourceType, str]]:
    for resource in (APP_RELEASES, BATCH_JOBS):
        if found.resource == resource and found.object is not None:
            yield resource, found.object["metadata"]["name"]


def _further(obj: Object) -> Iterator[tuple[ResourceType, str]]:
    """What an AppRelease or a BatchJob itself depends on, of these two kinds."""
    entries: Any = (obj.get("spec") or {}).get("dependsOn") or ()
    for entry in entries:
        # A BatchJob's entry without a kind names a BatchJob.
        group, _ = split_api_version(str(entry.get("apiVersion", BATCH_JOBS.api_version)))
        kind = entry.get("kind", BATCH_JOBS.kind)
        for resource in (APP_RELEASES, BATCH_JOBS):
            if (group, kind) == (resource.group, resource.kind):
                yield resource, str(entry.get("name", ""))


def _words(way: Sequence[tuple[ResourceType, str]]) -> str:
    kinds = {resource.kind for resource, _ in way}
    if len(kinds) == 1:
        return f"{kinds.pop()}s wait for each other: {' -> '.join(name for _, name in way)}"
    named = " -> ".join(f"{resource.kind} {name}" for resource, name in way)
    return f"objects wait for each other: {named}"
