"""A value that is planted where none may be is found there: in every sink that a real cluster has."""

import asyncio
import sys

import pytest

from pierhead.kube.resources import DEPLOYMENTS, EVENTS, SECRETS, SYNCED_SECRETS
from pierhead_sandbox.sandbox import Sandbox
from support.canary import MARK
from support.canary_plugin import Canary
from support.secrets_lab import Lab

VALUE = f"{MARK}-planted"


async def test_a_planted_value_is_found_in_every_sink(
    lab: Lab, canary: Canary, sandbox: Sandbox, request: pytest.FixtureRequest
) -> None:
    lab.secret("db", VALUE)
    await lab.synced_secret("shop-db", data=lab.data(("K", "db")))
    operator = await lab.operator()
    obj = await lab.ready("shop-db")
    await lab.deployment("shop")
    fixtures = request.node.funcargs
    assert canary.leaks(fixtures) == {}

    operator.metrics.observe_aws_call("secretsmanager", "GetSecretValue", VALUE)
    await operator.events.emit(obj, "Warning", "Leak", VALUE)
    event = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": "leak", "namespace": lab.namespace},
        "eventTime": "2026-11-23T12:00:00.000000Z",
        "regarding": {"kind": "SyncedSecret", "name": "shop-db", "namespace": lab.namespace},
        "type": "Warning",
        "reason": "Leak",
        "action": "Leak",
        "note": VALUE,
        "reportingController": "pierhead.dev/test",
        "reportingInstance": "test",
    }
    await lab.kube.create(EVENTS, event)
    status = {"status": {"marker": VALUE}}
    await operator.stop()
    await lab.kube.merge_patch(SYNCED_SECRETS, "shop-db", lab.namespace, status, subresource="status")
    note = {"metadata": {"annotations": {"kopf.zalando.org/last-handled-configuration": VALUE}}}
    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, note)
    await lab.kube.merge_patch(DEPLOYMENTS, "shop", lab.namespace, note)
    program = sandbox.processes.start("leak", [sys.executable, "-c", f"print({VALUE!r})"])
    await asyncio.to_thread(program.wait)

    found = canary.leaks(fixtures, f"printed {VALUE}").keys()
    assert found == {
        "Deployment shop",
        "Event leak",
        "Events",
        "Secret shop-db",
        "SyncedSecret shop-db",
        "file audit.log",
        "file leak.log",
        "metrics",
        "output",
    }
    canary.pardon(*(name.partition(" ")[0] for name in found))
