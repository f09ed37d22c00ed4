"""How a rollout that was started fares, where the workload itself does not tell.

Invariant: what is said of a Pod are reasons and exit codes, never a message of the container runtime: those
may repeat an argument, and so a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.health_facts import number, value
from pierhead.kube.resources import PODS

LOOK_SECONDS: Final = 15.0
"""Time to the first look at the Pods of a rollout; each next one takes twice as long, up to a minute."""

_LONGEST_LOOK: Final = 60.0
_PODS: Final = 100
_HOPELESS: Final = frozenset({"CrashLoopBackOff", "CreateContainerConfigError", "RunContainerError"})
_PROGRESS: Final = (
    "observedGeneration",
    "updatedReplicas",
    "readyReplicas",
    "availableReplicas",
    "updatedNumberScheduled",
    "numberReady",
    "numberAvailable",
)


@dataclass(slots=True)
class Rollout:
    """What a process remembers of a rollout; losing it only makes a failure be seen later."""

    progressed_at: float
    next_look: float
    pause: float = LOOK_SECONDS
    numbers: tuple[int, ...] = ()

    @classmethod
    def begun(cls, now: float) -> "Rollout":
        """A rollout that was begun, or was first seen, now."""
        return cls(progressed_at=now, next_look=now + LOOK_SECONDS)

    def note(self, workload: Object, now: float) -> None:
        """Takes what the workload tells."""
        numbers = tuple(number(workload, "status", name) for name in _PROGRESS)
        if numbers != self.numbers:
            self.numbers, self.progressed_at = numbers, now

    def look_due(self, now: float) -> bool:
        """Whether its Pods are to be looked at now; plans the next look."""
        if now < self.next_look:
            return False
        self.pause = min(self.pause * 2, _LONGEST_LOOK)
        self.next_look = now + self.pause
        return True


async def pods_trouble(client: Client, workload: Object, annotation: str, marker: str) -> str:
    """What keeps a Pod of this marker from running; empty if nothing does, or if Pods may not be listed."""
    labels = value(workload, "spec", "selector", "matchLabels")
    if not isinstance(labels, Mapping) or not labels:
        return ""
    selector = ",".join(f"{name}={text}" for name, text in sorted(labels.items()))
    try:
        async for page in client.pages(
            PODS, workload["metadata"]["namespace"], label_selector=selector, page_size=_PODS
        ):
            for pod in page.items:
                if value(pod, "metadata", "annotations", annotation) == marker and (text := trouble_of(pod)):
                    return text
    except ReconcileError:
        return ""
    return ""


def trouble_of(pod: Object) -> str:
    """Why a Pod will not run by itself; empty if it may."""
    if value(pod, "metadata", "deletionTimestamp"):
        return ""
    for kind in ("initContainerStatuses", "containerStatuses"):
        found: Any = value(pod, "status", kind)
        for status in found if isinstance(found, list) else ():
            reason = value(status, "state", "waiting", "reason")
            if reason not in _HOPELESS:
                continue
            code = value(status, "lastState", "terminated", "exitCode")
            ended = f", exited with {code}" if code is not None else ""
            return f"Pod {value(pod, 'metadata', 'name')}: container {status.get('name')}: {reason}{ended}"
    return ""
