"""With a cluster to look at, what is rendered is what `helm install --dry-run=server` would store."""

import json
from pathlib import Path

import pytest

from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.model import RESOURCE
from pierhead.apps.rendering import Renderer
from pierhead.apps.sources.artifact import Artifact
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from pierhead.model import API_VERSION
from pierhead.render import RendererPool
from pierhead.render.protocol import Release
from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.sandbox import Sandbox
from support.helm_judge import CASES, NEEDS_ITS_KINDS, by_name, documents, helm, trimmed, values_file
from support.releases import config_map
from support.renders import CHARTS

SERVER_CASES = [case for case, (chart, _) in CASES.items() if chart not in NEEDS_ITS_KINDS]


def owned_secret(namespace: str, name: str, **data: str) -> dict[str, object]:
    """A Secret that a release `demo` of Helm would have left."""
    marks = {"meta.helm.sh/release-name": "demo", "meta.helm.sh/release-namespace": namespace}
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": marks,
    }
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


@pytest.fixture(scope="session")
async def renders(kube: Client, renderer: RendererPool) -> Renderer:
    return Renderer(renderer, Discovery(kube))


@pytest.fixture
async def looked_up(kube: Client, tenant: str) -> str:
    """A namespace with what the charts look for."""
    shared = config_map("shared", color="green", number="010")
    shared["metadata"]["namespace"] = tenant
    await kube.create(CONFIG_MAPS, shared)
    await kube.create(SECRETS, owned_secret(tenant, "kept", password="old"))
    await kube.create(SECRETS, owned_secret(tenant, "demo-database", password="set by hand"))
    return tenant


@pytest.mark.parametrize("case", SERVER_CASES)
async def test_what_is_rendered_is_what_helm_would_store(
    case: str,
    renders: Renderer,
    kube: Client,
    looked_up: str,
    operator_binaries: Binaries,
    sandbox: Sandbox,
    tmp_path: Path,
) -> None:
    name, values = CASES[case]
    arguments = ("demo", CHARTS / name, "--namespace", looked_up, "--dry-run=server", "--output", "json")
    printed = await helm(
        operator_binaries.path("helm"),
        "install",
        *arguments,
        *("--values", values_file(tmp_path, values)),
        folder=tmp_path,
        environment=sandbox.environment,
    )
    release = json.loads(printed)
    metadata = {"name": "demo", "namespace": looked_up}
    chart = {"values": values}
    spec = RESOURCE.parse(
        {
            "apiVersion": API_VERSION,
            "kind": "AppRelease",
            "metadata": metadata,
            "spec": {"source": {"inline": {"files": {"a": ""}}}, "helm": chart},
        }
    )
    inputs = Inputs("sha256:1", Artifact("1", "sha256:1", CHARTS / name), values=values)
    rendered = await renders.render(spec, inputs, Release("demo", looked_up), kube)
    assert rendered.manifest == release["manifest"]
    assert list(rendered.objects) == documents(release["manifest"])
    hooks = [trimmed(hook) for hook in release.get("hooks", [])]
    assert sorted(map(trimmed, rendered.hooks), key=by_name) == sorted(hooks, key=by_name)
    assert rendered.notes == release["info"].get("notes", "")
    assert rendered.chart == release["chart"]["metadata"]
