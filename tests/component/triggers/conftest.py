from collections.abc import AsyncIterator

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.objects import crds_served
from support.trigger_lab import TriggerLab


@pytest.fixture(scope="session")
def event_triggers_served(sandbox: Sandbox) -> None:
    """The CRDs of EventTrigger and BatchJob are established."""
    crds_served(sandbox, "eventtriggers", "batchjobs")


@pytest.fixture
async def lab(
    event_triggers_served: None,
    sandbox: Sandbox,
    kube: Client,
    namespace: str,
    aws: AwsControl,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[TriggerLab]:
    # Short, so that an operator that was stopped soon receives no more.
    monkeypatch.setattr("pierhead.aws.queues.WAIT_SECONDS", 1)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    opened = TriggerLab(sandbox, kube, namespace, aws)
    await opened.open()
    try:
        yield opened
    finally:
        await opened.close()
