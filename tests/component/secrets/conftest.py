from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.objects import crds_served
from support.secrets_lab import Lab


@pytest.fixture(scope="session")
def synced_secrets_served(sandbox: Sandbox) -> None:
    """The CRD of SyncedSecret is established."""
    crds_served(sandbox, "syncedsecrets")


@pytest.fixture
async def lab(
    synced_secrets_served: None,
    sandbox: Sandbox,
    kube: Client,
    namespace: str,
    aws: AwsControl,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Lab]:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    async with Lab(sandbox, kube, namespace, aws).open() as opened:
        yield opened
