from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.batch_lab import Lab
from support.objects import crds_served


@pytest.fixture(scope="session")
def batch_jobs_served(sandbox: Sandbox) -> None:
    """The CRD of BatchJob is established."""
    crds_served(sandbox, "batchjobs")


@pytest.fixture
async def lab(
    batch_jobs_served: None,
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
