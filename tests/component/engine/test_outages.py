"""The process and an API server that hangs, restarts, or refuses a token."""

import asyncio
import secrets
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.kube.client import Client
from pierhead.kube.resources import SERVICE_ACCOUNTS, ResourceType
from pierhead_sandbox.sandbox import Sandbox
from support.lab import Lab, Process, say
from support.objects import credentials_of
from support.widget_operator import widgets


@pytest.fixture
async def private_lab(private_sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Lab]:
    """A lab with a control plane of its own."""
    kube = await Client.connect(credentials_of(private_sandbox), user_agent="pierhead-tests")
    namespace = private_sandbox.create_namespace(f"test-{secrets.token_hex(4)}")
    lab = Lab(private_sandbox, kube, namespace, widgets("private.test.pierhead.dev"), tmp_path)
    await lab.define()
    yield lab
    for process in lab.processes:
        await process.kill()
    await kube.close()


async def test_an_api_server_that_hangs_past_the_lease_ends_the_process_and_the_next_waits_for_it(
    private_lab: Lab,
) -> None:
    lab = private_lab
    api_server = lab.sandbox.processes["kube-apiserver"]
    first = await lab.process().start()
    await first.leads()
    api_server.signal(signal.SIGSTOP)
    try:
        stopped = time.monotonic()
        assert await first.ended(20.0) == 1
        ended = time.monotonic() - stopped
        say(f"ended {ended:.1f} s after the API server hung")
        assert ended < 13.0
        second = await lab.process().start()
        await second.eventually(lambda: "lease not reachable" in second.log.read_text(), 15.0)
        assert second.ask("/livez")[0] == 200
        assert second.ask("/readyz")[0] == 503
    finally:
        api_server.signal(signal.SIGCONT)
    await second.leads(40.0)
    await lab.create("w", size=1)
    (shown,) = await lab.settled(10.0)
    assert shown["status"]["process"] == second.pid


async def test_a_restarted_api_server_and_a_rotated_token_cost_nothing(private_lab: Lab) -> None:
    lab = private_lab
    token = lab.folder / "token"
    await make_operator_account(lab)
    token.write_text(lab.sandbox.service_account_token(lab.namespace, "operator"))
    process = lab.process(leader_election="false")
    process.environment["KUBECONFIG"] = str(kubeconfig_with(lab, token))
    await process.start()
    await process.ready()
    await lab.create("w1", size=1)
    await lab.settled(10.0)

    # A ServiceAccount made anew refuses the tokens of the old one.
    await lab.kube.delete(SERVICE_ACCOUNTS, "operator", lab.namespace)
    await make_operator_account(lab)
    token.write_text(lab.sandbox.service_account_token(lab.namespace, "operator"))
    await asyncio.to_thread(lab.sandbox.restart, "kube-apiserver")
    await lab.create("w2", size=2)
    objects = await lab.settled(60.0)
    assert {obj["status"]["process"] for obj in objects} == {process.pid}
    await lab.kube.merge_patch(lab.resource, "w1", lab.namespace, {"spec": {"size": 3}})
    await lab.settled(60.0)
    assert process.ask("/livez") == (200, "ok\n")
    await stays_up(process)


async def stays_up(process: Process) -> None:
    process.signal(signal.SIGTERM)
    assert await process.ended(15.0) == 0


async def make_operator_account(lab: Lab) -> None:
    """A ServiceAccount with all rights."""
    account = {"name": "operator", "namespace": lab.namespace}
    await lab.kube.create(
        SERVICE_ACCOUNTS, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    )
    bindings = ResourceType(
        "rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False
    )
    await lab.kube.apply(
        bindings,
        {
            "apiVersion": bindings.api_version,
            "kind": bindings.kind,
            "metadata": {"name": "operator"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "cluster-admin",
            },
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )


def kubeconfig_with(lab: Lab, token: Path) -> Path:
    """A kubeconfig that reads its token from a file, as a pod does."""
    document: dict[str, Any] = yaml.safe_load(lab.sandbox.kubeconfig.read_text())
    document["users"][0]["user"] = {"tokenFile": str(token)}
    path = lab.folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path
