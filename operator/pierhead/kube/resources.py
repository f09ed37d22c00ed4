"""The API server's resources by name: what a URL is made of.

Invariant: every path comes from `ResourceType.path`, which percent-encodes what objects are called, so
no name can reach another object's URL. Source: Kubernetes API concepts, "Resource URIs".
"""

from dataclasses import dataclass, field
from urllib.parse import quote

from pierhead.model import GROUP, VERSION


@dataclass(frozen=True, slots=True, order=True)
class ResourceType:
    """One resource of one API version; `group` is empty for the core group."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    verbs: tuple[str, ...] = field(default=(), compare=False)
    """Verbs the API server says it serves; empty where discovery was not asked."""

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_resource(self) -> str:
        """`plural.group`, as RBAC rules, error messages and CRD names have it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The URL path of the collection, of one object, or of an object's subresource.

        Without `namespace` the collection is that of all namespaces. Raises ValueError for one object
        of a namespaced resource without a namespace.
        """
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace:
            parts += ["namespaces", _segment(namespace)]
        elif self.namespaced and name:
            raise ValueError(f"{self.kind} {name}: a namespace is needed")
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
            if subresource:
                parts.append(subresource)
        return "/".join(parts)


def _segment(name: str) -> str:
    if name in {".", ".."}:
        raise ValueError(f"{name!r} cannot be the name of an object")
    return quote(name, safe="")


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` as ("apps", "v1"), `v1` as ("", "v1")."""
    group, _, version = api_version.rpartition("/")
    return group, version


NAMESPACES = ResourceType("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = ResourceType("", "v1", "nodes", "Node", namespaced=False)
PODS = ResourceType("", "v1", "pods", "Pod")
SERVICES = ResourceType("", "v1", "services", "Service")
SERVICE_ACCOUNTS = ResourceType("", "v1", "serviceaccounts", "ServiceAccount")
SECRETS = ResourceType("", "v1", "secrets", "Secret")
CONFIG_MAPS = ResourceType("", "v1", "configmaps", "ConfigMap")
PERSISTENT_VOLUME_CLAIMS = ResourceType("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
DEPLOYMENTS = ResourceType("apps", "v1", "deployments", "Deployment")
STATEFUL_SETS = ResourceType("apps", "v1", "statefulsets", "StatefulSet")
DAEMON_SETS = ResourceType("apps", "v1", "daemonsets", "DaemonSet")
REPLICA_SETS = ResourceType("apps", "v1", "replicasets", "ReplicaSet")
JOBS = ResourceType("batch", "v1", "jobs", "Job")
CRON_JOBS = ResourceType("batch", "v1", "cronjobs", "CronJob")
INGRESSES = ResourceType("networking.k8s.io", "v1", "ingresses", "Ingress")
LEASES = ResourceType("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = ResourceType("events.k8s.io", "v1", "events", "Event")
CUSTOM_RESOURCE_DEFINITIONS = ResourceType(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SUBJECT_ACCESS_REVIEWS = ResourceType(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)

APP_RELEASES = ResourceType(GROUP, VERSION, "appreleases", "AppRelease")
SYNCED_SECRETS = ResourceType(GROUP, VERSION, "syncedsecrets", "SyncedSecret")
BATCH_JOBS = ResourceType(GROUP, VERSION, "batchjobs", "BatchJob")
EVENT_TRIGGERS = ResourceType(GROUP, VERSION, "eventtriggers", "EventTrigger")
