"""The operator as a process with the rights of a chart that was given some namespaces."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pierhead.model import API_VERSION
from pierhead_sandbox.operator_process import USER, OperatorProcess, install
from pierhead_sandbox.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("chart")


@pytest.fixture
def confined(private_sandbox: Sandbox) -> Iterator[Sandbox]:
    """A cluster with an operator that works in team-a, and a team-b beside it."""
    for namespace in ("team-a", "team-b"):
        private_sandbox.create_namespace(namespace)
        private_sandbox.kubectl("create", "serviceaccount", "deployer", "-n", namespace)
        private_sandbox.kubectl(
            "create", "rolebinding", "deployer", "-n", namespace, "--clusterrole=admin",
            f"--serviceaccount={namespace}:deployer",
        )  # fmt: skip
    install(private_sandbox, values={"watchNamespaces": ["team-a"]})
    operator = OperatorProcess(private_sandbox, settings={"watch_namespaces": ["team-a"]}).start()
    yield private_sandbox
    operator.terminate()


def app(namespace: str) -> str:
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: made}\n"
    return json.dumps(
        {
            "apiVersion": API_VERSION,
            "kind": "AppRelease",
            "metadata": {"name": "subject", "namespace": namespace},
            "spec": {"serviceAccountName": "deployer", "source": {"inline": {"files": {"a.yaml": manifest}}}},
        }
    )


def requests(sandbox: Sandbox) -> list[dict[str, Any]]:
    """What the operator asked for by itself, not as somebody's account."""
    sandbox.request_counts("nobody")
    assert sandbox.audit_log is not None
    entries = [json.loads(line) for line in sandbox.audit_log.read_text().splitlines()]
    return [
        entry for entry in entries if entry["user"]["username"] == USER and "impersonatedUser" not in entry
    ]


def test_it_works_in_its_namespace_and_asks_for_nothing_elsewhere(confined: Sandbox) -> None:
    for namespace in ("team-b", "team-a"):
        confined.kubectl("apply", "--server-side", "-f", "-", stdin=app(namespace))

    confined.kubectl("wait", "-n", "team-a", "--for=condition=Ready", "--timeout=30s", "apprelease/subject")

    confined.kubectl("get", "configmap", "made", "-n", "team-a")
    beside = json.loads(confined.kubectl("get", "apprelease", "subject", "-n", "team-b", "-o", "json").stdout)
    assert "status" not in beside
    refused = [entry["requestURI"] for entry in requests(confined) if entry["responseStatus"]["code"] == 403]
    assert [uri for uri in refused if "/configmaps" not in uri] == []
