"""What tests of several parts write to the API server, and as whom."""

import asyncio
from typing import Any

from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import ResourceType
from pierhead_sandbox.sandbox import Sandbox
from repository_files import ROOT


def credentials_of(sandbox: Sandbox) -> Credentials:
    """An administrator's credentials."""
    return Credentials(
        server=sandbox.server,
        ca_file=sandbox.ca_file,
        client_cert_file=sandbox.client_cert,
        client_key_file=sandbox.client_key,
    )


def definition(kind: str, group: str, **changes: Any) -> dict[str, Any]:
    """A CRD of a namespaced kind with a status, whose `spec.size` is a number and `spec.fixed` immutable."""
    plural = f"{kind.lower()}s"
    fixed = {
        "type": "string",
        "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed is immutable"}],
    }
    spec = {"type": "object", "properties": {"size": {"type": "integer"}, "fixed": fixed}}
    status = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec, "status": status}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{**version, **changes}],
        },
    }


async def served(kube: Client, resource: ResourceType) -> None:
    """Returns once the API server serves the resource."""
    async with asyncio.timeout(20):
        while True:
            try:
                await kube.raw_get(resource.path())
            except NotFound:
                await asyncio.sleep(0.05)
            else:
                return


def config_map(
    name: str, namespace: str, /, labels: dict[str, str] | None = None, **data: str
) -> dict[str, Any]:
    """A ConfigMap."""
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


OWNER = {"example.com/owner": "me"}
"""The labels of the objects of `app`."""


def app(namespace: str, *, replicas: int = 0, image: str = "nginx") -> list[dict[str, Any]]:
    """The four objects of Flux's benchmark."""
    selector = {"app": "web"}

    def obj(api_version: str, kind: str, **fields: Any) -> dict[str, Any]:
        metadata = {"name": "web", "namespace": namespace, "labels": dict(OWNER)}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}

    backend = {"service": {"name": "web", "port": {"number": 80}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    template = {"metadata": {"labels": selector}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return [
        obj("networking.k8s.io/v1", "Ingress", spec={"rules": [{"http": {"paths": [path]}}]}),
        obj(
            "apps/v1",
            "Deployment",
            spec={"replicas": replicas, "selector": {"matchLabels": selector}, "template": template},
        ),
        obj("v1", "Service", spec={"selector": selector, "ports": [{"port": 80}]}),
        obj("v1", "ServiceAccount"),
    ]


def crds_served(sandbox: Sandbox, *plurals: str) -> None:
    """Applies the CRDs of these kinds of ours; returns once they are established."""
    for plural in plurals:
        crd = ROOT / "crds" / f"pierhead.dev_{plural}.yaml"
        sandbox.kubectl("apply", "--server-side", "--validate=strict", "-f", str(crd))
        sandbox.established(f"{plural}.pierhead.dev")
