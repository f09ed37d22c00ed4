"""The demo's shop made for tests: as many as wanted, each in a namespace of its own, and quick."""

import json
import re
from collections.abc import Iterable
from difflib import unified_diff
from typing import Any, Protocol

from pierhead.engine.resource import Object
from pierhead.kube.resources import (
    APP_RELEASES,
    BATCH_JOBS,
    DEPLOYMENTS,
    REPLICA_SETS,
    SECRETS,
    SYNCED_SECRETS,
)
from pierhead_sandbox.demo import checks
from pierhead_sandbox.demo.observed import Observed, is_true, rolled_out
from pierhead_sandbox.demo.shop import JOB, NAME, SECRET, Shop, text_of
from pierhead_sandbox.operator_process import OperatorProcess

WATCHED = (APP_RELEASES, SYNCED_SECRETS, BATCH_JOBS, DEPLOYMENTS, REPLICA_SETS, SECRETS)
READY = ((APP_RELEASES, NAME), (SYNCED_SECRETS, SECRET), (BATCH_JOBS, JOB))


class StartOperator(Protocol):
    """Starts an operator with these settings."""

    def __call__(self, *, name: str = "operator", wait: bool = True, **settings: Any) -> OperatorProcess: ...


QUICK: dict[str, Any] = {
    "batch_poll_seconds": 0.2,
    "batch_settle_seconds": 2,
    "restart_window_seconds": 0.5,
}
"""Settings of an operator that need not be gentle with AWS and with workloads."""

_KINDS = (
    "deployments,replicasets,services,configmaps,poddisruptionbudgets,secrets,"
    "appreleases.pierhead.dev,syncedsecrets.pierhead.dev,batchjobs.pierhead.dev"
)
# Uids and job ids, digests of what has the namespace's name or a version id in it, and pod template hashes.
_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9a-f])([0-9a-f]{32}|[0-9a-f]{20})(?![0-9a-f])"
    r"|(?<=shop-)[0-9a-f]{5,10}(?![0-9a-z])"
)
# `tries` counts submissions that may have been made: after a kill one more than were. What was submitted is
# counted at AWS.
_CHANCE = {
    "uid", "resourceVersion", "creationTimestamp", "managedFields", "lastTransitionTime", "lastUpdateTime",
    "pod-template-hash", "time", "since", "startTime", "completionTime",
    "createdAt", "modifiedAt", "clusterIP", "clusterIPs", "tries",
}  # fmt: skip


class SlimShop(Shop):
    """A shop whose jobs are simulated, so it needs no pictures, and whose secret is read often."""

    def furnish(self, *, interval: str = "1s") -> None:
        """Makes what it needs in AWS; `interval` is how often the secret is read."""
        self.interval = interval
        self.create_secret()
        self.create_queue()

    def synced_secret(self) -> Object:
        obj = super().synced_secret()
        obj["spec"]["refresh"]["interval"] = self.interval
        return obj

    def manifest(self, source: str) -> str:
        """Everything that is applied."""
        return text_of([*self.tenant(), *self.objects(source)])

    def all_ready(self, observed: Observed) -> bool:
        """Whether all three are Ready and what they made has come to rest."""
        deployment = observed.find(DEPLOYMENTS, NAME, self.namespace)
        return rolled_out(deployment) and all(
            is_true(observed.find(resource, name, self.namespace), "Ready") for resource, name in READY
        )

    def follows(self, observed: Observed) -> bool:
        """Whether the Secret has the password that is in AWS now."""
        data = (observed.find(SECRETS, SECRET, self.namespace) or {}).get("data", {})
        return checks.decoded(data.get("DB_PASSWORD", "")) == self.password

    def rollouts(self, observed: Observed) -> tuple[int, int]:
        """The Deployment's generation and how many ReplicaSets it has had."""
        deployment = observed.find(DEPLOYMENTS, NAME, self.namespace) or {"metadata": {}}
        return int(deployment["metadata"].get("generation", 0)), len(self.replica_sets(observed))

    def replica_sets(self, observed: Observed) -> list[Object]:
        found = observed.every(REPLICA_SETS)
        return [one for one in found if one["metadata"]["namespace"] == self.namespace]

    def submissions(self) -> list[int | None]:
        """Sizes of the jobs that AWS Batch accepted for its queue."""
        accepted = self._sandbox.aws.batch.submissions()
        return [one.array_size for one in accepted if one.queue.rpartition("/")[2] == self.queue]

    def end_state(self) -> dict[str, Any]:
        """Everything in the namespace, without what is different each time."""
        listed = json.loads(self._sandbox.kubectl("get", _KINDS, "-n", self.namespace, "-o", "json").stdout)
        return dict(map(self._without_chance, listed["items"]))

    def told(self) -> str:
        """What people would look at to find out why something is not Ready."""
        kinds = "appreleases,syncedsecrets,batchjobs,deployments"
        return self._sandbox.kubectl("get", kinds, "-n", self.namespace, "-o", "wide").stdout

    def _without_chance(self, obj: Object) -> tuple[str, Any]:
        name = obj["metadata"]["name"]
        if obj["kind"] == "ReplicaSet":
            # Named by a hash of the pod template, which has the marker in it.
            name = "old" if not obj["spec"]["replicas"] else "current"
        if obj["kind"] == "Secret":
            # A release's payload has its times in it, and a value is not to be printed by a failing test.
            obj["data"] = sorted(obj.get("data", {}))
        text = json.dumps(_pruned(obj)).replace(self.namespace, "NAMESPACE")
        return f"{obj['kind']}/{name}", json.loads(_ID.sub("ID", text))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if key not in _CHANCE}
    return [_pruned(item) for item in value] if isinstance(value, list) else value


def differences(wanted: Any, found: Any) -> list[str]:
    """The lines of JSON that differ, and some around them."""
    texts = [json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (wanted, found)]
    return list(unified_diff(*texts, lineterm="", n=4))


def helm_statuses(objects: Iterable[Object], namespace: str) -> dict[str, str]:
    """Helm's status of each release revision that is stored in the namespace, by the Secret's name."""
    return {
        obj["metadata"]["name"]: obj["metadata"].get("labels", {}).get("status", "")
        for obj in objects
        if obj["metadata"]["namespace"] == namespace and obj.get("type") == "helm.sh/release.v1"
    }
