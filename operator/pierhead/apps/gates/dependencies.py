"""The objects that new revisions wait for.

Invariant: what a dependency is like is read as the release's own account, so nobody learns from a message
what that account may not read; the watches that wake who waits see metadata alone, and exist only while
somebody waits.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pierhead.apps.model.order import Dependency
from pierhead.apps.situation import Gate, State
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey
from pierhead.expressions import Expressions
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import Forbidden, NotFound, UnknownKind
from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.resources import APP_RELEASES, ResourceType, split_api_version
from pierhead.kube.watch_set import WatchKey, WatchSet

REASON = "DependencyNotReady"

_SHOWN = 3
_MESSAGE_LIMIT = 512
_LONGEST_CHAIN = 100
_UNWATCHED_LOOK = timedelta(seconds=30)
"""Between looks at a dependency that neither the operator nor the account may watch."""

_Place = tuple[str, str, str, str]
"""Group, kind, namespace and name."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What one dependency is like; `missing` is what it lacks, empty when it is ready."""

    missing: str
    resource: ResourceType | None = None
    object: Object | None = None
    stalled: bool = False


class Dependencies:
    """Who waits for which objects."""

    def __init__(self, client: Client, discovery: Discovery, expressions: Expressions) -> None:
        self._discovery = discovery
        self._expressions = expressions
        self._watches = WatchSet(client, self._handle)
        self._waiting: dict[_Place, set[ObjectKey]] = defaultdict(set)
        self._held: dict[ObjectKey, set[_Place]] = {}
        self._wake: Wake = lambda _key: None

    def start(self, wake: Wake) -> None:
        """Says how an AppRelease is woken when something it waits for changes."""
        self._wake = wake
        self._discovery.on_change(lambda *_: self._wake_all())

    async def stop(self) -> None:
        """Ends all watches."""
        await self._watches.close()

    def check(self, wanted: Sequence[Dependency]) -> None:
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

    async def gate(self, subject: Subject, wanted: Sequence[Dependency], now: datetime) -> Gate | None:
        """What is not ready; None, and nothing is watched, when all is."""
        found = [await self._look(subject, index, item) for index, item in enumerate(wanted)]
        if not any(one.missing for one in found):
            self.forget(subject.key)
            return None
        watched = True
        for index, one in enumerate(found):
            if one.missing and one.resource is not None:
                watched &= await self._follow(subject, one.resource, wanted[index].name)
                # Whatever changed before the watch began has woken nobody.
                found[index] = await self._look(subject, index, wanted[index])
        missing = [one for one in found if one.missing]
        if not missing:
            self.forget(subject.key)
            return None
        self._held.setdefault(subject.key, set())
        cycle = await self._cycle(subject, missing)
        if cycle:
            way = " -> ".join(cycle)
            message = f"AppReleases wait for each other: {way}; break the cycle in spec.dependsOn"
            return Gate(State.PENDING, "DependencyCycle", message, stalled=True)
        told = [one.missing for one in missing]
        message = f"waiting for {'; '.join(told[:_SHOWN])}"
        if len(told) > _SHOWN:
            message += f"; and {len(told) - _SHOWN} more"
        return Gate(
            State.PENDING,
            REASON,
            message,
            None if watched else now + _UNWATCHED_LOOK,
            stalled=any(one.stalled for one in missing),
        )

    async def _look(self, subject: Subject, index: int, wanted: Dependency) -> _Found:
        label, at = f"{wanted.kind} {wanted.name}", f"spec.dependsOn[{index}]"
        try:
            resource = await self._discovery.resource_for(wanted.api_version, wanted.kind)
        except UnknownKind:
            return _Found(f"{label}: the cluster has no {wanted.kind} in {wanted.api_version}")
        try:
            obj = await subject.client.get(
                resource, wanted.name, subject.key.namespace if resource.namespaced else None
            )
        except NotFound:
            return _Found(f"{label}, which does not exist", resource)
        except Forbidden as error:
            return _Found(f"{label}: {at}: {error.message}", resource, stalled=True)
        try:
            missing = self._missing(wanted, obj, field=f"{at}.ready")
        except (Denied, Invalid) as error:
            return _Found(f"{label}: {error}", resource, obj, stalled=True)
        return _Found(f"{label}: {missing}"[:_MESSAGE_LIMIT] if missing else "", resource, obj)

    def _missing(self, wanted: Dependency, obj: Object, *, field: str) -> str:
        health = health_of(obj)
        if wanted.ready is None:
            return "" if health.status is HealthStatus.CURRENT else health.message or health.status.value
        if health.status is HealthStatus.TERMINATING:
            return health.message
        if self._expressions.compiled(wanted.ready, field=field).holds(object=obj):
            return ""
        said = "" if health.status is HealthStatus.CURRENT else f" ({health.message})"
        return f"not yet {wanted.ready}{said}"

    async def _follow(self, subject: Subject, resource: ResourceType, name: str) -> bool:
        """Watches an object until `forget`; whether anybody may."""
        key, namespace = subject.key, subject.key.namespace if resource.namespaced else None
        watched = True
        for identity in (None, subject.client.identity):
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

    async def _cycle(self, subject: Subject, missing: Sequence[_Found]) -> list[str]:
        """The names on a way from this AppRelease back to it, over what each waits for; empty for none."""
        own = subject.key.name
        ways = [[own, name] for one in missing for name in _waited_for(one)]
        seen: set[str] = set()
        while ways and len(seen) < _LONGEST_CHAIN:
            way = ways.pop()
            name = way[-1]
            if name == own:
                return way
            if name in seen:
                continue
            seen.add(name)
            await self._follow(subject, APP_RELEASES, name)
            try:
                obj = await subject.client.get(APP_RELEASES, name, subject.key.namespace)
            except (Forbidden, NotFound):
                continue
            ways += [[*way, further] for further in _app_releases(obj)]
        return []

    def _handle(self, _event_type: str, obj: Object) -> None:
        metadata = obj["metadata"]
        group, _ = split_api_version(obj["apiVersion"])
        place = (group, obj["kind"], metadata.get("namespace") or "", metadata["name"])
        for key in list(self._waiting.get(place, ())):
            self._wake(key)

    def _wake_all(self) -> None:
        for key in list(self._held):
            self._wake(key)


def _waited_for(found: _Found) -> Iterator[str]:
    if found.resource == APP_RELEASES and found.object is not None:
        yield found.object["metadata"]["name"]


def _app_releases(obj: Object) -> Iterator[str]:
    """The AppReleases that one depends on."""
    entries: Any = (obj.get("spec") or {}).get("dependsOn") or ()
    for entry in entries:
        group, _ = split_api_version(str(entry.get("apiVersion", "")))
        if (group, entry.get("kind")) == (APP_RELEASES.group, APP_RELEASES.kind):
            yield str(entry.get("name", ""))
