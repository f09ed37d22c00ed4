"""AppReleases of four objects each, from one chart in one Git repository, and the bare client's share of it.

Invariant: what the bare client applies is what the chart renders to, in another namespace.
"""

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.lab import LIMIT_NAMESPACE, NAMESPACE, Lab, following
from pierhead.engine.resource import Object
from pierhead.kube.resources import (
    APP_RELEASES,
    DEPLOYMENTS,
    INGRESSES,
    SERVICE_ACCOUNTS,
    SERVICES,
    ResourceType,
)
from pierhead_sandbox.demo.shop import commit_all, text_of

ACCOUNT = "deployer"
OBJECTS = 4
FIRST = "1"
"""The image's tag before any upgrade."""

_REPOSITORY = "registry.example.com/app"


def names(n: int, prefix: str = "app") -> list[str]:
    """Names of so many applications."""
    return [f"{prefix}-{index:04}" for index in range(n)]


def application(name: str, tag: str = FIRST) -> list[tuple[ResourceType, Object]]:
    """The objects of one application: a Deployment with no replicas, and what goes with it."""
    labels = {"app.kubernetes.io/name": name}
    container = {"name": "app", "image": f"{_REPOSITORY}:{tag}", "ports": [{"containerPort": 8080}]}
    pod = {"serviceAccountName": name, "containers": [container]}
    path = {
        "path": "/",
        "pathType": "Prefix",
        "backend": {"service": {"name": name, "port": {"number": 80}}},
    }
    specs: list[tuple[ResourceType, dict[str, Any]]] = [
        (SERVICE_ACCOUNTS, {}),
        (SERVICES, {"spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}}),
        (
            DEPLOYMENTS,
            {
                "spec": {
                    "replicas": 0,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": pod},
                }
            },
        ),
        (INGRESSES, {"spec": {"rules": [{"host": f"{name}.example.com", "http": {"paths": [path]}}]}}),
    ]
    return [
        (
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": name, "labels": labels},
                **rest,
            },
        )
        for resource, rest in specs
    ]


def write_chart(folder: Path) -> None:
    """A chart of that application; its one value is the image's tag."""
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text(f'tag: "{FIRST}"\n')
    for resource, obj in application("{{ .Release.Name }}", "{{ .Values.tag }}"):
        # JSON is YAML.
        (folder / "templates" / f"{resource.kind.lower()}.yaml").write_text(json.dumps(obj, indent=1))


def app_release(name: str, url: str, **values: str) -> Object:
    """The AppRelease of one application."""
    return {
        "apiVersion": APP_RELEASES.api_version,
        "kind": APP_RELEASES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"git": {"url": url, "ref": {"branch": "main"}}},
            "helm": {"path": "app", **({"values": values} if values else {})},
            "serviceAccountName": ACCOUNT,
        },
    }


def tenant() -> str:
    """The account that deploys, and its rights."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT, "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}],
    }
    return text_of([account, binding])


def prepare(lab: Lab) -> str:
    """Commits the chart and gives the account its rights; the repository's URL."""
    folder = lab.sandbox.directory / "apps"
    write_chart(folder / "app")
    url = commit_all(folder)
    lab.sandbox.kubectl("apply", "-f", "-", stdin=tenant())
    return url


async def limit(lab: Lab, applications: Iterable[str], tag: str = FIRST) -> float:
    """Seconds of the bare client: all objects of these applications, applied server-side."""
    pairs = [pair for name in applications for pair in application(name, tag)]
    for _, obj in pairs:
        obj["metadata"]["namespace"] = LIMIT_NAMESPACE
    began = time.monotonic()
    await lab.apply_all(pairs)
    return time.monotonic() - began


async def observed(lab: Lab, n: int, tag: str) -> float:
    """Seconds until the bare client's Deployments tell that their controller has seen this tag of them.

    No release is Ready before that, and it is the cluster's own time.
    """
    began = time.monotonic()
    seen = _Observed(tag, n)
    async with following(lab.client, DEPLOYMENTS, LIMIT_NAMESPACE, seen.told), asyncio.timeout(60 + n):
        await seen.all.wait()
    return time.monotonic() - began


class _Observed:
    """Which Deployments of a tag were seen by their controller, as the watch tells."""

    def __init__(self, tag: str, wanted: int) -> None:
        self.all = asyncio.Event()
        self._image = f"{_REPOSITORY}:{tag}"
        self._wanted = wanted
        self._names: set[str] = set()

    def told(self, _event: str, obj: Object) -> None:
        status, metadata, spec = obj.get("status") or {}, obj["metadata"], obj["spec"]
        current = status.get("observedGeneration") == metadata["generation"]
        if current and spec["template"]["spec"]["containers"][0]["image"] == self._image:
            self._names.add(metadata["name"])
        if len(self._names) >= self._wanted:
            self.all.set()
