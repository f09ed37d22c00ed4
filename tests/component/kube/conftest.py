"""A kind of the tests' own."""

import secrets
from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from support.objects import definition, served


@pytest.fixture(scope="session")
async def widgets(kube: Client) -> AsyncIterator[ResourceType]:
    """A custom resource with a status subresource."""
    group = f"w{secrets.token_hex(3)}.example.com"
    resource = ResourceType(group, "v1", "widgets", "Widget")
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Widget", group))
    await served(kube, resource)
    yield resource
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"widgets.{group}")
