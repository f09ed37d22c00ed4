"""What keeps the Pods of a workload from being ready, in their own words.

Invariant: it is asked for only when somebody is to be told of a failure, and costs two requests a workload;
`trouble_of` is pure and total. Source of the reasons: kubelet `pkg/kubelet/images`, `pkg/kubelet/container`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.health_facts import condition, value
from pierhead.kube.inventory import Entry
from pierhead.kube.resources import PODS

WORKLOADS = frozenset(
    {("apps", "DaemonSet"), ("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet")}
    | {("batch", "Job")}
)
"""Group and kind of what has Pods and tells them by `spec.selector`."""

_LOOKED_AT = 50
"""Pods of one workload: those of one template fail alike."""

_TEXT_LIMIT = 300


async def pods_trouble(client: Client, discovery: Discovery, workload: Entry) -> str:
    """The worst that keeps a Pod of this workload from being ready; empty when nothing is known.

    Raises what the API server refuses, and UnknownKind.
    """
    resource = await discovery.resource_for(workload.api_version, workload.kind)
    obj = await client.get(resource, workload.name, workload.namespace)
    selector = _selector(obj)
    if not selector:
        return ""
    async for page in client.pages(PODS, workload.namespace, label_selector=selector, page_size=_LOOKED_AT):
        troubles = sorted(found for pod in page.items if (found := trouble_of(pod)) is not None)
        if not troubles:
            return ""
        _, text, name = troubles[0]
        return f"Pod {name}: {text[:_TEXT_LIMIT]}"
    return ""


def trouble_of(pod: Object) -> tuple[int, str, str] | None:
    """How bad it is (0 is worst), what it is, and the Pod's name; None for a Pod that is well or new."""
    name = str(value(pod, "metadata", "name") or "")
    if value(pod, "metadata", "deletionTimestamp"):
        return None
    told = next(_told(pod), None)
    return (*told, name) if told is not None else None


def _told(pod: Object) -> Iterator[tuple[int, str]]:
    for status in _containers(pod):
        container = status.get("name")
        reason = str(value(status, "state", "waiting", "reason") or "")
        message = str(value(status, "state", "waiting", "message") or "")
        if reason == "CrashLoopBackOff":
            yield 0, f"container {container} crashes: {_ended(value(status, 'lastState', 'terminated'))}"
        elif reason not in {"", "ContainerCreating", "PodInitializing"}:
            yield 1, f"container {container}: {reason}{f': {message}' if message else ''}"
        ended = value(status, "state", "terminated")
        if isinstance(ended, Mapping) and ended.get("exitCode"):
            yield 2, f"container {container} {_ended(ended)}"
    if value(pod, "status", "phase") == "Failed":
        text = value(pod, "status", "message") or value(pod, "status", "reason") or "failed"
        yield 2, str(text)
    scheduled = condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.status == "False":
        yield 3, f"{scheduled.reason or 'not scheduled'}: {scheduled.text}"
    ready = condition(pod, "ContainersReady")
    if value(pod, "status", "phase") == "Running" and ready is not None and ready.status == "False":
        yield 4, f"runs, but is not ready: {ready.text}"


def _ended(terminated: Any) -> str:
    """How a container ended, without its own last words: they may be the end of its log, and hold secrets."""
    if not isinstance(terminated, Mapping):
        return "no reason is known"
    text = f"exited with {terminated.get('exitCode', '?')}"
    reason = terminated.get("reason")
    return f"{text}, {reason}" if reason and reason != "Error" else text


def _containers(pod: Object) -> Iterator[Mapping[str, Any]]:
    for kind in ("initContainerStatuses", "containerStatuses"):
        found = value(pod, "status", kind)
        for status in found if isinstance(found, list) else ():
            if isinstance(status, Mapping):
                yield status


def _selector(workload: Object) -> str:
    """`spec.selector` as a query parameter; empty for one that has none, or expressions."""
    labels = value(workload, "spec", "selector", "matchLabels")
    if not isinstance(labels, Mapping):
        return ""
    return ",".join(f"{key}={text}" for key, text in sorted(labels.items()))
