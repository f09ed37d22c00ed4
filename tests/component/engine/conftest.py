"""A kind to reconcile, and processes of the operator that do."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from pierhead_sandbox.sandbox import Sandbox
from support.lab import Lab
from support.objects import definition, served
from support.widget_operator import widgets


@pytest.fixture(scope="session")
async def widget(kube: Client) -> ResourceType:
    """A kind that is served for the whole session."""
    resource = widgets("widgets.test.pierhead.dev")
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition(resource.kind, resource.group))
    await served(kube, resource)
    return resource


@pytest.fixture
async def lab(
    sandbox: Sandbox, kube: Client, namespace: str, widget: ResourceType, tmp_path: Path
) -> AsyncIterator[Lab]:
    """A lab whose kind is served."""
    lab = Lab(sandbox, kube, namespace, widget, tmp_path)
    yield lab
    await lab.close()


@pytest.fixture
async def bare_lab(sandbox: Sandbox, kube: Client, namespace: str, tmp_path: Path) -> AsyncIterator[Lab]:
    """A lab with a kind of its own, whose CRD does not exist yet."""
    group = f"g{secrets.token_hex(4)}.test.pierhead.dev"
    lab = Lab(sandbox, kube, namespace, widgets(group), tmp_path)
    yield lab
    await lab.close()
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, lab.resource.group_resource)
