"""SyncedSecrets in one namespace of the sandbox, the secrets they name, and operators to reconcile them.

Everything runs in the test's process, on its event loop; the API server and AWS are asked over HTTP.
"""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3

from pierhead.aws.policy import Policy
from pierhead.aws.session import AwsSessions
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.engine.resource import ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.resources import DEPLOYMENTS, EVENTS, SECRETS, SYNCED_SECRETS, ResourceType
from pierhead.kube.tokens import service_account_token
from pierhead.kube.transport import Answer, Call, Transport
from pierhead.secrets.reconcile import SyncedSecretReconciler
from pierhead.settings import Settings
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.canary import marked, unmarked
from support.objects import credentials_of
from support.seen import Controlled, Seen

REGION = "us-east-1"
Object = dict[str, Any]


class Crash(BaseException):
    """The process died here."""


@dataclass
class Operator:
    """One operator's controller of SyncedSecrets, running."""

    client: Client
    controlled: Controlled
    sessions: AwsSessions
    metrics: Metrics
    events: "RecordedEvents"
    user_agent: str
    writes: list[Call]
    crash_at: tuple[int, str] | None = None
    """Which write is the last, counted from 0, and whether it dies `before` or `after` it."""
    crashed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def controller(self) -> Controller:
        return self.controlled.controller

    async def stop(self) -> None:
        await self.controlled.stop()
        await self.sessions.close()
        await self.client.close()

    async def on_write(self, call: Call, phase: str) -> None:
        """Counts the writes, and dies where it has to."""
        if self.crashed.is_set():
            raise Crash
        if phase == "before":
            self.writes.append(call)
        if self.crash_at == (len(self.writes) - 1, phase):
            self.crashed.set()
            raise Crash


