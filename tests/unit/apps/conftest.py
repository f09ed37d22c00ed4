from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.input_fakes import FakeAws, FakeClient, FakeSources, InputsOf


@pytest.fixture
def sources(tmp_path: Path) -> FakeSources:
    return FakeSources(tmp_path)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def fake_aws() -> FakeAws:
    return FakeAws()


@pytest.fixture
async def read(sources: FakeSources, client: FakeClient, fake_aws: FakeAws) -> AsyncIterator[InputsOf]:
    reading = InputsOf(sources, client, fake_aws)
    yield reading
    await reading.stop()
