"""One scenario, played: a user, operators that die and come back, Batch, and an API server.

Invariant: only the loop's clock counts, so that hours pass in milliseconds; after `calm` an operator lives
that nothing happens to, and time goes on until every BatchJob has come to its end, or for too long.
"""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from structlog.testing import capture_logs

from pierhead.aws.errors import AwsError
from pierhead.aws.policy import Policy
from pierhead.batch.reconcile import BatchJobReconciler
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.resources import BATCH_JOBS, ResourceType
from pierhead.kube.store import KindStore
from pierhead.kube.transport import Call
from pierhead.model import FINALIZER
from pierhead.settings import Settings
from support.batch_faults.batch import REGION, Batch
from support.batch_faults.doors import ApiDoor, AwsDoor, Crash, Feed, Life, Wire
from support.batch_faults.scenario import SETTLE, Scenario, Step
from support.virtual_time import VirtualTimeLoop

_USER = "the user"
START = datetime(2026, 1, 1, tzinfo=UTC)
EVENTS_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/events"
RESYNC_SECONDS = 1_200.0
PATIENCE_SECONDS = 6 * 3_600.0
"""After `calm`, for everything to come to its end."""

QUIET_SECONDS = 600.0
"""After the end, in which nothing may be asked of Batch any more."""


@dataclass
class Played:
    """What a run left to judge."""

    scenario: Scenario
    namespace: str
    batch: Batch
    feed: Feed
    names: dict[str, str]
    """Of the BatchJobs, by their names in the scenario."""
    settled: bool = False
    quiet_calls: int = 0
    """Calls to Batch after everything had come to its end."""
    trace: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)


def play(scenario: Scenario, make_wire: Callable[[], Wire], namespace: str = "team") -> Played:
    """Plays a scenario to its end, on a loop of its own."""
    with capture_logs() as logs, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.get_loop().set_exception_handler(_told_elsewhere)
        played = runner.run(_Stage(scenario, make_wire(), namespace).play())
    played.bugs = [str(entry) for entry in logs if "bug in pierhead" in entry["event"]]
    return played


