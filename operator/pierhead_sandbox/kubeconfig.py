"""kubeconfig files.

Invariant: a file written here holds all it needs (no path to another file), so it can be copied, and
is readable by its owner only.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from pierhead_sandbox.certificates import KeyPair, write_private


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server's URL and the file of its certificate authority."""

    server: str
    authority: Path


def write_for_certificate(path: Path, cluster: Cluster, pair: KeyPair) -> Path:
    """A kubeconfig whose user is a client certificate."""
    user = {
        "client-certificate-data": _base64(pair.certificate),
        "client-key-data": _base64(pair.key),
    }
    return _write(path, cluster, user, namespace="default")


def write_for_token(path: Path, cluster: Cluster, token: str, *, namespace: str) -> Path:
    """A kubeconfig whose user is a bearer token."""
    return _write(path, cluster, {"token": token}, namespace=namespace)


def _write(path: Path, cluster: Cluster, user: dict[str, str], *, namespace: str) -> Path:
    name = "pierhead-sandbox"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": cluster.server,
                    "certificate-authority-data": _base64(cluster.authority),
                },
            }
        ],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name, "namespace": namespace}}],
        "current-context": name,
    }
    # JSON is YAML, and every reader of kubeconfig files takes it.
    return write_private(path, json.dumps(content, indent=2).encode() + b"\n")


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
