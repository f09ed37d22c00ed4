"""Which objects of one apply need others of it to exist before the API server takes them.

Invariant: only what the API server itself checks at admission is a need. A Deployment may name a Secret
that comes later; a RoleBinding may not be made by somebody with limited rights before its Role exists.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.engine.resource import Object
from pierhead.kube.inventory import Entry
from pierhead.kube.resources import ResourceType, split_api_version

_RBAC = "rbac.authorization.k8s.io"
_EXTENSIONS = "apiextensions.k8s.io"


class Providers:
    """The kinds that CRDs among some objects will serve."""

    def __init__(self, objects: Iterable[Object]) -> None:
        self._resources: dict[tuple[str, str], ResourceType] = {}
        for obj in objects:
            if obj.get("kind") != "CustomResourceDefinition":
                continue
            for resource in _served_by(obj):
                self._resources[resource.api_version, resource.kind] = resource

    def resource(self, obj: Object) -> ResourceType | None:
        """What will serve the object; None when none of the CRDs does."""
        return self._resources.get((obj["apiVersion"], obj["kind"]))


def _served_by(definition: Object) -> Iterable[ResourceType]:
    spec: Mapping[str, Any] = definition.get("spec") or {}
    names: Mapping[str, Any] = spec.get("names") or {}
    for version in spec.get("versions") or ():
        if version.get("served"):
            yield ResourceType(
                group=str(spec.get("group", "")),
                version=str(version.get("name", "")),
                plural=str(names.get("plural", "")),
                kind=str(names.get("kind", "")),
                namespaced=spec.get("scope") == "Namespaced",
            )


def needs_of(obj: Object, among: Mapping[Entry, Object]) -> frozenset[Entry]:
    """The entries of `among` that must exist before the API server takes the object."""
    namespace = obj["metadata"].get("namespace") or ""
    group, _ = split_api_version(obj["apiVersion"])
    found = {_entry("", "Namespace", "", namespace)} if namespace else set()
    if group == _RBAC and obj["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
        role = obj.get("roleRef") or {}
        place = namespace if role.get("kind") == "Role" else ""
        found.add(_entry(_RBAC, str(role.get("kind")), place, str(role.get("name"))))
    if not group and obj["kind"] == "Pod":
        found |= _needs_of_pod(obj.get("spec") or {}, namespace)
    found |= {
        entry
        for entry, other in among.items()
        if entry.group == _EXTENSIONS and _defines(other, group, obj["kind"])
    }
    return frozenset(found & among.keys())


def _needs_of_pod(spec: Mapping[str, Any], namespace: str) -> set[Entry]:
    account = str(spec.get("serviceAccountName") or "default")
    found = {_entry("", "ServiceAccount", namespace, account)}
    if spec.get("priorityClassName"):
        found.add(_entry("scheduling.k8s.io", "PriorityClass", "", str(spec["priorityClassName"])))
    if spec.get("runtimeClassName"):
        found.add(_entry("node.k8s.io", "RuntimeClass", "", str(spec["runtimeClassName"])))
    return found


def _defines(definition: Object, group: str, kind: str) -> bool:
    spec = definition.get("spec") or {}
    return bool(spec.get("group") == group and (spec.get("names") or {}).get("kind") == kind)


def _entry(group: str, kind: str, namespace: str, name: str) -> Entry:
    return Entry(group, kind, namespace, name, "")