class Lab:
    """What a test acts on and looks at."""

    def __init__(self, sandbox: Sandbox, kube: Client, namespace: str, aws: AwsControl) -> None:
        self.sandbox = sandbox
        self.kube = kube
        self.namespace = namespace
        self.aws = aws
        self.boto = boto3.client("secretsmanager", region_name=REGION)
        self.ssm = boto3.client("ssm", region_name=REGION)
        self.operators: list[Operator] = []
        self._seen = Seen()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Lab"]:
        async with self._seen.watching(self.kube, self.namespace, SYNCED_SECRETS, SECRETS, DEPLOYMENTS):
            try:
                yield self
            finally:
                for operator in self.operators:
                    await operator.stop()

    async def operator(self, *, crash_at: tuple[int, str] | None = None, **settings: Any) -> Operator:
        """A running operator."""
        given = {
            "watch_namespaces": (self.namespace,),
            "secret_poll_seconds": 600,
            "aws_region": REGION,
            "restart_window_seconds": 0,
            **settings,
        }
        chosen = Settings(**given)
        agent = f"operator-{self.namespace}-{len(self.operators)}"
        transport = ObservedTransport(
            credentials_of(self.sandbox), connections=16, streams=8, user_agent=agent
        )
        client = Client(transport)
        metrics = Metrics("test")
        sessions = AwsSessions(
            chosen, count=metrics.observe_aws_call, tokens=partial(service_account_token, client)
        )
        reconciler = SyncedSecretReconciler(
            client=client,
            sessions=sessions,
            policy=Policy(chosen.aws_policy, region=chosen.aws_region),
            settings=chosen,
            metrics=metrics,
        )
        events = RecordedEvents()
        controlled = Controlled(
            reconciler, client, SYNCED_SECRETS, self.namespace, events=events, metrics=metrics, workers=8
        )
        operator = Operator(client, controlled, sessions, metrics, events, agent, [], crash_at)
        transport.on_write = operator.on_write
        self.operators.append(operator)
        return operator

    def sinks(self) -> Iterator[tuple[str, str]]:
        """Where a value must not be, beside logs and the audit log: name and text."""
        for operator in self.operators:
            yield "Events", repr(operator.events.told)
            yield "metrics", operator.metrics.exposition().decode()
        for resource in (SYNCED_SECRETS, SECRETS, DEPLOYMENTS, EVENTS):
            for obj in self.sandbox.api.json("GET", resource.path(self.namespace))["items"]:
                if resource is SECRETS:
                    obj.pop("data", None)
                yield f"{resource.kind} {obj['metadata']['name']}", json.dumps(obj)

    def keys_seen(self) -> set[str]:
        """Keys of the Secrets that are there now."""
        return {key for obj in self._seen.of(SECRETS) for key in obj.get("data") or {}}

    # What a person does.

    def secret(self, name: str, value: str | bytes, *, mark: bool = True) -> str:
        """Puts a value into Secrets Manager, new or rotated; returns the version id.

        It gets a mark to be traced by, which `values` and `holds` take off again; bytes stay as they are, and
        without `mark` what each character of matters.
        """
        if mark:
            value = marked(value)
        kind = "SecretString" if isinstance(value, str) else "SecretBinary"
        secret_id = self.aws_name(name)
        try:
            return str(self.boto.put_secret_value(SecretId=secret_id, **{kind: value})["VersionId"])
        except self.boto.exceptions.ResourceNotFoundException:
            return str(self.boto.create_secret(Name=secret_id, **{kind: value})["VersionId"])

    def parameter(self, name: str, value: str, kind: str = "String") -> int:
        """Puts a value into Parameter Store below the namespace's path; returns its version."""
        put = self.ssm.put_parameter(
            Name=self.parameter_name(name),
            Value=value,
            Type=kind,  # type: ignore[arg-type]
            Overwrite=True,
        )
        return int(put["Version"])

    def parameter_name(self, name: str) -> str:
        return f"/{self.namespace}/{name}"

    def aws_name(self, name: str) -> str:
        return f"{self.namespace}/{name}"

    def data(self, *keys: tuple[str, ...], optional: bool = False) -> list[Object]:
        """Entries of `spec.data`: (key, secret) or (key, secret, property)."""
        return [
            {
                "key": key,
                "from": {
                    "secret": self.aws_name(secret),
                    **({"property": rest[0]} if rest else {}),
                },
                **({"optional": True} if optional else {}),
            }
            for key, secret, *rest in keys
        ]

    async def synced_secret(
        self, name: str, /, *, annotations: dict[str, str] | None = None, **spec: Any
    ) -> Object:
        """Creates or changes a SyncedSecret."""
        obj = {
            "apiVersion": SYNCED_SECRETS.api_version,
            "kind": SYNCED_SECRETS.kind,
            "metadata": {"name": name, "namespace": self.namespace, "annotations": annotations or {}},
            "spec": spec,
        }
        return await self.kube.apply(SYNCED_SECRETS, obj, field_manager="person")

    async def deployment(self, name: str, **spec: Any) -> Object:
        """A Deployment of no pods."""
        obj = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": "example.com/main"}]},
                },
                **spec,
            },
        }
        return await self.kube.apply(DEPLOYMENTS, obj, field_manager="person")

    # What a person sees.

    async def until(
        self, resource: ResourceType, name: str, condition: Callable[[Object | None], Any], within: float = 45
    ) -> Any:
        """The condition's first true answer; it is given the object, None while there is none."""
        try:
            return await self._seen.until(lambda: condition(self.now(resource, name)), within)
        except TimeoutError:
            seen = self.now(resource, name)
            raise AssertionError(f"{resource.kind} {name} after {within} s: {seen}") from None

    async def ready(
        self, name: str, status: str = "True", *, reason: str | None = None, within: float = 45
    ) -> Object:
        """The SyncedSecret once its condition Ready says so of its newest generation."""

        def holds(obj: Object | None) -> Object | None:
            found = condition(obj, "Ready") if obj else None
            if (
                obj is None
                or found is None
                or found["status"] != status
                or reason not in {None, found["reason"]}
            ):
                return None
            return obj if obj["status"]["observedGeneration"] == obj["metadata"]["generation"] else None

        found: Object = await self.until(SYNCED_SECRETS, name, holds, within)
        return found

    async def holds(self, name: str, within: float = 45, **data: str | bytes) -> Object:
        """The Secret once it has exactly these values."""
        wanted = {
            key: unmarked(value.encode() if isinstance(value, str) else value) for key, value in data.items()
        }
        found: Object = await self.until(
            SECRETS, name, lambda obj: obj if obj and values(obj) == wanted else None, within
        )
        return found

    def now(self, resource: ResourceType, name: str) -> Object | None:
        """What was last seen of an object."""
        return self._seen.get(resource, name)

    def reads(self) -> dict[str, int]:
        """Calls to Secrets Manager that read."""
        return {
            operation: count
            for operation in ("GetSecretValue", "BatchGetSecretValue", "DescribeSecret")
            if (count := self.aws.count("secretsmanager", operation))
        }

    async def polled(self, times: int, within: float = 45) -> None:
        """Returns once Secrets Manager was asked so many times more."""
        before, deadline = sum(self.reads().values()), time.monotonic() + within
        while sum(self.reads().values()) < before + times:
            assert time.monotonic() < deadline, f"not {times} reads within {within} s"
            await asyncio.sleep(0.05)

    def writes(self, operator: Operator) -> list[str]:
        """What an operator wrote, as `METHOD resource[/subresource]`."""
        return [shown(call) for call in operator.writes]


class ObservedTransport(Transport):
    """A transport whose writes a test sees, and stops."""

    on_write: Callable[[Call, str], Any]

    async def send(self, call: Call) -> Answer:
        writes = call.method != "GET"
        if writes:
            await self.on_write(call, "before")
        answer = await super().send(call)
        if writes:
            await self.on_write(call, "after")
        return answer


class RecordedEvents:
    """An EventSink that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []
        self._changed = asyncio.Condition()

    async def emit(self, _obj: Object, event_type: str, reason: str, message: str) -> None:
        async with self._changed:
            self.told.append((event_type, reason, message))
            self._changed.notify_all()

    async def first(self, count: int, *, within: float = 10) -> list[tuple[str, str]]:
        """Type and reason of all Events, once there are so many: they follow the status."""
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(lambda: len(self.told) >= count)
        return [event[:2] for event in self.told]


def values(secret: Object) -> dict[str, bytes]:
    """What a Secret holds, without the mark of `Lab.secret`."""
    return {key: unmarked(base64.b64decode(value)) for key, value in (secret.get("data") or {}).items()}


def condition(obj: Object, condition_type: str) -> Object | None:
    conditions = obj.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == condition_type), None)


def key_of(obj: Object) -> ObjectKey:
    return ObjectKey.of(obj)


def shown(call: Call) -> str:
    parts = call.path.split("/")
    place = parts[parts.index("namespaces") + 2 :]
    return " ".join([call.method, "/".join([place[0], *place[2:]])])
