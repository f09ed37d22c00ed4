"""A kind of each test's own, and processes of the operator that reconcile it."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pierhead.kube.client import Client
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS
from pierhead_sandbox.sandbox import Sandbox
from support.lab import Lab
from support.widget_operator import widgets


@pytest.fixture
async def bare_lab(sandbox: Sandbox, kube: Client, namespace: str, tmp_path: Path) -> AsyncIterator[Lab]:
    """A lab whose CRD does not exist yet."""
    group = f"g{secrets.token_hex(4)}.test.pierhead.dev"
    lab = Lab(sandbox, kube, namespace, widgets(group), tmp_path)
    yield lab
    for process in lab.processes:
        await process.kill()
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, lab.resource.group_resource)


@pytest.fixture
async def lab(bare_lab: Lab) -> Lab:
    """A lab whose kind is served."""
    await bare_lab.define()
    return bare_lab
