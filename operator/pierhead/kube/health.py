"""How an object fares, told from the object alone.

Invariant: pure and total: any JSON has a health. It is Current only when the controller that owns the kind
has seen the present generation and says, or its numbers say, that the work is done. The rules are kstatus'
(fluxcd/cli-utils, pkg/kstatus), except where those call things done that are not: a Job that runs, a load
balancer without an address, one of our own objects that nobody has looked at yet.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from pierhead.engine.conditions import READY, RECONCILING, STALLED
from pierhead.engine.resource import Object
from pierhead.kube import health_rules as rules
from pierhead.kube.health_facts import Health, HealthStatus, condition, current, in_progress
from pierhead.kube.resources import split_api_version
from pierhead.model import GROUP

__all__ = ["Health", "HealthStatus", "health_of"]

Rule = Callable[[Object], Health]

_RULES: Mapping[tuple[str, str], Rule] = MappingProxyType(
    {
        ("", "Namespace"): rules.namespace,
        ("", "PersistentVolumeClaim"): rules.persistent_volume_claim,
        ("", "Service"): rules.service,
        ("apiextensions.k8s.io", "CustomResourceDefinition"): rules.custom_resource_definition,
        ("apiregistration.k8s.io", "APIService"): rules.api_service,
        ("apps", "DaemonSet"): rules.daemon_set,
        ("apps", "Deployment"): rules.deployment,
        ("apps", "ReplicaSet"): rules.replica_set,
        ("apps", "StatefulSet"): rules.stateful_set,
        ("batch", "Job"): rules.job,
        ("policy", "PodDisruptionBudget"): rules.pod_disruption_budget,
        (GROUP, "BatchJob"): rules.job,
    }
)
_OBSERVED = frozenset({"DaemonSet", "Deployment", "PodDisruptionBudget", "ReplicaSet", "StatefulSet"})
"""Kinds whose controllers always tell the generation they saw."""


def health_of(obj: Object | None, *, now: datetime | None = None) -> Health:
    """The health of a live object, with a message for people; None is an object that is not there.

    `now` decides how long a Pod may go unscheduled; without it that is never a failure.
    """
    if obj is None:
        return Health(HealthStatus.NOT_FOUND, "not found")
    metadata = obj.get("metadata") or {}
    if metadata.get("deletionTimestamp"):
        return Health(HealthStatus.TERMINATING, "being deleted")
    group, _ = split_api_version(str(obj.get("apiVersion", "")))
    kind = str(obj.get("kind", ""))
    unseen = _unseen(obj, required=group == GROUP or (group in {"apps", "policy"} and kind in _OBSERVED))
    if unseen is not None:
        return unseen
    for found in (
        _said(obj, RECONCILING, HealthStatus.IN_PROGRESS),
        _said(obj, STALLED, HealthStatus.FAILED),
    ):
        if found is not None:
            return found
    if (group, kind) == ("", "Pod"):
        return rules.pod(obj, now)
    rule = _RULES.get((group, kind))
    return rule(obj) if rule is not None else _by_ready(obj, required=group == GROUP)


def _unseen(obj: Object, *, required: bool) -> Health | None:
    """In progress while the controller has not told that it saw the present generation."""
    status = obj.get("status")
    generation = obj["metadata"].get("generation") if "metadata" in obj else None
    seen = status.get("observedGeneration") if isinstance(status, Mapping) else None
    if not isinstance(generation, int):
        return None
    if isinstance(seen, int) and seen < generation:
        return in_progress(f"generation {generation} is not observed yet, {seen} is")
    if required and not isinstance(seen, int):
        return in_progress("not observed by its controller yet")
    return None


def _said(obj: Object, condition_type: str, status: HealthStatus) -> Health | None:
    found = condition(obj, condition_type)
    return Health(status, found.text) if found is not None and found.status == "True" else None


def _by_ready(obj: Object, *, required: bool) -> Health:
    ready = condition(obj, READY)
    if ready is None:
        return in_progress("not Ready yet") if required else current("exists")
    generation = (obj.get("metadata") or {}).get("generation")
    if ready.generation is not None and isinstance(generation, int) and ready.generation < generation:
        return in_progress(f"Ready is told of generation {ready.generation}, not yet of {generation}")
    if ready.status == "True":
        return current(ready.text)
    return in_progress(ready.text)
