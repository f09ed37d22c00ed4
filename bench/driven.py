"""SyncedSecrets in this process, on a clock that is driven: hours pass in seconds.

Invariant: the API server is a real one; whatever of pierhead waits for time waits for the driven clock,
which is moved on by a second whenever nothing is left to do. AWS is `CountedAws`, in this process, and its
calls are counted by the second of that clock. Nothing here is measured in real time.
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bench.cold_secrets import synced_secret
from bench.lab import NAMESPACE, Lab, connect, laboratory
from bench.report import Result
from bench.usage import usage_of
from pierhead import logs
from pierhead.aws.errors import Unavailable, from_code
from pierhead.aws.policy import Policy
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from pierhead.kube.store import KindStore
from pierhead.kube.watch import Watch
from pierhead.model import FINALIZER
from pierhead.secrets.reconcile import SyncedSecretReconciler
from pierhead.settings import Settings
from pierhead_sandbox.demo.observed import condition

_NEVER_SECONDS = 1e9
"""Timeouts of requests run on the driven clock, on which no answer comes in time."""
_ANSWER_SECONDS = 0.02
_QUIET_ROUNDS = 5


class DrivenLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved on."""

    _ahead = 0.0

    def time(self) -> float:
        """Seconds, never going back."""
        return super().time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Lets so much time have passed."""
        self._ahead += seconds


class CountedAws:
    """A Secrets Manager that has every secret that is asked for, but those in `missing`."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.calls: Counter[int] = Counter()
        """Calls by second."""
        self.reads: Counter[str] = Counter()
        """How often each secret was read."""
        self.missing: set[str] = set()
        self.away = False
        self.under_way = 0
        self._clock = clock

    def client(self, _service: str, **_where: Any) -> "CountedAws":
        """As `AwsSessions.client`."""
        return self

    async def call(self, operation: str, /, **request: Any) -> dict[str, Any]:
        """As `AwsClient.call`."""
        self.calls[int(self._clock())] += 1
        self.under_way += 1
        try:
            await asyncio.sleep(_ANSWER_SECONDS)
        finally:
            self.under_way -= 1
        if self.away:
            raise Unavailable(f"{operation}: AWS cannot be reached (EndpointConnectionError)")
        ids = request.get("SecretIdList") or [request["SecretId"]]
        self.reads.update(ids)
        lacking = [name for name in ids if name in self.missing]
        code = "ResourceNotFoundException"
        if operation == "batch_get_secret_value":
            errors = [{"SecretId": name, "ErrorCode": code, "Message": "not there"} for name in lacking]
            return {
                "SecretValues": [_value(name) for name in ids if name not in self.missing],
                "Errors": errors,
            }
        if lacking:
            raise from_code(code, "not there", operation="GetSecretValue")
        return _value(ids[0])


def _value(name: str) -> dict[str, Any]:
    text = json.dumps({"username": f"user of {name}", "password": f"password of {name}"})
    arn = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{name}-AbCdEf"
    return {"ARN": arn, "Name": name, "VersionId": f"{name:0>32}"[-64:], "SecretString": text}


