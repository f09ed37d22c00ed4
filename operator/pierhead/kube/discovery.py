"""Which kinds the API server serves now.

Invariant: an answer is never older than the last change of a CRD that was seen, plus the moment the API
server takes to serve it; a kind is called unknown only after the API server was asked again, at most every
few seconds. Who waits for a kind hears of it by `on_change`. Source: aggregated discovery,
apidiscovery.k8s.io/v2 (Kubernetes 1.30; v2beta1 since 1.27).
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from pierhead.engine.outcome import ReconcileError, Transient
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import UnknownKind
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType, split_api_version
from pierhead.kube.watch import EventType, Pace, Watch

OnChange = Callable[[frozenset[ResourceType], frozenset[ResourceType]], None]
"""Told the kinds that appeared and those that vanished; must return at once."""

_ACCEPT = ",".join(
    f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    for version in ("v2", "v2beta1")
)
_VERSION_SECONDS = 600.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds."""

    ask_again: float = 3.0
    """An unknown kind makes the API server be asked again when its last answer is older than this."""
    settle: float = 0.2
    """Changes of CRDs come in bursts; this long after the first, the API server is asked once."""
    longest_settle: float = 10.0
    """A CRD that is not served yet is asked for again after ever longer pauses up to this."""
    give_up: float = 120.0
    """After this long such a CRD is left to its next change."""
    poll: float = 600.0
    """The API server is asked this often in any case: aggregated APIs come and go without a CRD."""
    poll_missed: float = 30.0
    """As `poll`, while somebody waits for a kind that is unknown."""
    remember: float = 3600.0
    """Whoever has not asked for an unknown kind for this long waits no longer."""


@dataclass(frozen=True, slots=True)
class _Table:
    """One answer of the API server."""

    kinds: dict[tuple[str, str], ResourceType]
    """By apiVersion and kind."""
    versions: dict[str, list[str]]
    """Of each group, the preferred one first."""
    stale: frozenset[str]
    """Groups of aggregated APIs that did not answer the API server."""
    api_versions: tuple[str, ...]
    """As `Discovery.api_versions`."""


