"""The objects of one namespace as the API server tells of them.

Invariant: waiting is for an event, never for a time; what a condition is asked about is the newest that a
watch has told.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Self

from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.resources import ResourceType
from pierhead.kube.watch import Watch
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.sandbox import Sandbox

USER_AGENT = "pierhead-demo"


class Late(SandboxError):
    """What was waited for did not come."""


class Observed:
    """An administrator's watches of some resources in one namespace, or in all."""

    def __init__(
        self, sandbox: Sandbox, resources: Iterable[ResourceType], *, namespace: str | None = None
    ) -> None:
        self._credentials = Credentials(
            server=sandbox.server,
            ca_file=sandbox.ca_file,
            client_cert_file=sandbox.client_cert,
            client_key_file=sandbox.client_key,
        )
        self._resources = tuple(resources)
        self._namespace = namespace
        self._watches: dict[ResourceType, Watch] = {}
        self._stack = contextlib.AsyncExitStack()
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> None:
        """Has the listener called after every change."""
        self._listeners.append(listener)

    def find(self, resource: ResourceType, name: str, namespace: str | None = None) -> Object | None:
        """The object, if it exists."""
        key = ObjectKey(namespace or self._namespace or "", name)
        return self._watches[resource].objects.get(key)

    def every(self, resource: ResourceType) -> list[Object]:
        """All objects of the resource."""
        return list(self._watches[resource].objects.values())

    async def until(self, condition: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Returns when the condition holds, asked after every change. Raises Late."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise Late(f"{what}: not after {seconds:g} s") from None

    async def __aenter__(self) -> Self:
        client = await Client.connect(self._credentials, user_agent=USER_AGENT)
        self._stack.push_async_callback(client.close)
        for resource in self._resources:
            watch = Watch(client, resource, self._told, namespace=self._namespace, keep=lambda obj: obj)
            self._watches[resource] = watch
            self._stack.push_async_callback(_cancel, asyncio.create_task(watch.run()))
        for watch in self._watches.values():
            await watch.ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _told(self, _event: str, _obj: Object) -> None:
        self._changed.set()
        for listener in self._listeners:
            listener()


def condition(obj: Object | None, kind: str) -> Object:
    """One of the object's conditions; empty where there is none, or it is about an older generation."""
    if obj is None:
        return {}
    generation = obj["metadata"].get("generation")
    for entry in (obj.get("status") or {}).get("conditions") or ():
        if entry.get("type") == kind and entry.get("observedGeneration", generation) == generation:
            return dict(entry)
    return {}


def is_true(obj: Object | None, kind: str) -> bool:
    """Whether the condition is True for the object's present generation."""
    return condition(obj, kind).get("status") == "True"


def rolled_out(deployment: Object | None) -> bool:
    """Whether every replica runs the present template, and no other is left."""
    if deployment is None:
        return False
    status: dict[str, Any] = deployment.get("status") or {}
    wanted = deployment["spec"].get("replicas", 1)
    return bool(
        status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
        and status.get("replicas", 0)
        == status.get("updatedReplicas", 0)
        == status.get("availableReplicas", 0)
        == wanted
    )


async def _cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task
