"""What tests of several parts write to the API server, and as whom."""

import asyncio
from typing import Any

from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import ResourceType
from pierhead_sandbox.sandbox import Sandbox


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
