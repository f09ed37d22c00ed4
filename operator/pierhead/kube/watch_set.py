"""Watches of kinds that are known only at run time, shared by all who need the same one.

Invariant: there is one watch for each key that somebody holds and none for any other; whoever returned
from `ensure` has been told of every object the key selects, and goes on being told until it releases the
key, whatever happens to the kind meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from random import Random

from pierhead.engine.outcome import ReconcileError, Transient
from pierhead.engine.resource import Object, ObjectKey
from pierhead.engine.tasks import ended
from pierhead.kube.client import Client
from pierhead.kube.credentials import Identity
from pierhead.kube.errors import KindNotServed, UnknownKind
from pierhead.kube.resources import ResourceType
from pierhead.kube.watch import Handler, Pace, Watch, slim


@dataclass(frozen=True, slots=True)
class WatchKey:
    """What to watch, and as whom. No namespace means all of them."""

    resource: ResourceType
    namespace: str | None = None
    label_selector: str | None = None
    identity: Identity | None = None
    metadata_only: bool = False
    field_selector: str | None = None


@dataclass(slots=True)
class _Entry:
    watch: Watch
    task: asyncio.Task[None]
    holders: set[Hashable] = field(default_factory=set)


class WatchSet:
    """The watches of one owner, who is told by one handler."""

    def __init__(
        self,
        client: Client,
        handler: Handler,
        *,
        keep: Callable[[Object], Object] = lambda obj: obj,
        keep_metadata: Callable[[Object], Object] = slim,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        """`keep` is what `get` and `objects` answer with, `keep_metadata` that of metadata-only keys."""
        self._client = client
        self._handler = handler
        self._keep = keep
        self._keep_metadata = keep_metadata
        self._pace = pace
        self._clock = clock
        self._random = random
        self._entries: dict[WatchKey, _Entry] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def ensure(self, key: WatchKey, holder: Hashable = None, *, timeout_seconds: float = 30.0) -> None:
        """Holds the key, and returns after its first complete list; again is free.

        Raises Forbidden, Rejected or UnknownKind, and then the key is not held, unless the watch had
        worked before: then it goes on trying. Transient when the list takes longer than
        `timeout_seconds`, and then too the watch goes on trying.
        """
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = self._start(key)
        entry.holders.add(holder)
        if entry.watch.synced:
            if entry.watch.error is not None and entry.watch.error.terminal:
                raise entry.watch.error
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await entry.watch.ready()
        except TimeoutError:
            why = entry.watch.error or "no answer yet"
            raise Transient(f"cannot list {key.resource.group_resource}: {why}") from None
        except KindNotServed as error:
            self.release(key, holder)
            raise UnknownKind(f"no kind {key.resource.kind} in {key.resource.api_version}") from error
        except ReconcileError:
            self.release(key, holder)
            raise

    def release(self, key: WatchKey, holder: Hashable = None) -> None:
        """Lets go of the key; its watch ends with the last holder. Fine for a key not held."""
        entry = self._entries.get(key)
        if entry is None:
            return
        entry.holders.discard(holder)
        if not entry.holders:
            del self._entries[key]
            entry.task.cancel()
            self._ending.add(entry.task)
            entry.task.add_done_callback(self._ending.discard)

    def held(self, holder: Hashable) -> frozenset[WatchKey]:
        """The keys of a holder."""
        return frozenset(key for key, entry in self._entries.items() if holder in entry.holders)

    def release_all(self, holder: Hashable) -> None:
        """Lets go of all keys of a holder."""
        for key in self.held(holder):
            self.release(key, holder)

    def get(self, key: WatchKey, name: ObjectKey) -> Object | None:
        """What was kept of an object; None where it does not exist or the key is not held."""
        entry = self._entries.get(key)
        return entry.watch.objects.get(name) if entry else None

    def objects(self, key: WatchKey) -> Iterator[Object]:
        """What was kept of each object of a key."""
        entry = self._entries.get(key)
        return iter(list(entry.watch.objects.values()) if entry else ())

    def current(self, key: WatchKey) -> bool:
        """Whether all that the key selects is known, and its changes are seen now."""
        entry = self._entries.get(key)
        return entry is not None and entry.watch.synced and entry.watch.error is None

    def error(self, key: WatchKey) -> ReconcileError | None:
        """Why changes are not seen now; None while they are, or where the key is not held."""
        entry = self._entries.get(key)
        return entry.watch.error if entry else None

    def errors(self) -> dict[WatchKey, ReconcileError]:
        """The keys whose changes are not seen now."""
        return {key: error for key in self._entries if (error := self.error(key)) is not None}

    def nudge(self) -> None:
        """Ends the backoff of the watches that fail; for when rights or kinds changed."""
        for entry in self._entries.values():
            if entry.watch.error is not None:
                entry.watch.nudge()

    async def close(self) -> None:
        """Ends all watches."""
        tasks = [*(entry.task for entry in self._entries.values()), *self._ending]
        self._entries.clear()
        await ended(*tasks)

    def __len__(self) -> int:
        return len(self._entries)

    def _start(self, key: WatchKey) -> _Entry:
        client = self._client.impersonating(key.identity) if key.identity else self._client
        watch = Watch(
            client,
            key.resource,
            self._handler,
            namespace=key.namespace,
            label_selector=key.label_selector,
            field_selector=key.field_selector,
            metadata_only=key.metadata_only,
            keep=self._keep_metadata if key.metadata_only else self._keep,
            pace=self._pace,
            clock=self._clock,
            random=self._random,
        )
        return _Entry(watch, asyncio.create_task(watch.run()))
