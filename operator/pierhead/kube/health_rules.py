"""The rules of health of the kinds that tell theirs by numbers and phases.

Invariant: each rule is pure, and is asked only about an object that is not being deleted and whose
controller saw its present generation.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pierhead.engine.resource import Object
from pierhead.kube.health_facts import (
    Health,
    condition,
    current,
    failed,
    in_progress,
    is_true,
    number,
    value,
)

# As kstatus: the autoscaler needs some time to see that a node is missing.
_UNSCHEDULABLE = timedelta(seconds=15)


def deployment(obj: Object) -> Health:
    """Every replica updated, available and ready, and none of the old ones left."""
    if value(obj, "spec", "paused") is True:
        return current("paused")
    progressing = condition(obj, "Progressing")
    if progressing is not None and progressing.reason == "ProgressDeadlineExceeded":
        return failed(progressing.text)
    wanted = number(obj, "spec", "replicas", default=1)
    lacking = _lacking(obj, wanted, ("updatedReplicas", "readyReplicas", "availableReplicas"))
    surplus = number(obj, "status", "replicas") - max(wanted, number(obj, "status", "updatedReplicas"))
    if lacking is None and surplus > 0:
        lacking = f"{surplus} old replicas still to go"
    available = condition(obj, "Available")
    if lacking is None and (available is None or available.status != "True"):
        lacking = available.text if available is not None else "not available yet"
    if lacking is None:
        return current(f"{wanted} replicas available")
    refused = condition(obj, "ReplicaFailure")
    if refused is not None and refused.status == "True":
        lacking = f"{lacking}; {refused.text}"
    return in_progress(lacking)


def replica_set(obj: Object) -> Health:
    """Every replica labelled, available and ready."""
    wanted = number(obj, "spec", "replicas", default=1)
    lacking = _lacking(obj, wanted, ("fullyLabeledReplicas", "readyReplicas", "availableReplicas"))
    if lacking is None and number(obj, "status", "replicas") > wanted:
        lacking = "surplus replicas still to go"
    if lacking is None:
        return current(f"{wanted} replicas available")
    refused = condition(obj, "ReplicaFailure")
    if refused is not None and refused.status == "True":
        lacking = f"{lacking}; {refused.text}"
    return in_progress(lacking)


def stateful_set(obj: Object) -> Health:
    """Every replica ready and at the new revision, down to the partition where there is one."""
    if value(obj, "spec", "updateStrategy", "type") == "OnDelete":
        return current("replicas are updated when they are deleted")
    wanted = number(obj, "spec", "replicas", default=1)
    lacking = _lacking(obj, wanted, ("replicas", "readyReplicas"))
    if lacking is None and number(obj, "status", "replicas") > wanted:
        lacking = "surplus replicas still to go"
    if lacking is not None:
        return in_progress(lacking)
    partition = number(obj, "spec", "updateStrategy", "rollingUpdate", "partition")
    updated = number(obj, "status", "updatedReplicas")
    if partition > 0:
        due = max(0, wanted - partition)
        if updated < due:
            return in_progress(f"updatedReplicas {updated} of {due} above the partition")
        return current(f"updated down to partition {partition}")
    before, after = (value(obj, "status", name) for name in ("currentRevision", "updateRevision"))
    if before != after:
        return in_progress(f"updatedReplicas {updated} of {wanted}")
    return current(f"{wanted} replicas ready")


def daemon_set(obj: Object) -> Health:
    """A Pod updated, available and ready on every node it should run on."""
    if value(obj, "status", "desiredNumberScheduled") is None:
        return in_progress("nodes not counted yet")
    wanted = number(obj, "status", "desiredNumberScheduled")
    counts = ["currentNumberScheduled", "numberAvailable", "numberReady"]
    if value(obj, "spec", "updateStrategy", "type") != "OnDelete":
        counts.insert(1, "updatedNumberScheduled")
    lacking = _lacking(obj, wanted, counts)
    return in_progress(lacking) if lacking else current(f"{wanted} Pods available")


def job(obj: Object) -> Health:
    """Complete; a Job that is suspended on purpose is as it should be. For BatchJobs too."""
    ended = condition(obj, "Failed")
    if ended is not None and ended.status == "True":
        return failed(ended.text)
    if is_true(obj, "Complete"):
        return current("complete")
    if value(obj, "spec", "suspend") is True:
        return current("suspended")
    wanted = number(obj, "spec", "completions", default=1)
    done, active = number(obj, "status", "succeeded"), number(obj, "status", "active")
    return in_progress(f"{done} of {wanted} completions, {active} active")


def pod(obj: Object, now: datetime | None) -> Health:
    """Ready or succeeded; failed when a container keeps crashing or no node takes the Pod."""
    phase = value(obj, "status", "phase")
    if phase == "Succeeded":
        return current("succeeded")
    if phase == "Failed":
        return failed(_pod_failure(obj))
    crashing = [name for name, reason, _ in _waiting(obj) if reason == "CrashLoopBackOff"]
    if crashing:
        return failed(f"crashing: {', '.join(crashing)}")
    if phase == "Running" and is_true(obj, "Ready"):
        return current("ready")
    scheduled = condition(obj, "PodScheduled")
    if scheduled is not None and scheduled.reason == "Unschedulable" and scheduled.status == "False":
        verdict = failed if _older(obj, "PodScheduled", now) else in_progress
        return verdict(f"unschedulable: {scheduled.text}")
    waiting = [f"{name}: {text or reason}" for name, reason, text in _waiting(obj)]
    return in_progress("; ".join(waiting) or f"phase {phase or 'unknown'}")


def persistent_volume_claim(obj: Object) -> Health:
    """Bound."""
    phase = value(obj, "status", "phase")
    if phase == "Bound":
        return current("bound")
    return failed("its volume is lost") if phase == "Lost" else in_progress(f"phase {phase or 'Pending'}")


def service(obj: Object) -> Health:
    """There; with an address if it is a load balancer."""
    if value(obj, "spec", "type") != "LoadBalancer" or value(obj, "spec", "externalIPs"):
        return current("exists")
    if value(obj, "status", "loadBalancer", "ingress"):
        return current("has an address")
    return in_progress("the load balancer has no address yet")


def custom_resource_definition(obj: Object) -> Health:
    """Established, with its names accepted."""
    names = condition(obj, "NamesAccepted")
    if names is not None and names.status == "False":
        return failed(names.text)
    return current("established") if is_true(obj, "Established") else in_progress("not established yet")


def api_service(obj: Object) -> Health:
    """Available."""
    available = condition(obj, "Available")
    if available is not None and available.status == "True":
        return current(available.text)
    return in_progress(available.text if available is not None else "not available yet")


def pod_disruption_budget(obj: Object) -> Health:
    """Enough of its Pods are healthy."""
    healthy = number(obj, "status", "currentHealthy")
    wanted = number(obj, "status", "desiredHealthy", default=-1)
    if wanted < 0:
        return in_progress("Pods not counted yet")
    verdict = current if healthy >= wanted else in_progress
    return verdict(f"{healthy} Pods healthy, {wanted} wanted")


def namespace(obj: Object) -> Health:
    """Active."""
    phase = value(obj, "status", "phase")
    return current("active") if phase == "Active" else in_progress(f"phase {phase or 'unknown'}")


def _lacking(obj: Object, wanted: int, counts: Iterable[str]) -> str | None:
    """The first count that is below what is wanted, in words."""
    for count in counts:
        reached = number(obj, "status", count)
        if reached < wanted:
            return f"{count} {reached} of {wanted}"
    return None


def _waiting(obj: Object) -> Iterable[tuple[str, str, str]]:
    """Name, reason and message of the containers that wait."""
    for kind in ("initContainerStatuses", "containerStatuses"):
        for status in _list(obj, "status", kind):
            waiting = value(status, "state", "waiting") or {}
            if waiting.get("reason"):
                yield str(status.get("name", "")), str(waiting["reason"]), str(waiting.get("message") or "")


def _pod_failure(obj: Object) -> str:
    told = value(obj, "status", "message") or value(obj, "status", "reason")
    if told:
        return str(told)
    for status in _list(obj, "status", "containerStatuses"):
        ended = value(status, "state", "terminated") or {}
        if ended.get("exitCode"):
            return f"container {status.get('name')} exited with {ended['exitCode']}"
    return "failed"


def _older(obj: Object, condition_type: str, now: datetime | None) -> bool:
    if now is None:
        return False
    for entry in _list(obj, "status", "conditions"):
        if entry.get("type") == condition_type and entry.get("lastTransitionTime"):
            since = datetime.fromisoformat(str(entry["lastTransitionTime"])).astimezone(UTC)
            return now - since >= _UNSCHEDULABLE
    return False


def _list(obj: Object, *path: str) -> list[Mapping[str, Any]]:
    found = value(obj, *path)
    return [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, list) else []
