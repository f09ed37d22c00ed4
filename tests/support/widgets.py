"""A kind that does next to nothing, for tests of the engine."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Self

from pierhead.engine.conditions import ready
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Outcome
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Kind, Object, ObjectKey, Resource
from support.memory_store import KIND, MemoryStore
from support.virtual_time import now

FINALIZER = "test.pierhead.dev/cleanup"
START = datetime(2026, 1, 1, tzinfo=UTC)

Behaviour = Callable[[Resource], Awaitable[Outcome]]


async def settle_widget(resource: Resource) -> Outcome:
    """Holds the object, shows its size, lets it go on deletion."""
    if resource.deleting:
        await resource.remove_finalizer(FINALIZER)
        return Outcome()
    await resource.add_finalizer(FINALIZER)
    return Outcome(status={"size": resource.spec.get("size", 0)}, conditions=(ready("Settled"),))


class WidgetReconciler:
    """Behaves as it is told, and remembers what it was asked."""

    def __init__(self, behaviour: Behaviour = settle_widget, kind: Kind = KIND) -> None:
        self.kind = kind
        self.behaviour = behaviour
        self.runs: list[tuple[float, ObjectKey]] = []
        self.forgotten: list[ObjectKey] = []
        self.calls: list[str] = []
        self.wake: Wake | None = None
        self.running: Counter[ObjectKey] = Counter()
        self.most_at_once = 0

    async def reconcile(self, resource: Resource) -> Outcome:
        key = resource.key
        self.runs.append((asyncio.get_running_loop().time(), key))
        self.running[key] += 1
        assert self.running[key] == 1, f"{key} runs twice at once"
        self.most_at_once = max(self.most_at_once, self.running.total())
        try:
            return await self.behaviour(resource)
        finally:
            self.running[key] -= 1

    def forget(self, key: ObjectKey) -> None:
        self.forgotten.append(key)

    async def start(self, wake: Wake) -> None:
        self.calls.append("start")
        self.wake = wake

    async def stop(self) -> None:
        self.calls.append("stop")

    def runs_of(self, key: ObjectKey) -> list[float]:
        """When the key was reconciled."""
        return [at for at, run in self.runs if run == key]


class Notebook:
    """An `EventSink` that keeps what it is given."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, str, str]] = []

    async def emit(self, obj: Object, event_type: str, reason: str, message: str) -> None:
        self.said.append((obj["metadata"]["name"], event_type, reason, message))


class Harness:
    """A controller over a memory store, on the running loop's clock; `async with` runs it."""

    def __init__(self, behaviour: Behaviour = settle_widget, **options: Any) -> None:
        self.store: MemoryStore = options.pop("store", None) or MemoryStore()
        self.reconciler = WidgetReconciler(behaviour)
        self.events = Notebook()
        self.metrics = Metrics("test")
        self.watch = options.pop("watch", True)
        self.controller = Controller(
            self.reconciler,
            self.store,
            **{
                "workers": 4,
                "resync_seconds": 1200.0,
                "finalizer": FINALIZER,
                "events": self.events,
                "metrics": self.metrics,
                "clock": now,
                "now": lambda: START + timedelta(seconds=now()),
                "random": Random(7),
                **options,
            },
        )
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self.watch:
            self.store.watch(self.controller.observe)
        self.task = asyncio.create_task(self.controller.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Cancels the controller and waits for its end."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait([self.task])

    async def rest(self, seconds: float = 10.0) -> None:
        """Lets time pass."""
        await asyncio.sleep(seconds)

    def sample(self, name: str, **labels: str) -> float | None:
        """The value of a metric."""
        return self.metrics.registry.get_sample_value(name, labels)
