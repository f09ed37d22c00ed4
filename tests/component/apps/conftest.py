"""A running AppRelease controller per test, in the test's namespace, acting with a tenant's rights."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import APP_RELEASES
from pierhead.render import RendererPool
from pierhead.settings import Settings
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.request_counts import RequestKind
from pierhead_sandbox.sandbox import Sandbox
from support.command_line import CommandLine
from support.objects import credentials_of, served
from support.release_controller import Running
from support.releases import Releases
from support.waiting import eventually

Helm = Callable[..., Awaitable[Any]]

ROOT = Path(__file__).parents[3]


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
    return Settings(
        artifact_directory=tmp_path / "artifacts",
        allow_file_sources=True,
        refused_source_networks=("169.254.0.0/16",),
        source_poll_seconds=1,
    )


@pytest.fixture
def aws_client(sandbox: Sandbox, aws: AwsControl, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Makes a client of the stand-in for a service; what is made here after that calls the stand-in too."""
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    return lambda service: boto3.client(service, region_name="us-east-1")


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


@pytest.fixture
async def controller(
    sandbox: Sandbox, tenant: str, settings: Settings, renderer: RendererPool, app_releases_served: None
) -> AsyncIterator[Running]:
    running = await Running(credentials_of(sandbox), tenant, settings, renderer).start()
    yield running
    await running.stop()


@pytest.fixture
def releases(kube: Client, tenant: str, app_releases_served: None) -> Releases:
    return Releases(kube, tenant)


@pytest.fixture
def requests(sandbox, tenant):
    """Which requests the controller makes in a second in which nobody does anything."""

    def made() -> Counter[RequestKind]:
        return sandbox.request_counts(f"pierhead-{tenant}")

    async def watching() -> bool:
        # On a slow machine an AppRelease can be done with before the last watch has begun.
        found = {kind.resource for kind in await asyncio.to_thread(made) if kind.verb == "watch"}
        return {"appreleases", "customresourcedefinitions", "secrets"} <= found

    async def count() -> list[RequestKind]:
        await eventually(watching)
        before = await asyncio.to_thread(made)
        await asyncio.sleep(1)
        return list((await asyncio.to_thread(made) - before).elements())

    return count


@pytest.fixture
def helm(operator_binaries, sandbox, tenant, tmp_path) -> Helm:
    """Runs helm in the test's namespace; gives what it prints, parsed where it is asked for JSON."""
    homes = {f"HELM_{name}_HOME": str(tmp_path / "helm") for name in ("CACHE", "CONFIG", "DATA")}

    async def run(*arguments: str) -> Any:
        process = await asyncio.create_subprocess_exec(
            operator_binaries.path("helm"),
            *arguments,
            "--namespace",
            tenant,
            env={**sandbox.environment, **homes, "HOME": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
        return json.loads(output) if "json" in arguments else output.decode()

    return run


@pytest.fixture
def pierhead(sandbox, tenant, operator_binaries, tmp_path) -> CommandLine:
    """Runs `pierhead app …` in the test's namespace."""
    renderer = {"PIERHEAD_RENDERER_PATH": str(operator_binaries.path("pierhead-renderer"))}
    return CommandLine({**sandbox.environment, **renderer}, tenant, tmp_path)
