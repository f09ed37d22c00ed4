"""A kind of the tests' own, and a client whose wire can be cut."""

import secrets
from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from pierhead_sandbox.sandbox import Sandbox
from support.objects import credentials_of, definition, served
from support.proxy import Proxy


@pytest.fixture(scope="session")
async def widgets(kube: Client) -> AsyncIterator[ResourceType]:
    """A custom resource with a status subresource."""
    group = f"w{secrets.token_hex(3)}.example.com"
    resource = ResourceType(group, "v1", "widgets", "Widget")
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Widget", group))
    await served(kube, resource)
    yield resource
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"widgets.{group}")


@pytest.fixture
async def proxy(sandbox: Sandbox) -> AsyncIterator[Proxy]:
    """A proxy in front of the API server, to count and to spoil requests."""
    async with Proxy.started(credentials_of(sandbox)) as proxy:
        yield proxy


@pytest.fixture
async def client(proxy: Proxy) -> AsyncIterator[Client]:
    """A client that goes through the proxy."""
    client = await Client.connect(proxy.credentials, user_agent="under-test", read_timeout=10)
    yield client
    await client.close()


@pytest.fixture
async def discovery(kube: Client) -> Discovery:
    """Discovery that does not go through the proxy."""
    return Discovery(kube)
