"""One reconcile of one key, from the cached object to the written status and the next deadline.

Invariant: whatever a reconciler does, its key ends up settled, waiting for an event, or due at a time; the
worker itself never ends by an error of a kind. Names and reasons are logged, values never.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

import structlog

from pierhead.engine.cache import ObjectCache
from pierhead.engine.events import EventSink
from pierhead.engine.failures import described
from pierhead.engine.metrics import ControllerMetrics
from pierhead.engine.outcome import Conflict, Outcome, ReconcileError, Transient
from pierhead.engine.queue import Priority, QueueClosed, WorkQueue
from pierhead.engine.reconciler import Reconciler
from pierhead.engine.report import End, Next, news_of_ready, next_of, notice_of, status_of
from pierhead.engine.resource import Object, ObjectKey, ObjectStore, Resource

_CONFLICTS_AT_ONCE = 3
_CONFLICTS_WORTH_A_LINE = 10
_JITTERED_FROM_SECONDS = 30.0
_RECONCILE_LIMIT_SECONDS = 900.0


class Worker:
    """Runs keys of one kind; any number of tasks may be in `run` at once."""

    def __init__(
        self,
        reconciler: Reconciler,
        store: ObjectStore,
        *,
        cache: ObjectCache,
        queue: WorkQueue[ObjectKey],
        notice: Callable[[ObjectKey, Object], bool],
        finalizer: str,
        events: EventSink,
        metrics: ControllerMetrics,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._reconciler = reconciler
        self._store = store
        self._cache = cache
        self._queue = queue
        self._notice = notice
        self._finalizer = finalizer
        self._events = events
        self._metrics = metrics
        self._random = random
        self._clock = clock
        self._now = now
        self._log = structlog.get_logger(__name__).bind(kind=reconciler.kind.kind)
        self._uids: dict[ObjectKey, str] = {}
        self._conflicts: dict[ObjectKey, int] = {}

    async def run(self) -> None:
        """Runs keys until the queue is closed."""
        while True:
            try:
                key = await self._queue.get()
            except QueueClosed:
                return
            try:
                await self._run_key(key)
            except Exception as error:  # noqa: BLE001 (a worker outlives any bug, and shows it)
                self._bug(key, error)
                self._metrics.reconciled(next_of(error).result, 0.0)
                self._queue.add_rate_limited(key)
            finally:
                self._queue.done(key)

    async def _run_key(self, key: ObjectKey) -> None:
        obj = self._cache.get(key)
        if obj is None or self._uids.get(key, obj["metadata"]["uid"]) != obj["metadata"]["uid"]:
            self._forget(key)
        if obj is None:
            return
        resource = Resource(obj, store=self._store, cache=self._cache)
        if self._released(resource):
            return
        self._uids[key] = resource.uid
        started = self._clock()
        end = await self._reconcile(resource)
        step = await self._report(resource, end)
        self._metrics.reconciled(step.result, self._clock() - started)
        if resource.gone:
            self._forget(key)
        else:
            await self._schedule(key, step)

    def _released(self, resource: Resource) -> bool:
        """Whether the object is only waited for by others, or gone: nothing of ours is left to do."""
        return resource.gone or (resource.deleting and self._finalizer not in resource.finalizers)

    async def _reconcile(self, resource: Resource) -> End:
        end: End
        try:
            async with asyncio.timeout(_RECONCILE_LIMIT_SECONDS) as limit:
                end = await self._reconciler.reconcile(resource)
        except ReconcileError as error:
            end = error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            end = Transient("what it waited for was cut off by another's end", reason="Interrupted")
        except Exception as error:  # noqa: BLE001 (the report says what it means)
            end = error
            if isinstance(error, TimeoutError) and limit.expired():
                end = Transient(f"gave up after {_RECONCILE_LIMIT_SECONDS:.0f} s", reason="ReconcileTimeout")
            self._bug(resource.key, error)
        return end

    async def _report(self, resource: Resource, end: End) -> Next:
        """Writes the status this end makes true; if that fails, its failure says what comes next."""
        step = next_of(end)
        if self._released(resource):
            return step
        stored = resource.status
        status = status_of(end, stored=stored, generation=resource.generation, now=self._now())
        if status is None:
            return step
        try:
            written = await resource.write_status(status)
        except Conflict as error:
            return next_of(error)
        except ReconcileError as error:
            self._log.warning(
                "status not written", object=str(resource.key), reason=error.reason, message=str(error)
            )
            return Next(next_of(error).result, backoff=True)
        if isinstance(end, Outcome) and end.reported is not None:
            end.reported()
        if written:
            await self._tell(resource, end, stored)
        return step

    async def _tell(self, resource: Resource, end: End, stored: Mapping[str, Any]) -> None:
        if isinstance(end, ReconcileError):
            self._log.info("not ready", object=str(resource.key), reason=end.reason, message=str(end))
        news = news_of_ready(stored, resource.status)
        if news is not None:
            self._log.info("ready", object=str(resource.key), reason=news.reason, message=news.message)
        notice = notice_of(stored, resource.status)
        if notice is not None:
            await self._events.emit(resource.object, notice.type, notice.reason, notice.message)

    async def _schedule(self, key: ObjectKey, step: Next) -> None:
        if step.result == "conflict":
            await self._retry_conflict(key)
            return
        self._conflicts.pop(key, None)
        if step.backoff:
            self._queue.add_rate_limited(key)
            return
        if step.result != "throttled":
            self._queue.forget(key)
        if step.after is not None:
            self._queue.add_after(key, self._jittered(step.after, throttled=step.result == "throttled"))

    def _jittered(self, after: float, *, throttled: bool) -> float:
        if throttled:
            # Never earlier than asked, and not all of those who were asked at once.
            return after * self._random.uniform(1.0, 1.25)
        if after > _JITTERED_FROM_SECONDS:
            return after * self._random.uniform(0.9, 1.1)
        return after

    async def _retry_conflict(self, key: ObjectKey) -> None:
        """Reads the object afresh, since the watch may not have told yet, and runs the key again."""
        count = self._conflicts.get(key, 0) + 1
        self._conflicts[key] = count
        if count % _CONFLICTS_WORTH_A_LINE == 0:
            self._log.warning("conflict after conflict", object=str(key), count=count)
        try:
            live = await self._store.get(key)
        except ReconcileError as error:
            self._log.warning("fresh read failed", object=str(key), reason=error.reason)
            self._queue.add_rate_limited(key)
            return
        cached = self._cache.get(key)
        if live is not None:
            self._notice(key, live)
        elif cached is not None:
            self._cache.remove(key, cached["metadata"]["uid"])
        if count <= _CONFLICTS_AT_ONCE:
            self._queue.add(key, Priority.EVENT)
        else:
            self._queue.add_rate_limited(key)

    def _forget(self, key: ObjectKey) -> None:
        self._uids.pop(key, None)
        self._conflicts.pop(key, None)
        self._queue.forget(key)
        self._reconciler.forget(key)

    def _bug(self, key: ObjectKey, error: Exception) -> None:
        self._log.error("a reconcile hit a bug in pierhead", object=str(key), **described(error))
