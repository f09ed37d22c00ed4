"""In what order kinds are applied and deleted.

Invariant: what others need comes first: CRDs, namespaces and cluster roles, then Helm's install order,
with kinds that Helm does not know last; deletion is the exact reverse. Source: Helm v4,
pkg/release/v1/util/kind_sorter.go.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from pierhead.kube.inventory import Entry

FIRST = ("CustomResourceDefinition", "Namespace", "ClusterRole")

INSTALL_ORDER = (
    "PriorityClass",
    "Namespace",
    "NetworkPolicy",
    "ResourceQuota",
    "LimitRange",
    "PodSecurityPolicy",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Secret",
    "SecretList",
    "ConfigMap",
    "StorageClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "CustomResourceDefinition",
    "ClusterRole",
    "ClusterRoleList",
    "ClusterRoleBinding",
    "ClusterRoleBindingList",
    "Role",
    "RoleList",
    "RoleBinding",
    "RoleBindingList",
    "Service",
    "DaemonSet",
    "Pod",
    "ReplicationController",
    "ReplicaSet",
    "Deployment",
    "HorizontalPodAutoscaler",
    "StatefulSet",
    "Job",
    "CronJob",
    "IngressClass",
    "Ingress",
    "APIService",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)

_RANKS = {kind: rank for rank, kind in enumerate((*INSTALL_ORDER, *FIRST), start=len(FIRST))}
_RANKS |= {kind: rank for rank, kind in enumerate(FIRST)}


def rank(kind: str) -> tuple[int, str]:
    """What to sort by to apply; kinds of the same rank do not wait for each other."""
    known = _RANKS.get(kind)
    return (len(_RANKS) + len(FIRST), kind) if known is None else (known, "")


def stages(entries: Iterable[Entry]) -> list[list[Entry]]:
    """The entries in the order to apply, those of one kind together."""
    ordered = sorted(entries, key=lambda entry: (rank(entry.kind), entry))
    return [list(group) for _, group in groupby(ordered, key=lambda entry: rank(entry.kind))]


def uninstall_stages(entries: Iterable[Entry]) -> Sequence[list[Entry]]:
    """The entries in the order to delete."""
    return stages(entries)[::-1]
