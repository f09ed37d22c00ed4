"""Fixtures that tests of several parts share."""

from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead_sandbox.sandbox import Sandbox


def credentials_of(sandbox: Sandbox) -> Credentials:
    """An administrator's credentials."""
    return Credentials(
        server=sandbox.server,
        ca_file=sandbox.ca_file,
        client_cert_file=sandbox.client_cert,
        client_key_file=sandbox.client_key,
    )


@pytest.fixture(scope="session")
async def kube(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client of the session's sandbox, with an administrator's rights."""
    client = await Client.connect(credentials_of(sandbox), user_agent="pierhead-tests")
    yield client
    await client.close()
