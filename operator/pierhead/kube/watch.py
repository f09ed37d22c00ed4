"""A list kept true by a watch: every change of the objects it selects reaches its handler.

Invariant: what the handler was told always adds up to what the API server had. After any gap (an expired
version, a cut connection, a kind that went away) the difference is told, deletions included; the version
to go on from moves only after the handler was called. No failure ends it: what it cannot do now stands in
`error`, and it tries again with jittered backoff.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from types import MappingProxyType
from typing import Any, Literal

import structlog

from pierhead.engine.nesting import loads
from pierhead.engine.outcome import ReconcileError, Throttled, Transient
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import PAGE_SIZE, Client
from pierhead.kube.errors import ApiError, Gone, KindNotServed, Request, Unreachable, from_status
from pierhead.kube.resources import ResourceType

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Handler = Callable[[EventType, Object], None]
"""Called in the event loop for each change; must return at once. What it raises is logged and dropped."""

_EVENT_TYPES: Mapping[str, EventType] = MappingProxyType(
    {"ADDED": "ADDED", "MODIFIED": "MODIFIED", "DELETED": "DELETED"}
)
_SLIM = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "deletionTimestamp",
    "labels",
    "ownerReferences",
)
# A stream that lasted this long was no failure, however it ended.
_SETTLED_SECONDS = 5.0
# Share of a silence after which it was one, however the clocks of the socket and of this module differ.
_SILENT = 0.9

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds."""

    server_timeout: float = 420.0
    """Length of one watch request, spread by 30 % either way, so that connections move to new API servers."""
    silence: float = 90.0
    """After this long without a byte the request is made anew; bookmarks come about every 60 s."""
    first_backoff: float = 0.25
    longest_backoff: float = 30.0


def slim(obj: Object) -> Object:
    """What maps an object to its owner, and no more."""
    metadata = obj["metadata"]
    kept = {name: metadata[name] for name in _SLIM if name in metadata}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], "metadata": kept}