def now() -> datetime:
    """The loop's clock as a date."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class _Stage:
    def __init__(self, scenario: Scenario, wire: Wire, namespace: str) -> None:
        queue, definition = f"{namespace}-queue", f"{namespace}-work"
        self.scenario = scenario
        self.namespace = namespace
        self.wire = wire
        self.queue = queue
        self.chance = Random(f"stage {scenario.seed}")
        self.played = Played(
            scenario,
            namespace,
            Batch(scenario, queue, definition, start=START.timestamp()),
            Feed(),
            {name: f"run-{scenario.seed}-{name}" for name in scenario.specs},
        )
        self.user = Client(ApiDoor(wire, self.played.feed, scenario, self.trace))  # type: ignore[arg-type]
        self.lives = 0

    def trace(self, text: str) -> None:
        self.played.trace.append(f"{asyncio.get_running_loop().time():10.1f} {text}")

    async def play(self) -> Played:
        loop, scenario = asyncio.get_running_loop(), self.scenario
        for name, spec in scenario.specs.items():
            await self._create(name, spec)
        acting = asyncio.create_task(self._act(), name=_USER)
        for life in scenario.lives:
            if loop.time() >= scenario.calm:
                break
            operator = _Operator(self, life.calls)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(1.0, min(life.until, scenario.calm) - loop.time())):
                    await operator.life.ended.wait()
            await operator.kill()
            await asyncio.sleep(life.down)
        last = _Operator(self, None)
        await acting
        await asyncio.sleep(max(0.0, scenario.calm - loop.time()))
        deadline = loop.time() + PATIENCE_SECONDS
        while not self._settled() and loop.time() < deadline:
            await asyncio.sleep(20)
            await self._give_up()
        self.played.settled = self._settled()
        if self.played.settled:
            await asyncio.sleep(60)
            before = self.played.batch.calls.total()
            await asyncio.sleep(QUIET_SECONDS)
            self.played.quiet_calls = self.played.batch.calls.total() - before
        await last.kill()
        self.played.batch.catch_up()
        return self.played

    async def _create(self, name: str, spec: dict[str, Any]) -> None:
        given = {"queue": self.queue, **spec}
        if "jobDefinition" in given:
            given["jobDefinition"] = f"{self.namespace}-{given['jobDefinition']}"
        for entry in given.get("dependsOn", ()):
            entry["name"] = self.played.names.get(entry["name"], entry["name"])
        obj = {
            "apiVersion": BATCH_JOBS.api_version,
            "kind": BATCH_JOBS.kind,
            "metadata": {"name": self.played.names[name], "namespace": self.namespace},
            "spec": given,
        }
        await self.user.create(BATCH_JOBS, obj)

    async def _act(self) -> None:
        loop = asyncio.get_running_loop()
        for step in self.scenario.steps:
            await asyncio.sleep(max(0.0, step.at - loop.time()))
            await self._do(step)

    async def _do(self, step: Step) -> None:
        name = self.played.names[step.job]
        if ObjectKey(self.namespace, name) not in self.played.feed.last:
            return
        self.trace(f"the user: {step.patch or 'delete'} {name}")
        if step.patch is None:
            await self.user.delete(BATCH_JOBS, name, self.namespace)
        else:
            await self.user.merge_patch(BATCH_JOBS, name, self.namespace, step.patch)

    async def _give_up(self) -> None:
        """The user deletes a BatchJob that waits for one that is gone."""
        keys = {name: ObjectKey(self.namespace, full) for name, full in self.played.names.items()}
        there = self.played.feed.last
        if "b" in keys and keys["b"] in there and keys["a"] not in there:
            waits = asyncio.get_running_loop().time() > self.scenario.calm + 1_500
            if waits and "deletionTimestamp" not in there[keys["b"]]["metadata"]:
                await self._do(Step(0.0, "b", None))

    def _settled(self) -> bool:
        return all(
            any(
                entry["type"] in {"Complete", "Failed"} and entry["status"] == "True"
                for entry in obj.get("status", {}).get("conditions", ())
            )
            and "deletionTimestamp" not in obj["metadata"]
            and "ttlSecondsAfterFinished" not in obj["spec"]
            for obj in self.played.feed.last.values()
        )


class _Operator:
    """One process of the operator."""

    def __init__(self, stage: _Stage, calls: int | None) -> None:
        stage.lives += 1
        scenario, played = stage.scenario, stage.played
        stage.trace("an operator starts")
        self._stage = stage
        self._chance = Random(f"operator {scenario.seed} {stage.lives}")
        self._last_event = 0.0
        self.life = Life(calls, stage.trace)
        door = ApiDoor(stage.wire, played.feed, scenario, stage.trace)
        door.life, door.meddle = self.life, self._meddle
        door._chance = Random(f"api {scenario.seed} {stage.lives}")
        client = Client(door)  # type: ignore[arg-type]
        sessions = AwsDoor(played.batch, self.life, scenario, self._chance, stage.trace)
        settings = _settings(stage.namespace, scenario.poll, scenario.telling is not None)
        loop = asyncio.get_running_loop()
        metrics = Metrics("test")
        reconciler = BatchJobReconciler(
            client=client,
            metrics=metrics,
            sessions=sessions,  # type: ignore[arg-type]
            policy=Policy((), region=REGION),
            settings=settings,
            discovery=_KnownKinds(),  # type: ignore[arg-type]
            clock=now,
            monotonic=loop.time,
            random=self._chance,
        )
        self.controller = Controller(
            reconciler,
            KindStore(client, BATCH_JOBS, [stage.namespace]),
            workers=2,
            resync_seconds=RESYNC_SECONDS,
            finalizer=FINALIZER,
            events=_NoEvents(),
            metrics=metrics,
            clock=loop.time,
            now=now,
            random=self._chance,
        )
        played.feed.listeners.append(self._observe)
        self._task = asyncio.create_task(self.controller.run())

    async def kill(self) -> None:
        """Nothing of it is left after."""
        if not self.life.ended.is_set():
            self.life.die("by a signal")
        self._stage.played.feed.listeners.remove(self._observe)
        ours = asyncio.current_task()
        left = [task for task in asyncio.all_tasks() if task is not ours and task.get_name() != _USER]
        while left:
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
            left = [task for task in left if not task.done()]

    def _observe(self, event_type: str, obj: Object) -> None:
        """A watch: in order, some late, some not at all."""
        loop, weather = asyncio.get_running_loop(), self._stage.scenario.weather
        bad = loop.time() < self._stage.scenario.calm
        if bad and self._chance.random() < weather.watch_lost:
            return
        late = self._chance.uniform(0, weather.watch_late) if bad else 0.0
        self._last_event = max(self._last_event, loop.time() + late)
        if self._last_event <= loop.time():
            self._deliver(event_type, obj)
        else:
            loop.call_at(self._last_event, self._deliver, event_type, obj)

    def _deliver(self, event_type: str, obj: Object) -> None:
        if not self.life.ended.is_set():
            # Each watcher has objects of its own.
            copied = {**obj, "metadata": dict(obj["metadata"])}
            self.controller.observe(event_type, copied)

    async def _meddle(self, call: Call) -> None:
        """Somebody labels the object just before the operator writes it."""
        parts = call.path.partition("/namespaces/")[2].split("/")
        if len(parts) < 3 or parts[1] != BATCH_JOBS.plural:
            return
        if ObjectKey(parts[0], parts[2]) in self._stage.played.feed.last:
            labels = {"touched": str(self._chance.getrandbits(30))}
            self._stage.trace(f"somebody labels {parts[2]}")
            await self._stage.user.merge_patch(
                BATCH_JOBS, parts[2], parts[0], {"metadata": {"labels": labels}}
            )


class _KnownKinds:
    """Discovery where BatchJobs are all there is."""

    async def resource_for(self, api_version: str, kind: str) -> ResourceType:
        assert (api_version, kind) == (BATCH_JOBS.api_version, BATCH_JOBS.kind)
        return BATCH_JOBS

    def on_change(self, _callback: Callable[..., None]) -> None:
        """Never."""


class _NoEvents:
    async def emit(self, *_event: Any) -> None:
        """Nobody reads them."""


@functools.cache
def _settings(namespace: str, poll: float, events: bool) -> Settings:
    return Settings(
        watch_namespaces=(namespace,),
        batch_poll_seconds=poll,
        batch_settle_seconds=SETTLE,
        batch_events_queue_url=EVENTS_URL if events else "",
        aws_region=REGION,
    )


def _told_elsewhere(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Dead processes leave exceptions nobody asks for; any other is a bug of the harness."""
    error = context.get("exception")
    if error is not None and not isinstance(error, Crash | AwsError):
        raise error
