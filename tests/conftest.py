"""Fixtures that tests of several parts share."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, settings

from pierhead.kube.client import Client
from pierhead_sandbox.sandbox import Sandbox
from support.objects import credentials_of

pytest_plugins = ("support.canary_plugin",)

# Laws are about what holds, not about how fast a busy machine finds out.
settings.register_profile(
    "pierhead", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("pierhead")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes never name a test: an archive holds the time of day, and workers must find the same names."""
    return f"{argname} of {len(val)} bytes" if isinstance(val, bytes) else None


@pytest.fixture(scope="session")
async def kube(sandbox: Sandbox) -> AsyncIterator[Client]:
    """A client of the session's sandbox, with an administrator's rights."""
    client = await Client.connect(credentials_of(sandbox), user_agent="pierhead-tests")
    yield client
    await client.close()