class Watch:
    """One list and watch, run as a task of its owner."""

    def __init__(
        self,
        client: Client,
        resource: ResourceType,
        handler: Handler,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
        keep: Callable[[Object], Object] = slim,
        page_size: int = PAGE_SIZE,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        """`keep` is what is remembered of each object: at least what `slim` keeps of name, uid and version.

        The handler gets objects without managedFields, and what was kept for a deletion nobody saw.
        """
        self.resource = resource
        self.error: ReconcileError | None = None
        """Why it does not see changes now; None while it does."""
        self.heard_at: float | None = None
        """When the API server last sent anything, by `clock`."""
        self.lists = 0
        """Complete lists so far; each but the first closed a gap."""
        self._client = client
        self._handler = handler
        self._namespace = namespace
        self._selectors: dict[str, Any] = {
            "label_selector": label_selector,
            "field_selector": field_selector,
            "metadata_only": metadata_only,
        }
        self._keep = keep
        self._page_size = page_size
        self._pace = pace or Pace()
        self._clock = clock
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._objects: dict[ObjectKey, Object] = {}
        self._version: str | None = None
        self._failures = 0
        self._settled = asyncio.Event()
        self._nudged = asyncio.Event()

    @property
    def objects(self) -> Mapping[ObjectKey, Object]:
        """What was kept of each object that exists."""
        return MappingProxyType(self._objects)

    @property
    def synced(self) -> bool:
        """Whether there was a complete list."""
        return self.lists > 0

    async def ready(self) -> None:
        """Returns after the first complete list.

        Raises its error if that cannot be had without a change: Forbidden, Rejected, KindNotServed.
        """
        await self._settled.wait()
        if not self.synced and self.error is not None:
            raise self.error

    def nudge(self) -> None:
        """Ends the present backoff: what it failed on may have changed."""
        self._nudged.set()

    async def run(self) -> None:
        """Lists and watches until cancelled."""
        while True:
            self._nudged.clear()
            started, heard = self._clock(), self.heard_at
            failure: ReconcileError | None = None
            expired = False
            try:
                if self._version is None:
                    await self._list()
                await self._follow(self._version or "")
            except Gone:
                self._version, expired = None, True
            except ReconcileError as error:
                failure = error
                self._fail(error)
            except Exception as error:  # noqa: BLE001 (a bug, or garbage on the wire, must not blind the process)
                _log.exception("watch failed", resource=self.resource.group_resource)
                failure = self.error = Transient(f"watch failed with {type(error).__name__}")
                self._version = None
            moved = self.heard_at != heard and failure is None and not expired
            if moved or self._clock() - started >= _SETTLED_SECONDS:
                self._failures = 0
            if not moved:
                await self._back_off(failure)

    async def _list(self) -> None:
        seen: set[ObjectKey] = set()
        version = ""
        pages = self._client.pages(
            self.resource, self._namespace, page_size=self._page_size, **self._selectors
        )
        async for page in pages:
            self.error = None
            if page.first:
                seen = set()
            for item in page.items:
                seen.add(ObjectKey.of(item))
                self._observe(item)
            version = page.resource_version
            # A big list must not hold up the loop: the next page may be here already.
            await asyncio.sleep(0)
        for key in self._objects.keys() - seen:
            self._forget(key)
        self._version = version
        self.lists += 1
        self._settled.set()

    async def _follow(self, version: str) -> None:
        """Reads one watch request to its end. Raises ReconcileError when that was not a proper one."""
        spread = self._random.uniform(0.7, 1.3)
        stream = self._client.watch_stream(
            self.resource,
            self._namespace,
            resource_version=version,
            timeout_seconds=max(1, round(self._pace.server_timeout * spread)),
            silence=self._pace.silence,
            **self._selectors,
        )
        lines, opened, heard = _Lines(), self._clock(), self.heard_at
        try:
            async with stream as chunks:
                self.error = None
                async for chunk in chunks:
                    self.heard_at = self._clock()
                    for line in lines.feed(chunk):
                        self._take(loads(line))
        except Unreachable:
            if self._clock() - max(opened, self.heard_at or opened) < self._pace.silence * _SILENT:
                raise
            # A kind at rest, where the API server sends no bookmark: if it is gone, the next request tells.
        finally:
            if self.heard_at == heard and self._clock() - opened >= self._pace.silence:
                # Not even a bookmark: so a version looks that is still to come, as after a restored backup.
                self._version = None

    def _take(self, event: dict[str, Any]) -> None:
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            # Whatever it is, the version cannot be gone on from with trust.
            self._version = None
            asked = Request("watch", self.resource.group_resource)
            raise from_status(obj, code=int(obj.get("code") or 0), request=asked)
        if kind != "BOOKMARK":
            # Metadata-only events carry another kind.
            obj["apiVersion"], obj["kind"] = self.resource.api_version, self.resource.kind
            if _EVENT_TYPES[kind] == "DELETED":
                self._forget(ObjectKey.of(obj), obj)
            else:
                self._observe(obj)
        self._version = obj["metadata"]["resourceVersion"]

    def _observe(self, obj: Object) -> None:
        obj["metadata"].pop("managedFields", None)
        key = ObjectKey.of(obj)
        before = self._objects.get(key)
        if before is not None and before["metadata"]["uid"] != obj["metadata"]["uid"]:
            self._forget(key)
            before = None
        self._objects[key] = self._keep(obj)
        if before is None:
            self._tell("ADDED", obj)
        elif before["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
            self._tell("MODIFIED", obj)

    def _forget(self, key: ObjectKey, obj: Object | None = None) -> None:
        before = self._objects.pop(key, None)
        last = obj or before
        if last is not None:
            last["metadata"].pop("managedFields", None)
            self._tell("DELETED", last)

    def _tell(self, event_type: EventType, obj: Object) -> None:
        try:
            self._handler(event_type, obj)
        except Exception:  # noqa: BLE001 (a handler's bug must not cost others their events)
            _log.exception(
                "watch handler failed", resource=self.resource.group_resource, object=str(ObjectKey.of(obj))
            )

    def _fail(self, error: ReconcileError) -> None:
        if self.error is None or type(self.error) is not type(error):
            _log.warning("watch interrupted", resource=self.resource.group_resource, error=str(error))
        self.error = error
        if isinstance(error, KindNotServed):
            for key in list(self._objects):
                self._forget(key)
            self._version = None
        elif isinstance(error, ApiError) and error.has_cause("ResourceVersionTooLarge"):
            # The API server's storage went back in time, as after a restored backup.
            self._version = None
        if error.terminal or isinstance(error, KindNotServed):
            self._settled.set()

    async def _back_off(self, failure: ReconcileError | None) -> None:
        ceiling = min(self._pace.first_backoff * 2**self._failures, self._pace.longest_backoff)
        self._failures = min(self._failures + 1, 32)
        delay = ceiling * self._random.uniform(0.5, 1.0)
        if isinstance(failure, Throttled):
            delay = max(delay, failure.after * self._random.uniform(1.0, 1.3))
        try:
            async with asyncio.timeout(delay):
                await self._nudged.wait()
        except TimeoutError:
            return


class _Lines:
    """Lines out of chunks; what a cut leaves of the last one is dropped, for its version was not taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that are complete with this chunk, without empty ones."""
        first, *rest = chunk.split(b"\n")
        self._pieces.append(first)
        if not rest:
            return []
        lines = [b"".join(self._pieces), *rest[:-1]]
        self._pieces = [rest[-1]]
        return [line for line in lines if line.strip()]
