"""`deploy/` and the overlays are the chart's, and a real API server takes them."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart_files import NAMESPACE, ROOT, Objects, Render
from pierhead.aws.policy import Policy
from pierhead_sandbox.sandbox import Sandbox

pytestmark = pytest.mark.xdist_group("chart")

FOLDERS = ("deploy", "overlays/eks-production", "overlays/eks-namespaced")


@pytest.fixture(scope="session")
def build(sandbox: Sandbox) -> Callable[[str], Objects]:
    """What `kubectl kustomize` makes of a folder."""

    def run(folder: str) -> Objects:
        return list(yaml.safe_load_all(sandbox.kubectl("kustomize", str(ROOT / folder)).stdout))

    return run


def rights(objects: Objects) -> dict[tuple[str, str | None, str], Any]:
    """Rules by role, and who is bound to them."""
    return {
        (obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]): obj.get("rules")
        or obj["subjects"]
        for obj in objects
        if obj["apiVersion"].startswith("rbac.")
    }


def variables(objects: Objects) -> dict[str, Any]:
    (deployment,) = [obj for obj in objects if obj["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value") for entry in container["env"]}


def test_what_is_committed_is_what_the_chart_renders() -> None:
    checked = subprocess.run(
        [sys.executable, "tools/manifests.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, f"run `make manifests`:\n{checked.stdout}{checked.stderr}"


def test_the_base_is_the_chart_with_its_defaults(build: Callable[[str], Objects], render: Render) -> None:
    base = {
        (obj["kind"], obj["metadata"]["name"]): obj.get("spec") or obj.get("rules") or obj.get("subjects")
        for obj in build("deploy")
        if obj["kind"] not in {"CustomResourceDefinition", "Namespace"}
    }
    chart = {
        (obj["kind"], obj["metadata"]["name"]): obj.get("spec") or obj.get("rules") or obj.get("subjects")
        for obj in render()
    }

    assert base.keys() == chart.keys()
    for name in base.keys() - {("Deployment", "pierhead")}:
        assert base[name] == chart[name]


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_in_it_is_marked_as_a_helm_releases(folder: str, build: Callable[[str], Objects]) -> None:
    assert "helm" not in json.dumps([obj["metadata"] for obj in build(folder)]).lower()


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_api_server_takes_all_of_it(
    folder: str, build: Callable[[str], Objects], sandbox: Sandbox
) -> None:
    objects = build(folder)
    for namespace in (NAMESPACE, "team-a", "team-b"):
        sandbox.kubectl("create", "namespace", namespace, check=False)

    sandbox.kubectl(
        "apply", "--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "-f", "-",
        stdin=yaml.safe_dump_all(objects),
    )  # fmt: skip


def test_the_overlay_for_some_namespaces_has_the_rights_of_the_chart_for_them(
    build: Callable[[str], Objects], render: Render
) -> None:
    overlay = build("overlays/eks-namespaced")

    assert rights(overlay) == rights(render({"watchNamespaces": ["team-a", "team-b"]}))
    assert json.loads(variables(overlay)["PIERHEAD_WATCH_NAMESPACES"]) == ["team-a", "team-b"]


def test_the_overlay_for_production_opens_what_it_says(build: Callable[[str], Objects]) -> None:
    overlay = build("overlays/eks-production")

    policy = Policy(json.loads(variables(overlay)["PIERHEAD_AWS_POLICY"]), region="eu-west-1")
    policy.check("team-a", "queue", "shared-thumbnails")
    (account,) = [obj for obj in overlay if obj["kind"] == "ServiceAccount"]
    assert account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith(":role/pierhead")
    images = [line for line in json.dumps(overlay).split('"') if "amazonaws.com/pierhead" in line]
    assert images
    assert all("@sha256:" in image for image in images)
