"""Fixtures that tests of several parts share."""

from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.sandbox import Sandbox
from support.objects import credentials_of


@pytest.fixture(scope="session")
async def kube(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client of the session's sandbox, with an administrator's rights."""
    client = await Client.connect(credentials_of(sandbox), user_agent="pierhead-tests")
    yield client
    await client.close()
