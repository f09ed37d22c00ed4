"""What watches of a namespace have shown, and a reconciler whose objects they show it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from pierhead.engine.controller import Controller, EventSink
from pierhead.engine.metrics import Metrics
from pierhead.engine.reconciler import Reconciler
from pierhead.engine.tasks import ended
from pierhead.kube.client import Client
from pierhead.kube.resources import ResourceType
from pierhead.kube.store import KindStore
from pierhead.kube.watch import EventType, Watch
from pierhead.model import FINALIZER

Object = dict[str, Any]


class Seen:
    """The newest version of each object."""

    def __init__(self, told: Callable[[EventType, Object], None] = lambda _event_type, _obj: None) -> None:
        """`told` is told all of it first."""
        self._told = told
        self._objects: dict[tuple[str, str], Object] = {}
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def watching(self, kube: Client, namespace: str, *resources: ResourceType) -> AsyncIterator[None]:
        tasks = []
        try:
            for resource in resources:
                watch = Watch(kube, resource, self.observe, namespace=namespace)
                tasks.append(asyncio.create_task(watch.run()))
                await watch.ready()
            yield
        finally:
            await ended(*tasks)

    def observe(self, event_type: EventType, obj: Object) -> None:
        self._told(event_type, obj)
        key = obj["kind"], obj["metadata"]["name"]
        if event_type == "DELETED":
            self._objects.pop(key, None)
        else:
            self._objects[key] = obj
        self._changed.set()

    def get(self, resource: ResourceType, name: str) -> Object | None:
        return self._objects.get((resource.kind, name))

    def of(self, resource: ResourceType) -> list[Object]:
        return [obj for (kind, _), obj in self._objects.items() if kind == resource.kind]

    async def until(self, answer: Callable[[], Any], within: float = 45) -> Any:
        """The first true answer, asked whenever something was seen to change."""
        async with asyncio.timeout(within):
            while not (found := answer()):
                self._changed.clear()
                await self._changed.wait()
        return found


class Controlled:
    """A reconciler at work on a namespace's objects."""

    def __init__(
        self,
        reconciler: Reconciler,
        client: Client,
        resource: ResourceType,
        namespace: str,
        *,
        events: EventSink,
        metrics: Metrics,
        workers: int = 4,
    ) -> None:
        self.controller = Controller(
            reconciler,
            KindStore(client, resource, [namespace]),
            workers=workers,
            resync_seconds=1200,
            finalizer=FINALIZER,
            events=events,
            metrics=metrics,
        )
        watch = Watch(client, resource, self.controller.observe, namespace=namespace)
        self._tasks = [asyncio.create_task(self.controller.run()), asyncio.create_task(watch.run())]

    async def stop(self) -> None:
        await ended(*self._tasks)
