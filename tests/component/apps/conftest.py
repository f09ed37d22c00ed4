"""A running AppRelease controller per test, in the test's namespace, acting with a tenant's rights."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pierhead.apps.assembly import app_release_reconciler
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.resources import APP_RELEASES
from pierhead.kube.store import KindStore
from pierhead.kube.watch import Watch
from pierhead.model import FINALIZER
from pierhead.render import RendererPool
from pierhead.settings import Settings
from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.sandbox import Sandbox
from support.objects import credentials_of, served
from support.releases import Releases

ROOT = Path(__file__).parents[3]


class NoEvents:
    """Events are the engine's concern and tested there."""

    async def emit(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture(scope="session")
async def app_releases_served(kube: Client, sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    await served(kube, APP_RELEASES)


@pytest.fixture(scope="session")
async def renderer(operator_binaries: Binaries) -> AsyncIterator[RendererPool]:
    async with RendererPool(
        operator_binaries.path("pierhead-renderer"), processes=2, memory_mib=256, deadline_seconds=5
    ) as pool:
        yield pool


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(artifact_directory=tmp_path / "artifacts", allow_file_sources=True, source_poll_seconds=1)


@pytest.fixture
def tenant(sandbox: Sandbox, namespace: str) -> str:
    """The namespace, whose `default` account may do there what an application needs."""
    sandbox.kubectl(
        "create",
        "rolebinding",
        "tenant",
        "-n",
        namespace,
        "--clusterrole=admin",
        f"--serviceaccount={namespace}:default",
    )
    return namespace


class Running:
    """An AppRelease controller that can be killed and started again."""

    def __init__(self, sandbox: Sandbox, namespace: str, settings: Settings, renderer: RendererPool) -> None:
        self._sandbox = sandbox
        self._namespace = namespace
        self._settings = settings
        self._renderer = renderer
        self._tasks: list[asyncio.Task[Any]] = []
        self.client: Client | None = None
        self.requests: list[str] = []

    def request_finished(self, *arguments: Any, **named: Any) -> None:
        """Counts the controller's requests; what the transport tells of each."""
        self.requests.append(" ".join(map(str, (*arguments, *named.values()))))

    async def start(self) -> "Running":
        self.client = await Client.connect(
            credentials_of(self._sandbox), user_agent=f"pierhead-{self._namespace}"
        )
        discovery = Discovery(self.client)
        reconciler = app_release_reconciler(
            client=self.client, discovery=discovery, renderer=self._renderer, settings=self._settings
        )
        controller = Controller(
            reconciler,
            KindStore(self.client, APP_RELEASES, (self._namespace,)),
            workers=8,
            resync_seconds=600,
            finalizer=FINALIZER,
            events=NoEvents(),
            metrics=Metrics("test"),
        )
        watch = Watch(self.client, APP_RELEASES, controller.observe, namespace=self._namespace)
        self._tasks = [asyncio.create_task(work) for work in (discovery.run(), watch.run(), controller.run())]
        return self

    async def stop(self) -> None:
        """Stops at once, as a crash would: nothing is written any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.client is not None:
            await self.client.close()


@pytest.fixture
async def controller(
    sandbox: Sandbox, tenant: str, settings: Settings, renderer: RendererPool, app_releases_served: None
) -> AsyncIterator[Running]:
    running = await Running(sandbox, tenant, settings, renderer).start()
    yield running
    await running.stop()


@pytest.fixture
def releases(kube: Client, tenant: str, app_releases_served: None) -> Releases:
    return Releases(kube, tenant)
