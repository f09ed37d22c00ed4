"""The renderer and the judges of its output, built from the checkout."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pierhead.render import RendererPool
from pierhead_sandbox.binaries import Binaries


@pytest.fixture(scope="session")
def renderer_path(operator_binaries: Binaries) -> Path:
    return operator_binaries.path("pierhead-renderer")


@pytest.fixture(scope="session")
def helm_program(operator_binaries: Binaries) -> Path:
    return operator_binaries.path("helm")


@pytest.fixture(scope="session")
def kustomize(operator_binaries: Binaries) -> Path:
    return operator_binaries.path("kustomize")


@pytest.fixture(scope="session")
async def pool(renderer_path: Path) -> AsyncIterator[RendererPool]:
    """One process for the tests that leave it as they found it."""
    async with RendererPool(renderer_path, processes=1, deadline_seconds=20) as started:
        yield started
