"""The Batch stand-in in this process, on the running loop's clock, with its own record of what ran.

Invariant: before anything is asked of it, it has lived through every moment until now, each thing in its
order; `jobs` keeps every job that was ever accepted, also those that Batch itself has forgotten. Nothing here
is a thread, and nothing waits for real time.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

from pierhead.aws.errors import from_code
from pierhead_sandbox.aws.answer import error_code
from pierhead_sandbox.aws.batch.api import BatchApi
from pierhead_sandbox.aws.batch.clock import Clock
from pierhead_sandbox.aws.batch.describe import detail
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.registry import register_definition, sandbox_queue
from pierhead_sandbox.aws.batch.settings import BatchSettings, Script
from pierhead_sandbox.aws.batch.world import World
from pierhead_sandbox.aws.operations import Call
from support.batch_faults.scenario import Scenario, Telling

REGION = "us-east-1"
ACCOUNT = "123456789012"
_TOLD_CHILDREN = 2
_Event = tuple[float, int, dict[str, Any]]
"""When it can be received, its number, and its body."""

_WAIT_SECONDS = 120.0
"""Longer than SQS waits: an empty answer more often shows nothing new."""


class Batch:
    """One Batch with one queue and one job definition."""

    def __init__(self, scenario: Scenario, queue: str, definition: str, *, start: float) -> None:
        self.events = (
            Events(scenario.telling, Random(f"events {scenario.seed}")) if scenario.telling else None
        )
        self.world = World(_Emit(self), _NoProcesses(), clock=Clock(lambda: start))
        self.world.freeze()
        self.world.settings = BatchSettings(**scenario.pace)
        for script in scenario.scripts:
            self.world.add_script(Script(**script))
        self.jobs: dict[str, Job] = {}
        self.calls: Counter[str] = Counter()
        self._region = self.world.region(ACCOUNT, REGION)
        self._api = BatchApi(self.world, lambda _key: ACCOUNT)
        self._start = start
        sandbox_queue(self._region, queue)
        request = {"jobDefinitionName": definition, "type": "container"}
        register_definition(
            self._region, {**request, "containerProperties": {"image": "x", "vcpus": 1, "memory": 9}}, 0
        )

    def catch_up(self) -> None:
        """Lives through everything until now."""
        self.world.advance(self._start + asyncio.get_running_loop().time() - self.world.now())

    def now(self) -> float:
        """The loop's time of the last thing that happened."""
        return self.world.now() - self._start

    def next_moment(self) -> float:
        """The loop's time of the next thing to happen."""
        moment = self.world.next_moment()
        return float("inf") if moment is None else moment - self._start

    def call(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """What boto3 would answer to an operation by its name. Raises the classes of `aws.errors`."""
        name = "".join(word.capitalize() for word in operation.split("_"))
        self.calls[name] += 1
        self.catch_up()
        body = json.dumps(parameters).encode()
        call = Call("batch", name, REGION, "key", "rest-json")
        answer = self._api(call, {"PATH_INFO": "/v1/", "REQUEST_METHOD": "POST"}, body)
        content: dict[str, Any] = json.loads(answer.body)
        if answer.status >= 400:
            raise from_code(error_code(answer), content["message"], operation=name, http_status=answer.status)
        if operation == "submit_job":
            self.jobs[content["jobId"]] = self._region.jobs[content["jobId"]]
        return content


class Events:
    """The SQS queue that Batch's events come to: some never, some twice, in any order, late."""

    def __init__(self, telling: Telling, chance: Random) -> None:
        self._telling = telling
        self._chance = chance
        self._sent = 0
        self._coming: list[_Event] = []
        self._hidden: dict[str, _Event] = {}

    def put(self, body: dict[str, Any], at: float) -> None:
        """Sends one event on its way."""
        if self._chance.random() < self._telling.lost:
            return
        copies = 2 if self._chance.random() < self._telling.doubled else 1
        for _ in range(copies):
            self._sent += 1
            event = (at + self._chance.uniform(0, self._telling.late), self._sent, body)
            self._coming.append(event)

    async def call(self, operation: str, parameters: dict[str, Any], batch: Batch) -> dict[str, Any]:
        """As SQS."""
        loop = asyncio.get_running_loop()
        if operation == "delete_message_batch":
            for entry in parameters["Entries"]:
                self._hidden.pop(entry["ReceiptHandle"], None)
            return {}
        deadline = loop.time() + _WAIT_SECONDS
        while True:
            batch.catch_up()
            messages = list(self._due(loop.time()))
            if messages or loop.time() >= deadline:
                return {"Messages": messages}
            coming = [event[0] for event in self._coming] + [entry[0] for entry in self._hidden.values()]
            moment = min([*coming, batch.next_moment(), deadline])
            await asyncio.sleep(max(0.5, min(moment, deadline) - loop.time()))

    def _due(self, now: float) -> Iterable[dict[str, Any]]:
        for receipt, (until, number, body) in list(self._hidden.items()):
            if until <= now:
                del self._hidden[receipt]
                self._coming.append((until, number, body))
        ready = sorted((event for event in self._coming if event[0] <= now), key=lambda event: event[:2])[:10]
        for event in ready:
            self._coming.remove(event)
            _, number, body = event
            self._hidden[str(number)] = (now + 60, number, body)
            yield {"MessageId": str(number), "ReceiptHandle": str(number), "Body": json.dumps(body)}


class _Emit:
    """The world's way out."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    @property
    def wanted(self) -> bool:
        return self._batch.events is not None

    def __call__(self, job: Job, index: int | None) -> None:
        events = self._batch.events
        # Children tell of themselves by tens of thousands; that none of it matters is shown by a few.
        if events is None or (job.is_array and index is not None and index >= _TOLD_CHILDREN):
            return
        event = {
            "source": "aws.batch",
            "detail-type": "Batch Job State Change",
            "detail": detail(job, index, self._batch.world.now()),
        }
        events.put(event, self._batch.now())

    def clear(self) -> None:
        """Nothing is kept here."""


class _NoProcesses:
    """Nothing runs as a process."""

    def start(self, job: Job, index: int, attempt: int) -> None:
        raise AssertionError("a simulated child became a process")

    def stop(self, job: Job, index: int, attempt: int, grace_seconds: float) -> bool:
        return False

    def clear(self) -> None:
        """Nothing runs."""
