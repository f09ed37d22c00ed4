"""One kind's control loop: kopf's events and lists in, keys to the workers out.

Invariant: no key is reconciled before the first complete list; from then on every change that matters and
every relist leads to a reconcile, whatever event was lost. The watch handler does no I/O.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import kopf
import structlog

from pierhead.engine.cache import ObjectCache
from pierhead.engine.changes import priority_of
from pierhead.engine.events import EventSink
from pierhead.engine.freshness import Freshness
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.queue import Backoff, Priority, WorkQueue
from pierhead.engine.reconciler import Expecting, Reconciler
from pierhead.engine.resource import Object, ObjectKey, ObjectStore
from pierhead.engine.tasks import ended
from pierhead.engine.worker import Worker

_DRAIN_SECONDS = 20.0


class Controller:
    """Runs one reconciler over the objects of its kind."""

    def __init__(
        self,
        reconciler: Reconciler,
        store: ObjectStore,
        *,
        workers: int,
        resync_seconds: float,
        finalizer: str,
        events: EventSink,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Random | None = None,
    ) -> None:
        self.kind = reconciler.kind
        self._reconciler = reconciler
        self._expecting = reconciler if isinstance(reconciler, Expecting) else None
        self._store = store
        self._workers = workers
        self._resync_seconds = resync_seconds
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._reconcile_at = f"{self.kind.group}/reconcile-at"
        self._log = structlog.get_logger(__name__).bind(kind=self.kind.kind)
        self._synced = False
        self._cache = ObjectCache()
        own_metrics = metrics.controller(self.kind.kind, workers)
        self._queue: WorkQueue[ObjectKey] = WorkQueue(clock=clock, random=self._random, metrics=own_metrics)
        if self._expecting is not None:
            self._expecting.hurry_with(self._queue.hurry)
        self._worker = Worker(
            reconciler,
            store,
            cache=self._cache,
            queue=self._queue,
            notice=self._notice,
            finalizer=finalizer,
            events=events,
            metrics=own_metrics,
            random=self._random,
            clock=clock,
            now=now,
        )
        self.freshness = Freshness(resync_seconds=resync_seconds, clock=clock)
        own_metrics.follow(
            depth=self._queue.__len__,
            running_since=lambda: self._queue.running_since,
            objects=self._cache.objects,
            clock=clock,
        )

    @property
    def synced(self) -> bool:
        """Whether the first complete list is in."""
        return self._synced

    @property
    def idle(self) -> bool:
        """Whether no key waits for a worker and none is being reconciled."""
        return not len(self._queue) and not any(True for _ in self._queue.running_since)

    def register(self, registry: kopf.OperatorRegistry) -> None:
        """Makes kopf tell us what happens to the objects of the kind."""

        @kopf.on.event(
            group=self.kind.group, version=self.kind.version, plural=self.kind.plural, registry=registry
        )
        async def observe(event: Mapping[str, Any], **_: Any) -> None:
            self.observe(event["type"], event["object"])

    def observe(self, event_type: str | None, obj: Object) -> None:
        """Takes one watch event; `event_type` is None for a listed object. The object is ours from now on."""
        metadata = obj["metadata"]
        self.freshness.delivered(metadata["uid"], metadata["resourceVersion"])
        key = ObjectKey.of(obj)
        if event_type != "DELETED":
            self._notice(key, obj)
        elif self._cache.remove(key, metadata["uid"]):
            self._queue.add(key, Priority.SPEC)

    def wake(self, key: ObjectKey) -> None:
        """Makes the key due because something it depends on moved."""
        self._queue.add(key, Priority.EVENT)

    async def run(self) -> None:
        """Runs until cancelled; then takes no keys, and gives what runs 20 s to finish."""
        try:
            await self._until_it_works(lambda: self._reconciler.start(self.wake), "background tasks")
            await self._until_it_works(self._relist, "first list")
            self._synced = True
            self._log.info("synced", objects=len(self._cache))
            await self._work()
        finally:
            self._queue.close()
            await self._reconciler.stop()

    async def _work(self) -> None:
        workers = [asyncio.create_task(self._worker.run()) for _ in range(self._workers)]
        resync = asyncio.create_task(self._resync())
        try:
            done, _ = await asyncio.wait([resync, *workers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            raise RuntimeError("a worker ended while its queue was open")
        finally:
            resync.cancel()
            await self._drain(workers)

    async def _drain(self, workers: list[asyncio.Task[None]]) -> None:
        self._queue.close()
        try:
            _, late = await asyncio.wait(workers, timeout=_DRAIN_SECONDS)
            if late:
                self._log.warning("reconciles cut off by the end of the process", count=len(late))
        finally:
            await ended(*workers)

    async def _until_it_works(self, step: Callable[[], Awaitable[None]], what: str) -> None:
        """Repeats a step of the start while the API server or AWS cannot be reached."""
        backoff, failures = Backoff(longest=30.0), 0
        while True:
            try:
                await step()
            except ReconcileError as error:
                self._log.warning("start is waiting", step=what, reason=error.reason, message=str(error))
                await asyncio.sleep(backoff.delay(failures, self._random))
                failures += 1
            else:
                return

    async def _resync(self) -> None:
        while True:
            await asyncio.sleep(self._resync_seconds * self._random.uniform(0.75, 1.25))
            try:
                await self._relist()
            except ReconcileError as error:
                self._log.warning("relist failed", reason=error.reason, message=str(error))

    async def _relist(self) -> None:
        """Reads all objects, makes every key due, sweeps what is no more; a broken list sweeps nothing."""
        started = self._cache.mark()
        seen: set[str] = set()
        async for page in self._store.pages():
            for obj in page:
                metadata = obj["metadata"]
                seen.add(metadata["uid"])
                key = ObjectKey.of(obj)
                if self._notice(key, obj):
                    self.freshness.listed_first(metadata["uid"], metadata["resourceVersion"])
                if self._cache.get(key) is not None:
                    self._queue.add(key, Priority.RESYNC)
        ghosts = self._cache.sweep(seen, started)
        for key in ghosts:
            self._queue.add(key, Priority.SPEC)
        if ghosts:
            self._log.info("objects are gone whose end was not told", count=len(ghosts))
        self.freshness.relisted(seen)

    def _notice(self, key: ObjectKey, obj: Object) -> bool:
        """Keeps the object and makes its key due if the change matters; whether it was news."""
        before = self._cache.get(key)
        if not self._cache.observe(obj):
            return False
        priority = priority_of(before, obj, reconcile_at=self._reconcile_at)
        if priority is not None:
            if priority is Priority.SPEC:
                # What failed for the old wish says nothing about the new one.
                self._queue.forget(key)
            if self._expecting is not None:
                self._expecting.expect(key, obj)
            self._queue.add(key, priority)
        return True
