"""Operators of EventTriggers that die before or after each of their writes and calls to AWS.

A scenario is what people and the world do; it runs once undisturbed, which is the reference, and then once
for each step of that run and each side of it: there the operator dies, and another takes its place.
"""

import asyncio
import contextlib
import json
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from pierhead.kube.client import Client
from pierhead.kube.watch import EventType
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.trigger_lab import Object, Operator, TriggerLab
from support.waiting import eventually

AT_ONCE = 10
"""Runs under way at the same time: most of a run is waiting."""

SECONDS = 60


@dataclass
class Clock:
    """The real time, or one that stands still until it is set."""

    at: datetime | None = None

    def __call__(self) -> datetime:
        return self.at or datetime.now(UTC)


@dataclass
class Run:
    """One EventTrigger, its queues, and all that ever was started, whoever operates it."""

    lab: TriggerLab
    clock: Clock
    made: dict[str, Object] = field(default_factory=dict)
    """Every BatchJob that ever was, by uid, as it was last seen."""
    gone: set[str] = field(default_factory=set)
    told: str = ""
    """URL of the queue in which ends are told."""
    dead: str = ""
    """URL of the dead-letter queue."""

    def look(self, event_type: EventType, obj: Object) -> None:
        if obj["kind"] != "BatchJob":
            return
        self.made[obj["metadata"]["uid"]] = obj
        if event_type == "DELETED":
            self.gone.add(obj["metadata"]["uid"])

    async def job(self, number: int) -> str:
        """The name of the so manieth BatchJob that ever was, once it is there."""
        await self.lab.until(lambda: len(self.made) > number, within=SECONDS)
        return str(list(self.made.values())[number]["metadata"]["name"])

    async def an_hour_passes(self) -> None:
        """The clock goes on, and the EventTrigger is looked at."""
        assert self.clock.at is not None
        self.clock.at += timedelta(hours=1)
        await self.lab.poke("thumbs")

    async def emptied(self) -> None:
        """Returns once no message is left in the queue."""
        await eventually(self._empty, seconds=SECONDS)

    async def _empty(self) -> bool:
        return await asyncio.to_thread(self.lab.waiting) == 0


Story = Callable[[Run], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """What there is, and what then happens to it."""

    trigger: dict[str, Any]
    story: Story
    """What people and the world do, each time once what they wait for is there, until all has settled."""
    queues: tuple[str, ...] = ()
    """Of `told` and `dead`."""


@dataclass
class World:
    """What all runs share."""

    sandbox: Sandbox
    kube: Client
    aws: AwsControl
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))


async def all_crashes(
    world: World, scenario: Scenario, *, sides: tuple[str, ...] = ("after",)
) -> dict[str, Any]:
    """What is different after a crash, by its place; empty when every end is the same.

    Dead after a step is dead before the next one, so one side is enough where much is run.
    """
    steps: list[tuple[str, str]] = []

    def record(what: str, phase: str) -> bool:
        # Of polls, and of what keeps messages hidden, there are as many as time passes.
        if (what, phase) != ("aws receive_message", "before") and "visibility" not in what:
            steps.append((what, phase))
        return False

    expected = await end_of(world, scenario, record, None)
    places = [
        (what, phase, steps[:index].count((what, phase)))
        for index, (what, phase) in enumerate(steps)
        if phase in sides
    ]
    different: dict[str, Any] = {}

    async def run(what: str, phase: str, skip: int) -> None:
        left = skip

        def dies(step: str, side: str) -> bool:
            nonlocal left
            if (step, side) == (what, phase):
                left -= 1
            return left < 0

        async with world.limit:
            try:
                found = await end_of(world, scenario, dies, expected)
            except (AssertionError, TimeoutError) as error:
                found = {"error": repr(error)}
        if found != expected:
            different[f"{phase} {what} {skip}"] = {
                name: (expected.get(name), found.get(name))
                for name in expected.keys() | found.keys()
                if expected.get(name) != found.get(name)
            }

    await asyncio.gather(*(run(*place) for place in places))
    assert len(places) > 3, places
    return different


async def end_of(
    world: World, scenario: Scenario, dies_at: Callable[[str, str], bool], wanted: Any
) -> dict[str, Any]:
    """What a run ends in whose first operator dies where it is told; `wanted` is the end to wait for."""
    name = await asyncio.to_thread(world.sandbox.create_namespace, f"crash-{secrets.token_hex(4)}")
    lab = TriggerLab(world.sandbox, world.kube, name, world.aws)
    # Half past some hour to come: of a schedule by the hour one time is due.
    later = datetime.now(UTC).replace(minute=30) + timedelta(hours=2)
    run = Run(lab, Clock(later if "schedule" in scenario.trigger else None))
    lab.look = run.look
    await lab.open()
    try:
        await asyncio.to_thread(_furnish, run, scenario)
        await lab.trigger(**json.loads(json.dumps(scenario.trigger).replace("NAMESPACE", name)))
        first = lab.operator(clock=run.clock)
        first.life.dies_at = dies_at
        heir = asyncio.create_task(_followed(lab, first, run.clock))
        try:
            await scenario.story(run)
            with contextlib.suppress(TimeoutError):
                await eventually(partial(_is, run, wanted), seconds=SECONDS)
        finally:
            heir.cancel()
            await asyncio.gather(heir, return_exceptions=True)
        return await asyncio.to_thread(_state, run)
    finally:
        await lab.close()


def _furnish(run: Run, scenario: Scenario) -> None:
    lab = run.lab
    lab.buckets_notify()
    if "told" in scenario.queues:
        _, run.told = lab.bus_that_tells()
    if "dead" in scenario.queues:
        run.dead = lab.dead_letters(receives=3)


async def _followed(lab: TriggerLab, first: Operator, clock: Clock) -> None:
    """Another operator begins when the first has died."""
    await first.life.crashed.wait()
    await first.stop()
    lab.operator(clock=clock)


def _state(run: Run) -> dict[str, Any]:
    """The end state, without what differs from run to run."""
    lab = run.lab
    ends = set()
    if run.told:
        answer = lab.sqs.receive_message(QueueUrl=run.told, MaxNumberOfMessages=10, VisibilityTimeout=0)
        ends = {json.loads(message["Body"])["detail"]["uid"] for message in answer.get("Messages", ())}
    numbers = {uid: number for number, uid in enumerate(run.made)}
    return {
        "made": len(run.made),
        "made twice": Counter(
            count for count in Counter(obj["metadata"]["name"] for obj in run.made.values()).values()
        )
        - Counter({1: len(run.made)}),
        "gone": sorted(numbers[uid] for uid in run.gone),
        "told": sorted(numbers[uid] for uid in ends),
        "left": lab.waiting(),
        "dead": lab.waiting(run.dead) if run.dead else 0,
        "status": _status(run),
    }


async def _is(run: Run, wanted: Any) -> bool:
    return wanted in (None, await asyncio.to_thread(_state, run))


def _status(run: Run) -> Any:
    status = run.lab.status()
    times = [name for name in ("lastScheduleTime", "lastEventTime", "lastSuccessfulTime") if name in status]
    conditions = {entry["type"]: (entry["status"], entry["reason"]) for entry in status["conditions"]}
    return status.get("activeCount"), times, conditions
