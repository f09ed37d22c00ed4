"""`python -m bench.cold_apps -n 200`: N AppReleases of four objects, from one chart in one Git repository.

The limit is the same 4 N objects applied server-side by a bare client over as many connections.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from bench.arguments import number
from bench.lab import LIMIT_NAMESPACE, NAMESPACE, Lab, laboratory, say
from bench.report import Result
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


def application(name: str) -> list[tuple[ResourceType, Object]]:
    """The objects of one application: a Deployment with no replicas, and what goes with it."""
    labels = {"app.kubernetes.io/name": name}
    container = {"name": "app", "image": "registry.example.com/app:1", "ports": [{"containerPort": 8080}]}
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
    """A chart of that application."""
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: app\nversion: 1.0.0\n")
    for resource, obj in application("{{ .Release.Name }}"):
        # JSON is YAML.
        (folder / "templates" / f"{resource.kind.lower()}.yaml").write_text(json.dumps(obj, indent=1))


def app_release(name: str, url: str) -> Object:
    """The AppRelease of one application."""
    return {
        "apiVersion": APP_RELEASES.api_version,
        "kind": APP_RELEASES.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "source": {"git": {"url": url, "ref": {"branch": "main"}}},
            "helm": {"path": "app"},
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


async def limit(lab: Lab, names: list[str]) -> float:
    """Seconds of the bare client."""
    pairs = [pair for name in names for pair in application(name)]
    for _, obj in pairs:
        obj["metadata"]["namespace"] = LIMIT_NAMESPACE
    began = time.monotonic()
    await lab.apply_all(pairs)
    return time.monotonic() - began


async def main(n: int) -> Result:
    """One run."""
    names = [f"app-{index:04}" for index in range(n)]
    async with laboratory() as lab:
        folder = lab.sandbox.directory / "apps"
        write_chart(folder / "app")
        url = commit_all(folder)
        await asyncio.to_thread(lab.sandbox.kubectl, "apply", "-f", "-", stdin=tenant())
        limit_seconds = await limit(lab, names)
        say(f"the bare client applied {OBJECTS * n} objects in {limit_seconds:.1f} s")
        await lab.quiet()
        await asyncio.to_thread(lab.operator.start)
        measured = await lab.measure(APP_RELEASES, [app_release(name, url) for name in names])
    return Result(
        benchmark="cold_apps",
        n=n,
        seconds=measured.seconds,
        limit_seconds=limit_seconds,
        api_requests_per_object=measured.api_requests.total() / n,
        aws_calls_per_object=measured.aws_calls.total() / n,
        cpu_seconds=measured.cpu_seconds,
        peak_rss_mib=measured.after.peak_rss_mib,
        extra=measured.extra(n),
    )


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 200, "AppReleases"))).show()
