"""The two doors of an operator: to AWS and to the API server, where faults come in.

Invariant: a dead operator gets nothing through either; a fault is what boto3 or the transport would have
raised, and whether the call was carried out all the same is decided apart from it. After `calm` nothing
fails.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Protocol

from pierhead.aws.errors import Ambiguous, AwsError, Unavailable, from_code
from pierhead.aws.session import OPERATOR, AwsIdentity
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.errors import Unreachable
from pierhead.kube.resources import BATCH_JOBS
from pierhead.kube.transport import Answer, Call
from support.batch_faults.batch import Batch
from support.batch_faults.scenario import Scenario

_ACCEPTED_LATE_SECONDS = 15.0
_STORM = 0.9

Trace = Callable[[str], None]


class Crash(BaseException):
    """The process died here."""


class Wire(Protocol):
    """What carries requests to an API server."""

    async def send(self, call: Call) -> Answer:
        """As `Transport.send`."""
        ...


class Life:
    """Whether an operator's process lives."""

    def __init__(self, calls: int | None, trace: Trace) -> None:
        self.ended = asyncio.Event()
        self._calls_left = calls
        self._trace = trace

    def step(self, what: str) -> None:
        """Before or after a call. Raises Crash when the process is dead, or dies of it."""
        if not self.ended.is_set() and self._calls_left is not None:
            self._calls_left -= 1
            if self._calls_left <= 0:
                self.die(what)
        if self.ended.is_set():
            raise Crash

    def die(self, where: str) -> None:
        """The end."""
        self._trace(f"the operator dies {where}")
        self.ended.set()


class Feed:
    """Every version of every BatchJob that an answer of the API server showed, in order."""

    def __init__(self) -> None:
        self.history: list[tuple[float, str, Object]] = []
        self.last: dict[ObjectKey, Object] = {}
        self.listeners: list[Callable[[str, Object], None]] = []

    def took(self, call: Call, answer: Answer) -> None:
        """An answer to a write."""
        if f"/{BATCH_JOBS.plural}" not in call.path or call.method == "GET":
            return
        value = answer.value
        if value["kind"] == "Status":
            namespace, _, name = call.path.partition("/namespaces/")[2].split("/")
            self._tell("DELETED", self.last.pop(ObjectKey(namespace, name)))
            return
        key = ObjectKey.of(value)
        before = self.last.get(key)
        if "deletionTimestamp" in value["metadata"] and not value["metadata"].get("finalizers"):
            # The answer to what removed the last finalizer has the version from before.
            del self.last[key]
            self._tell("DELETED", value)
        elif before is None or _version(before) < _version(value):
            self.last[key] = value
            self._tell("MODIFIED" if before else "ADDED", value)

    def _tell(self, event_type: str, obj: Object) -> None:
        self.history.append((asyncio.get_running_loop().time(), event_type, obj))
        for listener in list(self.listeners):
            listener(event_type, obj)