class Stage:
    """Where one driven benchmark runs."""

    def __init__(
        self,
        lab: Lab,
        controller: Controller,
        aws: CountedAws,
        loop: DrivenLoop,
        requests: Counter[str],
    ) -> None:
        self.lab = lab
        self._requests = requests
        self.aws = aws
        self._controller = controller
        self._loop = loop
        self._ready: set[str] = set()
        self._began = self._loop.time()
        self._before = usage_of(os.getpid())

    def seconds(self) -> float:
        """Of the driven clock, since the beginning."""
        return self._loop.time() - self._began

    async def ready(self, n: int, *, within: float = 3600) -> float:
        """Drives until so many are Ready; the seconds it took. Raises TimeoutError."""
        began = self.seconds()
        while len(self._ready) < n:
            if self.seconds() - began > within:
                raise TimeoutError(f"{len(self._ready)} of {n} are Ready after {within} s")
            await self.drive(1)
        return self.seconds() - began

    async def drive(self, seconds: float) -> None:
        """Lets time pass, second by second, each after all that the one before it brought is done."""
        end = self._loop.time() + seconds
        while self._loop.time() < end:
            await self._rest()
            self._loop.advance(min(1.0, max(0.0, end - self._loop.time())))
        await self._rest()

    async def secrets(self) -> dict[str, str]:
        """The resourceVersion of every Secret."""
        found: dict[str, str] = {}
        async for page in self.lab.client.pages(SECRETS, NAMESPACE, metadata_only=True):
            found |= {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in page.items}
        return found

    def writes(self) -> int:
        """Requests of the controller that change something, until now."""
        return self._requests.total() - self._requests["GET"]

    def observe(self, event_type: str | None, obj: Object) -> None:
        """Takes a watch event."""
        name, ready = obj["metadata"]["name"], condition(obj, "Ready")
        if event_type != "DELETED" and ready.get("status") == "True":
            self._ready.add(name)
        else:
            self._ready.discard(name)
        self._controller.observe(event_type, obj)

    def result(self, benchmark: str, n: int, *, writes: int, calls: int, figures: dict[str, Any]) -> Result:
        """What it came to, of `writes` and `calls`."""
        usage = usage_of(os.getpid())
        return Result(
            benchmark=benchmark,
            n=n,
            seconds=self.seconds(),
            limit_seconds=None,
            api_requests_per_object=writes / n,
            aws_calls_per_object=calls / n,
            cpu_seconds=usage.process.cpu_seconds - self._before.process.cpu_seconds,
            peak_rss_mib=usage.process.peak_rss_mib,
            extra={**figures, "clock": "driven", "api_requests": "writes only", "process": "the benchmark's"},
        )

    async def _rest(self) -> None:
        """Returns when nothing is left to do at this moment."""
        quiet = 0
        while quiet < _QUIET_ROUNDS:
            await asyncio.sleep(0)
            if self._controller.idle and not self.aws.under_way:
                quiet += 1
            else:
                quiet = 0
                await asyncio.sleep(0.001)


class _Observer:
    """Counts requests by method."""

    def __init__(self, requests: Counter[str]) -> None:
        self._requests = requests

    def observe_request(self, *, method: str, **_: object) -> None:
        self._requests[method] += 1


class _NoEvents:
    async def emit(self, *_event: Any) -> None:
        return


@asynccontextmanager
async def stage(objects: list[Object], *, poll_seconds: float = 3600) -> AsyncIterator[Stage]:
    """The objects, and a controller that has just been started on them. Needs a DrivenLoop."""
    logs.configure("ERROR", "text")
    loop = asyncio.get_running_loop()
    assert isinstance(loop, DrivenLoop)
    settings = Settings(secret_poll_seconds=poll_seconds, watch_namespaces=(NAMESPACE,))
    async with laboratory() as lab:
        await lab.apply_all((SYNCED_SECRETS, obj) for obj in objects)
        requests: Counter[str] = Counter()
        client = await connect(
            lab.sandbox, "pierhead-driven", metrics=_Observer(requests), read_timeout=_NEVER_SECONDS
        )
        aws, metrics = CountedAws(loop.time), Metrics("bench")
        reconciler = SyncedSecretReconciler(
            client=client,
            sessions=aws,  # type: ignore[arg-type]
            policy=Policy((), region=settings.aws_region),
            settings=settings,
            metrics=metrics,
            clock=loop.time,
        )
        controller = _controller(reconciler, client, settings, metrics, loop)
        opened = Stage(lab, controller, aws, loop, requests)
        watch = Watch(client, SYNCED_SECRETS, opened.observe, namespace=NAMESPACE)
        tasks = [asyncio.create_task(controller.run()), asyncio.create_task(watch.run())]
        try:
            yield opened
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await client.close()


def _controller(
    reconciler: SyncedSecretReconciler,
    client: Client,
    settings: Settings,
    metrics: Metrics,
    loop: DrivenLoop,
) -> Controller:
    return Controller(
        reconciler,
        KindStore(client, SYNCED_SECRETS, [NAMESPACE]),
        workers=settings.workers,
        resync_seconds=settings.resync_seconds,
        finalizer=FINALIZER,
        events=_NoEvents(),
        metrics=metrics,
        clock=loop.time,
    )


def named(index: int, secret: int) -> Object:
    """A SyncedSecret of two keys of a secret that others may name too."""
    obj = synced_secret(secret)
    obj["metadata"]["name"] = f"secret-{index:05}"
    return obj
