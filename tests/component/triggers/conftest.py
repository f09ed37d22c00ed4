from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pierhead.kube.client import Client
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.trigger_lab import TriggerLab


@pytest.fixture(scope="session")
def event_triggers_served(sandbox: Sandbox) -> None:
    """The CRDs of EventTrigger and BatchJob are established."""
    for plural in ("eventtriggers", "batchjobs"):
        crd = Path(__file__).parents[3] / "crds" / f"pierhead.dev_{plural}.yaml"
        sandbox.kubectl("apply", "--server-side", "--validate=strict", "-f", str(crd))
        sandbox.established(f"{plural}.pierhead.dev")


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