class ApiDoor:
    """A `Transport` for `pierhead.kube.client.Client`; `life` None is the user's, to whom nothing happens."""

    def __init__(self, wire: Wire, feed: Feed, scenario: Scenario, trace: Trace) -> None:
        self.life: Life | None = None
        self.meddle: Callable[[Call], Any] | None = None
        """Writes the object that the operator is about to write."""
        self._wire = wire
        self._feed = feed
        self._weather = scenario.weather
        self._calm = scenario.calm
        self._chance = Random(f"api {scenario.seed}")
        self._trace = trace

    async def send(self, call: Call) -> Answer:
        """As `Transport.send`."""
        if self.life is None:
            return await self._carried(call)
        what = f"{call.method} {call.path.partition('/namespaces/')[2]}"
        writes = call.method != "GET"
        bad = not self.life.ended.is_set() and asyncio.get_running_loop().time() < self._calm
        lot = self._chance.random() if bad else 1.0
        if self._weather.slow and bad:
            await asyncio.sleep(self._chance.choice((0.0, 0.01, 0.5)))
        if writes:
            self.life.step(f"before {what}")
            if bad and self.meddle is not None and self._chance.random() < self._weather.meddling:
                await self.meddle(call)
        if lot < self._weather.api_lost / 2:
            self._trace(f"{what} does not arrive")
            raise Unreachable(f"{call.request}: cut off")
        answer = await self._carried(call)
        if writes:
            self._trace(f"{what} {_told(call)}")
            self.life.step(f"after {what}")
        if lot < self._weather.api_lost:
            self._trace(f"{what} has no answer")
            raise Unreachable(f"{call.request}: cut off")
        return answer

    async def _carried(self, call: Call) -> Answer:
        answer = await self._wire.send(call)
        self._feed.took(call, answer)
        return answer

    @asynccontextmanager
    async def stream(self, call: Call, *, silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """A watch of BatchJobs: what the feed has from now on."""
        told: asyncio.Queue[bytes] = asyncio.Queue()

        def listen(event_type: str, obj: Object) -> None:
            metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
            event = {"type": event_type, "object": {**obj, "metadata": metadata}}
            told.put_nowait(json.dumps(event).encode() + b"\n")

        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield await told.get()

        self._feed.listeners.append(listen)
        try:
            yield chunks()
        finally:
            self._feed.listeners.remove(listen)

    async def close(self) -> None:
        """Nothing is open."""


class AwsDoor:
    """An `AwsSessions` of one life."""

    def __init__(self, batch: Batch, life: Life, scenario: Scenario, chance: Random, trace: Trace) -> None:
        self._batch = batch
        self._life = life
        self._weather = scenario.weather
        self._calm = scenario.calm
        self._chance = chance
        self._trace = trace

    def client(
        self,
        service: str,
        *,
        region: str | None = None,
        identity: AwsIdentity = OPERATOR,
        retries: bool = True,
    ) -> "_Client":
        """As `AwsSessions.client`."""
        return _Client(self, service)

    async def call(self, service: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """One call."""
        self._life.step(f"before {operation}")
        now = asyncio.get_running_loop().time()
        bad, lot = now < self._calm, self._chance.random()
        if self._weather.slow and bad:
            await asyncio.sleep(self._chance.choice((0.0, 0.02, 0.4, 3.0)))
        if bad:
            await self._maybe_refuse(operation, now, lot)
        if service == "sqs":
            assert self._batch.events is not None
            answer = await self._batch.events.call(operation, parameters, self._batch)
            self._life.step(f"after {operation}")
            return answer
        if bad and self._chance.random() < self._weather.lost:
            await self._lose(operation, parameters)
        answer = self._carried(operation, parameters)
        self._life.step(f"after {operation}")
        return answer

    async def _maybe_refuse(self, operation: str, now: float, lot: float) -> None:
        storm = any(begins <= now < ends for begins, ends in self._weather.storms)
        if lot < self._weather.throttled or (storm and lot < _STORM):
            self._trace(f"{operation} is throttled")
            raise from_code("TooManyRequestsException", "Rate exceeded", operation=operation, http_status=429)
        if self._chance.random() < self._weather.refused:
            self._trace(f"{operation} fails")
            if self._chance.random() < 0.5:
                raise Unavailable(f"{operation}: AWS cannot be reached")
            raise Ambiguous(f"{operation}: 500")

    async def _lose(self, operation: str, parameters: dict[str, Any]) -> None:
        """The call is carried out, perhaps when nobody waits any more, and its answer is lost."""
        how = self._chance.choice(("500", "timeout", "late"))
        self._trace(f"{operation} {parameters.get('jobName', '')} is accepted, answer: {how}")
        loop = asyncio.get_running_loop()
        if how == "late":
            loop.call_later(
                self._chance.uniform(0, _ACCEPTED_LATE_SECONDS), self._carried_late, operation, parameters
            )
        else:
            self._carried(operation, parameters)
        if how != "500":
            await asyncio.sleep(self._chance.uniform(0, 10))
        self._life.step(f"after {operation}")
        raise Ambiguous(f"{operation}: no valid answer from AWS ({how})")

    def _carried_late(self, operation: str, parameters: dict[str, Any]) -> None:
        with contextlib.suppress(AwsError):
            self._carried(operation, parameters)

    def _carried(self, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        answer = self._batch.call(operation, parameters)
        if operation in {"submit_job", "terminate_job"}:
            job = self._batch.jobs.get(parameters.get("jobId", ""))
            self._trace(f"{operation} {job.name if job else parameters.get('jobName')}")
        return answer

    async def close(self) -> None:
        """Nothing is open."""


class _Client:
    """As `AwsClient`."""

    def __init__(self, door: AwsDoor, service: str) -> None:
        self._door = door
        self._service = service

    async def call(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """As `AwsClient.call`."""
        return await self._door.call(self._service, operation, parameters)


def _told(call: Call) -> str:
    """What a write says, shortly."""
    if not call.path.endswith("/status"):
        return ""
    status = json.loads(call.body or b"[]")[-1]["value"]
    shards = [
        f"r{shard['round']}-s{shard['shard']}={shard['state']}/{shard['tries']}"
        for shard in status.get("shards") or ()
    ]
    types = [entry["type"] for entry in status.get("conditions") or () if entry["status"] == "True"]
    return f"{status.get('progress')} failed={status.get('failed')} {' '.join(shards[-6:])} {','.join(types)}"


def _version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