class Discovery:
    """The kinds of one API server, asked once and kept current."""

    def __init__(
        self,
        client: Client,
        *,
        timing: Timing | None = None,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self._client = client
        self._timing = timing or Timing()
        self._pace = pace
        self._clock = clock
        self._random = random
        self._table: _Table | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()
        self._missed: dict[tuple[str, str], float] = {}
        """Group and kind of what was asked for in vain, and when last."""
        self._changed = asyncio.Event()
        self._awaited: dict[str, tuple[bool, float]] = {}
        self._callbacks: list[OnChange] = []
        self._version = ""
        self._version_at = float("-inf")
        self._watch: Watch | None = None

    async def resource_for(self, api_version: str, kind: str) -> ResourceType:
        """The resource that serves the kind.

        Raises UnknownKind, Transient when its aggregated API is down, or another ApiError.
        """
        found = (await self._current()).kinds.get((api_version, kind))
        if found is None:
            table = await self._refreshed()
            found = table.kinds.get((api_version, kind))
        if found is None:
            group, _ = split_api_version(api_version)
            raise self._unknown(group, kind, f"no kind {kind} in {api_version}")
        return found

    async def resource_in_group(self, group: str, kind: str) -> ResourceType:
        """As `resource_for`, at the version the API server prefers."""
        found = _in_group(await self._current(), group, kind)
        if found is None:
            found = _in_group(await self._refreshed(), group, kind)
        if found is None:
            raise self._unknown(group, kind, f"no kind {kind} in the API group {group or 'core'}")
        return found

    async def api_versions(self) -> tuple[str, ...]:
        """What Helm calls API versions, sorted: `apps/v1` and `apps/v1/Deployment` for all that is served.

        Kinds of subresources are among them, such as `apps/v1/Scale`.
        """
        return (await self._current()).api_versions

    async def server_version(self) -> str:
        """The API server's version, such as `v1.36.4`; asked again after ten minutes."""
        if self._clock() - self._version_at > _VERSION_SECONDS:
            self._version = str((await self._client.raw_get("/version"))["gitVersion"])
            self._version_at = self._clock()
        return self._version

    def invalidate(self) -> None:
        """Makes the next question about an unknown kind go to the API server."""
        self._asked_at = float("-inf")

    def on_change(self, callback: OnChange) -> Callable[[], None]:
        """Calls back whenever kinds appear or vanish; gives what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    @property
    def error(self) -> ReconcileError | None:
        """Why changes of CRDs are not seen now; None while they are."""
        return self._watch.error if self._watch else None

    async def run(self) -> None:
        """Follows the CRDs until cancelled; without it only questions make the API server be asked."""
        self._watch = Watch(
            self._client,
            CUSTOM_RESOURCE_DEFINITIONS,
            self._definition_changed,
            metadata_only=True,
            pace=self._pace,
            clock=self._clock,
            random=self._random,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch.run())
            tasks.create_task(self._follow())

    async def _follow(self) -> None:
        pause = self._timing.poll
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
                await asyncio.sleep(self._timing.settle)
                pause = self._timing.settle
            except TimeoutError:
                pass
            self._changed.clear()
            try:
                self._settle(await self._ask())
            except ReconcileError as error:
                _log.warning("discovery failed", error=str(error))
                pause = min(max(pause, self._timing.settle) * 2, self._timing.longest_settle)
                continue
            if self._awaited:
                pause = min(pause * 2, self._timing.longest_settle)
            else:
                pause = self._timing.poll_missed if self._missed else self._timing.poll

    def _definition_changed(self, event_type: EventType, obj: Object) -> None:
        self._awaited[obj["metadata"]["name"]] = (event_type != "DELETED", self._clock())
        self._changed.set()

    def _settle(self, table: _Table) -> None:
        served = {resource.group_resource for resource in table.kinds.values()}
        limit = self._clock() - self._timing.give_up
        self._awaited = {
            name: (expected, since)
            for name, (expected, since) in self._awaited.items()
            if (name in served) != expected and since > limit
        }
        kinds = {(resource.group, resource.kind) for resource in table.kinds.values()}
        limit = self._clock() - self._timing.remember
        self._missed = {
            missed: asked for missed, asked in self._missed.items() if missed not in kinds and asked > limit
        }

    async def _current(self) -> _Table:
        return self._table if self._table is not None else await self._ask(self._asked_at)

    async def _refreshed(self) -> _Table:
        """The table, asked for again unless that was a moment ago."""
        if self._table is not None and self._clock() - self._asked_at < self._timing.ask_again:
            return self._table
        return await self._ask(self._asked_at)

    async def _ask(self, before: float | None = None) -> _Table:
        """Asks the API server, once for all who want an answer newer than `before` at the same time."""
        async with self._asking:
            if before is not None and self._table is not None and self._asked_at > before:
                return self._table
            started = self._clock()
            core, groups = await asyncio.gather(
                self._client.raw_get("/api", accept=_ACCEPT), self._client.raw_get("/apis", accept=_ACCEPT)
            )
            table = _parsed([*_items(core), *_items(groups)])
            previous, self._table, self._asked_at = self._table, table, started
        if previous is not None:
            self._tell(frozenset(previous.kinds.values()), frozenset(table.kinds.values()))
        return table

    def _tell(self, before: frozenset[ResourceType], after: frozenset[ResourceType]) -> None:
        if before == after:
            return
        for callback in list(self._callbacks):
            try:
                callback(after - before, before - after)
            except Exception:  # noqa: BLE001 (one listener's bug must not cost the others the news)
                _log.exception("discovery callback failed")

    def _unknown(self, group: str, kind: str, message: str) -> ReconcileError:
        if self._table is not None and group in self._table.stale:
            return Transient(f"{message}: the aggregated API that serves {group} does not answer")
        if not self._missed:
            # Where CRDs may not be watched, polling is what finds the kind.
            self._changed.set()
        self._missed[group, kind] = self._clock()
        return UnknownKind(message)


def _items(answer: Any) -> list[Any]:
    if not isinstance(answer, dict) or answer.get("kind") != "APIGroupDiscoveryList":
        raise Transient("the API server does not offer aggregated discovery; Kubernetes 1.27 or later does")
    items: list[Any] = answer.get("items") or []
    return items


def _parsed(items: Iterable[Any]) -> _Table:
    kinds: dict[tuple[str, str], ResourceType] = {}
    versions: dict[str, list[str]] = {}
    stale: set[str] = set()
    api_versions: set[str] = set()
    for item in items:
        group = item["metadata"].get("name", "")
        for entry in item.get("versions") or ():
            version = entry["version"]
            versions.setdefault(group, []).append(version)
            if entry.get("freshness") == "Stale":
                stale.add(group)
            api_version = f"{group}/{version}" if group else version
            api_versions.add(api_version)
            for served in entry.get("resources") or ():
                resource = _resource(group, version, served)
                # The first of a kind is its main resource.
                kinds.setdefault((api_version, resource.kind), resource)
                for part in (served, *(served.get("subresources") or ())):
                    if kind := (part.get("responseKind") or {}).get("kind"):
                        api_versions.add(f"{api_version}/{kind}")
    return _Table(kinds, versions, frozenset(stale), tuple(sorted(api_versions)))


def _resource(group: str, version: str, served: Any) -> ResourceType:
    return ResourceType(
        group=group,
        version=version,
        plural=served["resource"],
        kind=(served.get("responseKind") or {}).get("kind", ""),
        namespaced=served["scope"] == "Namespaced",
        verbs=tuple(served.get("verbs") or ()),
    )


def _in_group(table: _Table, group: str, kind: str) -> ResourceType | None:
    for version in table.versions.get(group, ()):
        api_version = f"{group}/{version}" if group else version
        found = table.kinds.get((api_version, kind))
        if found is not None:
            return found
    return None
