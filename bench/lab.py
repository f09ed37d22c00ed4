"""A sandbox of the benchmark's own, the operator in it, and the clock.

Invariant: what is counted lies between `measure`'s beginning and its end, and is counted by those whom it
concerns: requests by the operator, AWS calls by the stand-in, CPU time and memory by the kernel.
"""

import asyncio
import contextlib
import math
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.scrape import counters
from bench.usage import TreeUsage, Usage, usage_of
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.resources import ResourceType
from pierhead.kube.watch import Watch
from pierhead_sandbox.demo.observed import condition
from pierhead_sandbox.operator_process import OperatorProcess, install
from pierhead_sandbox.sandbox import Sandbox

CONNECTIONS = 32
NAMESPACE = "bench"
LIMIT_NAMESPACE = "limit"
_QUIET_REQUESTS = 40
_QUIET_LOOKS = 60
_SECONDS_FOR_EACH = 2.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What the operator took."""

    seconds: float
    api_requests: Counter[tuple[str, ...]]
    """Its own, by method."""
    all_api_requests: int
    """Of every client of the API server, the control plane and this benchmark included."""
    aws_calls: Counter[str]
    before: TreeUsage
    after: TreeUsage
    latencies: tuple[float, ...] = ()
    """Seconds of each object alone, from its sending."""

    @property
    def cpu_seconds(self) -> float:
        """Operator and renderers."""
        return self.after.cpu_seconds - self.before.cpu_seconds

    def extra(self, objects: int) -> dict[str, Any]:
        """What the table says beside the agreed figures."""
        methods = {f"{method.lower()}_requests": count for (method,), count in self.api_requests.items()}
        return {
            "objects": objects,
            "all_api_requests_per_object": round(self.all_api_requests / objects, 2),
            **methods,
            "aws_calls": dict(self.aws_calls),
            "operator_cpu_seconds": round(
                self.after.process.cpu_seconds - self.before.process.cpu_seconds, 2
            ),
            "operator_peak_rss_mib": round(self.after.process.peak_rss_mib, 1),
            "renderer_peak_rss_mib": [round(child.peak_rss_mib, 1) for child in self.after.children],
        }


class Lab:
    """Where one benchmark runs."""

    def __init__(self, sandbox: Sandbox, client: Client, operator: OperatorProcess) -> None:
        self.sandbox = sandbox
        self.client = client
        self.operator = operator

    async def apply_all(self, resource_objects: Iterable[tuple[ResourceType, Object]]) -> None:
        """Applies them server-side over CONNECTIONS connections."""
        await each(resource_objects, lambda pair: self.client.apply(*pair, field_manager="bench"))

    def counting(self) -> Callable[..., Measured]:
        """Begins to count; what is returned ends it, and is told how long it took."""
        requests, everyone, calls = self._requests(), self._everyone(), self._calls()
        before = usage_of(self.operator.pid)

        def counted(*, seconds: float, latencies: Sequence[float] = ()) -> Measured:
            return Measured(
                seconds=seconds,
                latencies=tuple(latencies),
                api_requests=self._requests() - requests,
                all_api_requests=self._everyone() - everyone,
                aws_calls=self._calls() - calls,
                before=before,
                after=usage_of(self.operator.pid),
            )

        return counted

    async def measure(
        self,
        resource: ResourceType,
        objects: list[Object],
        *,
        generation: int = 1,
        reason: str = "",
        among: Sequence[Object] = (),
        patience: float = 60.0,
    ) -> Measured:
        """Applies the custom resources and waits until each is Ready. Raises TimeoutError.

        `generation` is that of the change that is waited for. With a `reason`, what is waited for is that
        Ready has it. Those of `among` are applied between the others, evenly, and not waited for.
        `patience` are the seconds that are waited beyond those that each object has.
        """
        names = {obj["metadata"]["name"] for obj in objects}
        ready = _Ready(names, generation, reason)
        sent: dict[str, float] = {}

        async def send(obj: Object) -> None:
            sent[obj["metadata"]["name"]] = time.monotonic()
            await self.client.apply(resource, obj, field_manager="bench")

        async with following(self.client, resource, NAMESPACE, ready.told):
            counting = self.counting()
            began = time.monotonic()
            await each(mixed(objects, among), send)
            try:
                async with asyncio.timeout(patience + _SECONDS_FOR_EACH * len(objects)):
                    await ready.all.wait()
            except TimeoutError:
                say(f"{len(ready.at)} of {len(objects)} are Ready; the others say: {ready.complaints()}")
                raise
        return counting(
            seconds=max(ready.at.values()) - began,
            latencies=[ready.at[name] - moment for name, moment in sent.items() if name in names],
        )

    async def measure_start(self, resource: ResourceType, objects: list[Object]) -> Measured:
        """Applies the custom resources, then starts the operator and waits until each is Ready.

        The clock runs from the start of the process, and everything of its life is counted.
        """
        await self.apply_all((resource, obj) for obj in objects)
        await self.quiet()
        ready = _Ready({obj["metadata"]["name"] for obj in objects}, 1, "")
        async with following(self.client, resource, NAMESPACE, ready.told):
            everyone, calls = self._everyone(), self._calls()
            began = time.monotonic()
            await asyncio.to_thread(self.operator.start, wait=False)
            async with asyncio.timeout(60 + _SECONDS_FOR_EACH * len(objects)):
                await ready.all.wait()
        return Measured(
            seconds=max(ready.at.values()) - began,
            api_requests=self._requests(),
            all_api_requests=self._everyone() - everyone,
            aws_calls=self._calls() - calls,
            before=TreeUsage(Usage(0.0, 0.0), ()),
            after=usage_of(self.operator.pid),
        )

    async def quiet(self) -> None:
        """Returns when the control plane has digested what it was given."""
        before = self._everyone()
        for _ in range(_QUIET_LOOKS):
            await asyncio.sleep(1)
            now = self._everyone()
            if now - before < _QUIET_REQUESTS:
                return
            before = now

    def _requests(self) -> Counter[tuple[str, ...]]:
        return counters(self.operator.metrics(), "rest_client_requests_total", "method")

    def _everyone(self) -> int:
        return sum(self.sandbox.request_counts().values())

    def _calls(self) -> Counter[str]:
        calls = self.sandbox.aws.calls()
        return Counter({name: sum(outcomes.values()) for name, outcomes in calls.items()})


class _Ready:
    """Which objects are Ready since when, as the watch tells."""

    def __init__(self, wanted: AbstractSet[str], generation: int, reason: str) -> None:
        self.at: dict[str, float] = {}
        self.all = asyncio.Event()
        self._wanted = wanted
        self._generation = generation
        self._reason = reason
        self._said: dict[str, str] = {}

    def told(self, _event: str, obj: Object) -> None:
        name, ready = ObjectKey.of(obj).name, condition(obj, "Ready")
        if name not in self._wanted or name in self.at:
            return
        there = ready.get("reason") == self._reason if self._reason else ready.get("status") == "True"
        if there and ready.get("observedGeneration", 0) >= self._generation:
            self.at[name] = time.monotonic()
            self._said.pop(name, None)
        else:
            self._said[name] = f"{ready.get('reason', '?')}: {ready.get('message', '')}"
        if len(self.at) == len(self._wanted):
            self.all.set()

    def complaints(self) -> str:
        return "; ".join(f"{text} ({count})" for text, count in Counter(self._said.values()).most_common(5))


@asynccontextmanager
async def laboratory(settings: Mapping[str, Any] | None = None) -> AsyncIterator[Lab]:
    """A sandbox with pierhead installed; its operator is not started yet. `settings` are the operator's."""
    with await asyncio.to_thread(Sandbox.start) as sandbox:
        say("the control plane is up")
        await asyncio.to_thread(install, sandbox)
        client = await connect(sandbox, "pierhead-bench")
        for namespace in (NAMESPACE, LIMIT_NAMESPACE):
            await asyncio.to_thread(sandbox.create_namespace, namespace)
        try:
            yield Lab(sandbox, client, OperatorProcess(sandbox, settings=settings))
        finally:
            await client.close()


