"""Objects of a cluster that hold values which belong into Secrets.

Invariants: Secrets are not asked for: values are in their place there; objects that others made are passed
over, since what they were made of is looked at; pages are looked at one by one and not kept.
"""

from collections.abc import Sequence
from typing import Any, Final

from pierhead.cli.cluster import Cluster
from pierhead.cli.secrets.audit.documents import findings
from pierhead.cli.secrets.audit.findings import Finding, Holder
from pierhead.cli.secrets.audit.trees import tree_of
from pierhead.engine.resource import Object
from pierhead.kube.errors import Forbidden
from pierhead.kube.resources import (
    CONFIG_MAPS,
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    STATEFUL_SETS,
    ResourceType,
)

LOOKED_AT: Final[Sequence[ResourceType]] = (
    CONFIG_MAPS,
    DEPLOYMENTS,
    STATEFUL_SETS,
    DAEMON_SETS,
    CRON_JOBS,
    JOBS,
    PODS,
)
_OF_EVERY_NAMESPACE: Final = "kube-root-ca.crt"


async def scan(cluster: Cluster, *, all_namespaces: bool) -> tuple[list[Finding], list[str]]:
    """What was found, and what was not looked at."""
    found: list[Finding] = []
    warnings: list[str] = []
    where = None if all_namespaces else cluster.namespace
    for resource in LOOKED_AT:
        try:
            async for page in cluster.client.pages(resource, where):
                for obj in page.items:
                    if not _made_by_others(obj):
                        found += findings(tree_of(_bare(obj)), Holder())
        except Forbidden as error:
            warnings.append(f"{resource.plural} were not looked at: {error.message}")
    return found, warnings


def _made_by_others(obj: Object) -> bool:
    metadata = obj["metadata"]
    return metadata.get("name") == _OF_EVERY_NAMESPACE or any(
        owner.get("controller") for owner in metadata.get("ownerReferences") or ()
    )


def _bare(obj: Object) -> dict[str, Any]:
    """The object without what the API server keeps in it."""
    return {key: value for key, value in obj.items() if key != "status"}
