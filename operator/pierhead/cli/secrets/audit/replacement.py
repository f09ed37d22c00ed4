"""The SyncedSecrets that would take the place of what was found.

Invariant: pure; every one is valid, and names secrets in AWS that its namespace may read by default.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pierhead.cli.secrets.audit.findings import Finding, Holder
from pierhead.engine.resource import Object
from pierhead.model import API_VERSION
from pierhead.secrets.model import RESOURCE
from pierhead.secrets.model.limits import MOST_KEYS

NAMESPACE: Final = "NAMESPACE"
"""Stands in names of AWS for a namespace that nobody has told."""

_RESTARTED: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_LONGEST_NAME: Final = 253


def name_of(holder: Holder) -> str:
    """Name of the SyncedSecret for what an object or a file holds."""
    if holder.kind == "Secret" and holder.name:
        return holder.name
    if holder.kind:
        return _dns(f"{holder.name}-secrets")
    return _dns(f"{(holder.file or '').rpartition('/')[2]}-secrets")


def secret_of(holder: Holder) -> str:
    """Name of the secret in AWS."""
    return f"{holder.namespace or NAMESPACE}/{name_of(holder)}"


def synced_secrets(found: Iterable[Finding]) -> list[Object]:
    """One SyncedSecret for each object or file."""
    groups: dict[Holder, list[str]] = {}
    for finding in found:
        keys = groups.setdefault(finding.holder, [])
        key = _key(finding.key)
        if key not in keys:
            keys.append(key)
    return [_synced_secret(holder, keys[:MOST_KEYS]) for holder, keys in groups.items()]


def _synced_secret(holder: Holder, keys: list[str]) -> Object:
    name = name_of(holder)
    spec: dict[str, Any] = {
        "data": [{"key": key, "from": {"secret": secret_of(holder), "property": key}} for key in keys]
    }
    if holder.kind == "Secret":
        spec["target"] = {"name": name, "adopt": True}
    if holder.kind in _RESTARTED and holder.name:
        spec["restart"] = [{"kind": holder.kind, "name": holder.name}]
    metadata: Mapping[str, Any] = {
        "name": name,
        **({"namespace": holder.namespace} if holder.namespace else {}),
    }
    return {"apiVersion": API_VERSION, "kind": RESOURCE.kind, "metadata": dict(metadata), "spec": spec}


def _key(text: str) -> str:
    return re.sub(r"[^-._a-zA-Z0-9]", "_", text).lstrip(".")[:_LONGEST_NAME] or "VALUE"


def _dns(text: str) -> str:
    """A name of Kubernetes that resembles the text."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_NAME].strip("-") or "secrets"
