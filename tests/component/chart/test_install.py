"""The chart installed on a real control plane; kwok plays the node, so no image runs."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from chart_files import CHART, Helm
from pierhead.crds.kinds import RESOURCES
from pierhead_sandbox.sandbox import Sandbox

# One control plane, and one installation, for all of them.
pytestmark = pytest.mark.xdist_group("chart")


@dataclass(frozen=True)
class Installation:
    """A release in a namespace of its own that enforces the restricted Pod Security standard."""

    sandbox: Sandbox
    namespace: str
    release: str
    helm: Callable[..., Any]

    @property
    def account(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.release}-pierhead"

    def may(self, who: str, verb: str, resource: str, namespace: str, *more: str) -> bool:
        """Whether RBAC lets somebody do something."""
        answer = self.sandbox.kubectl(
            "auth", "can-i", verb, resource, "--namespace", namespace, "--as", who, *more, check=False
        )
        return answer.stdout.strip() == "yes"

    def soon(self, expected: bool, who: str, verb: str, resource: str, namespace: str) -> bool:
        """Whether that is, or becomes, the answer: the API server's authorizer follows RBAC by a watch."""
        deadline = time.monotonic() + 15
        while self.may(who, verb, resource, namespace) is not expected:
            if time.monotonic() > deadline:
                return False
        return True


@pytest.fixture(scope="module")
def installation(sandbox: Sandbox, helm: Helm) -> Iterator[Installation]:
    namespace = sandbox.create_namespace("chart-under-test")
    label = "pod-security.kubernetes.io/enforce=restricted"
    sandbox.kubectl("label", "namespace", namespace, label)

    def run(*arguments: str, values: dict[str, Any] | None = None) -> str:
        environment = {**sandbox.environment, "HOME": str(sandbox.directory)}
        command = (*arguments, "--namespace", namespace)
        return helm(*command, values=values, environment=environment).stdout

    # Other tests may have applied the CRDs to this control plane before.
    run(
        "install",
        "chart",
        str(CHART),
        "--wait",
        "--timeout",
        "60s",
        "--take-ownership",
        "--force-conflicts",
        values={"replicas": 2},
    )
    yield Installation(sandbox, namespace, "chart", run)
    if "chart" in run("list", "--short"):
        run("uninstall", "chart", "--wait")
    sandbox.kubectl("delete", "namespace", namespace, "--wait=false")


def test_both_replicas_become_ready_under_the_restricted_standard(installation: Installation) -> None:
    listed = installation.sandbox.kubectl("get", "pods", "-n", installation.namespace, "-o", "json").stdout
    pods = json.loads(listed)["items"]

    assert len(pods) == 2
    for pod in pods:
        conditions = {entry["type"]: entry["status"] for entry in pod["status"]["conditions"]}
        assert conditions["Ready"] == "True"


def test_one_of_two_may_be_evicted(installation: Installation) -> None:
    namespace = installation.namespace
    path = f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/chart-pierhead"
    installation.sandbox.kubectl(
        "wait", "-n", namespace, "--for=jsonpath={.status.disruptionsAllowed}=1", "--timeout=30s",
        "poddisruptionbudget/chart-pierhead",
    )  # fmt: skip

    assert installation.sandbox.api.json("GET", path)["status"]["desiredHealthy"] == 1


def test_the_account_has_what_its_kinds_need_and_no_more(installation: Installation) -> None:
    may, account = installation.may, installation.account

    for resource in RESOURCES:
        plural = f"{resource.plural}.pierhead.dev"
        assert may(account, "watch", plural, "anywhere")
        assert may(account, "patch", plural, "anywhere", "--subresource=status")
        # EventTriggers start BatchJobs; the others are people's.
        assert may(account, "create", plural, "anywhere") == (resource.kind == "BatchJob")
    assert may(account, "impersonate", "serviceaccounts", "anywhere")
    assert may(account, "update", "leases/pierhead-leader", installation.namespace)
    assert not may(account, "update", "leases/other", installation.namespace)
    assert not may(account, "get", "leases/pierhead-leader", "anywhere")
    assert not may(account, "impersonate", "users", "anywhere")
    assert not may(account, "create", "deployments.apps", "anywhere")
    assert not may(account, "create", "clusterroles.rbac.authorization.k8s.io", "anywhere")
    assert not may(account, "get", "pods", "anywhere", "--subresource=log")


@pytest.mark.parametrize(
    ("role", "verb", "allowed"),
    [("view", "get", True), ("view", "create", False), ("edit", "create", True), ("admin", "delete", True)],
)
def test_roles_of_a_namespace_include_our_kinds(
    role: str, verb: str, allowed: bool, installation: Installation, namespace: str
) -> None:
    binding = f"{role}-{verb}"
    installation.sandbox.kubectl(
        "create", "rolebinding", binding, "-n", namespace, f"--clusterrole={role}", "--user=somebody"
    )

    assert installation.soon(allowed, "somebody", verb, "appreleases.pierhead.dev", namespace)


def test_an_upgrade_to_some_namespaces_takes_the_rights_elsewhere_away(
    installation: Installation, namespace: str
) -> None:
    account, soon = installation.account, installation.soon
    assert soon(True, account, "get", "secrets", "anywhere")

    installation.helm(
        "upgrade", "chart", str(CHART), "--wait", "--timeout", "60s", values={"watchNamespaces": [namespace]}
    )

    assert soon(True, account, "get", "secrets", namespace)
    assert soon(True, account, "impersonate", "serviceaccounts", namespace)
    assert soon(False, account, "get", "secrets", "anywhere")
    assert soon(False, account, "impersonate", "serviceaccounts", "anywhere")
    installation.helm("rollback", "chart", "1", "--wait", "--timeout", "60s")
    assert soon(True, account, "get", "secrets", "anywhere")


def test_uninstalling_leaves_the_definitions_and_so_the_objects(installation: Installation) -> None:
    sandbox, namespace = installation.sandbox, installation.namespace

    installation.helm("uninstall", "chart", "--wait", "--timeout", "60s")

    assert (
        sandbox.kubectl("get", "deployment,serviceaccount", "-n", namespace, "-l", "helm.sh/chart").stdout
        == ""
    )
    for resource in RESOURCES:
        sandbox.kubectl("get", "crd", f"{resource.plural}.pierhead.dev")