def mixed(objects: Sequence[Object], among: Sequence[Object]) -> list[Object]:
    """All of both, the fewer evenly between the others."""
    places = [(index / len(objects), obj) for index, obj in enumerate(objects)]
    places += [((index + 0.5) / len(among), obj) for index, obj in enumerate(among)]
    return [obj for _, obj in sorted(places, key=lambda place: place[0])]


async def connect(sandbox: Sandbox, user_agent: str, **options: Any) -> Client:
    """A client with all rights; `options` are those of `Client.connect`."""
    credentials = Credentials(
        server=sandbox.server,
        ca_file=sandbox.ca_file,
        client_cert_file=sandbox.client_cert,
        client_key_file=sandbox.client_key,
    )
    return await Client.connect(credentials, connections=CONNECTIONS, user_agent=user_agent, **options)


@asynccontextmanager
async def following(
    client: Client, resource: ResourceType, namespace: str, told: Callable[[str, Object], None]
) -> AsyncIterator[None]:
    """While it is entered, `told` hears of every object and every change of one."""
    watch = Watch(client, resource, told, namespace=namespace)
    task = asyncio.create_task(watch.run())
    try:
        await watch.ready()
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of them do not pass, to the millisecond."""
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 3)


async def each(
    items: Iterable[Any], work: Callable[[Any], Awaitable[Any]], *, at_once: int = CONNECTIONS
) -> None:
    """Does the work for each item, so many at once. Raises what the first failure raised."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


def say(text: str) -> None:
    """Tells the person who waits; not part of the result."""
    print(f"... {text}", file=sys.stderr, flush=True)
