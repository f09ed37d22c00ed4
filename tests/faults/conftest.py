"""What the fault tests of all kinds share."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import APP_RELEASES
from pierhead.render import RendererPool
from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.sandbox import Sandbox
from support.app_crashes import World
from support.objects import credentials_of, served
from support.proxy import Proxy

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
async def app_releases_served(kube: Client, sandbox: Sandbox) -> None:
    sandbox.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(ROOT / "crds"))
    await served(kube, APP_RELEASES)


@pytest.fixture(scope="session")
async def renderer(operator_binaries: Binaries) -> AsyncIterator[RendererPool]:
    async with RendererPool(operator_binaries.path("pierhead-renderer"), processes=2) as pool:
        yield pool


@pytest.fixture
async def proxy(sandbox: Sandbox) -> AsyncIterator[Proxy]:
    """The API server as a test lets it be seen."""
    async with Proxy.started(credentials_of(sandbox)) as started:
        yield started


@pytest.fixture
def world(sandbox, kube, proxy, renderer, tmp_path, app_releases_served) -> World:
    return World(sandbox, kube, proxy, renderer, tmp_path)
