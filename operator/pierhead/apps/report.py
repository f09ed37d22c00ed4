"""What an AppRelease's status says of a decision.

Invariant: pure; the same state gives the same conditions, so a settled release is never written again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pierhead.apps.decide import WAITING_FOR_HEALTH
from pierhead.apps.hooks.progress import TEST
from pierhead.apps.inputs.reader import Inputs
from pierhead.apps.objects.drift import Difference, drifted
from pierhead.apps.situation import (
    REMEMBERED,
    Action,
    Attempt,
    Decision,
    Health,
    Observation,
    Revision,
    State,
    order_of,
)
from pierhead.apps.sources.artifact import Artifact
from pierhead.engine.conditions import Condition, not_ready, ready, reconciling, stalled
from pierhead.kube.inventory import Entry

INVENTORY_SHOWN = 500
_MESSAGE_LIMIT = 2048

_GRACE_SECONDS = 2.0
"""How long a revision may take to become healthy before its progress is reported: most need no longer."""

_UP_TO_PEOPLE = frozenset({(State.UNMANAGED, Action.NOTHING), (State.AWAITING_APPROVAL, Action.WAIT)})
"""Neither under way nor at fault."""


def conditions_of(
    decision: Decision, seen: Observation, inputs: Inputs, drift: Sequence[Difference] = ()
) -> tuple[Condition, ...]:
    """Ready and what belongs to it, and the conditions that are the kind's own."""
    found = list(_engine_conditions(decision, seen))
    if seen.latest is not None:
        found.append(
            Condition("Healthy", "False", "Removed", "the objects of the failed install were deleted")
            if seen.latest.removed
            else _healthy(seen.health)
        )
        tested = _tested(seen)
        if tested is not None:
            found.append(tested)
    if inputs.source_failure is not None:
        failure = inputs.source_failure
        found.append(Condition("SourceReady", "False", failure.reason, str(failure)))
    else:
        found.append(Condition("SourceReady", "True", "Fetched", inputs.source.revision))
    found += drifted(decision, drift)
    problem = _problem_of_order(seen)
    if problem is not None:
        found.append(problem)
    return tuple(found)


def grace_of(decision: Decision, seen: Observation) -> float:
    """Seconds for which a decision is not worth a write of the status, since it may soon be another; or 0."""
    if decision.reason != WAITING_FOR_HEALTH or seen.begun is None:
        return 0.0
    return max(0.0, _GRACE_SECONDS - (seen.now - seen.begun).total_seconds())


def _problem_of_order(seen: Observation) -> Condition | None:
    """Why an order to roll back is not carried out."""
    if not seen.order:
        return None
    target = order_of(seen.order)
    if target is None:
        text = "the annotation pierhead.dev/rollback-to is not <revision>@<RFC 3339 time>"
        return Condition("RollbackOrdered", "False", "InvalidOrder", text)
    if seen.order_refused:
        return Condition("RollbackOrdered", "False", "Refused", seen.order_refused)
    if seen.ordered is None and not seen.carried_out:
        known = ", ".join(str(item.revision) for item in seen.history)
        text = f"there is no revision {target} to roll back to; there is {known or 'none'}"
        return Condition("RollbackOrdered", "False", "NoSuchRevision", text)
    return None


def _engine_conditions(decision: Decision, seen: Observation) -> tuple[Condition, ...]:
    reason, message = decision.reason, decision.message
    settled = decision.action is Action.NOTHING
    if settled and decision.state in {State.IN_SYNC, State.DRIFTED}:
        return _of_settled(decision, seen)
    if (decision.state, decision.action) in _UP_TO_PEOPLE:
        return (not_ready(reason, message),)
    if settled and decision.state in {State.FAILED, State.REJECTED}:
        return not_ready(reason, message), stalled(reason, message)
    if decision.stalled:
        return not_ready(reason, message), stalled(reason, message)
    if decision.state is State.FAILED:
        return not_ready(reason, message), reconciling(reason, message)
    return Condition("Ready", "Unknown", reason, message), reconciling(reason, message)


def _of_settled(decision: Decision, seen: Observation) -> tuple[Condition, ...]:
    if seen.health.status == "Failed":
        return (not_ready("Unhealthy", seen.health.message),)
    if seen.stand_in is not None and decision.state is State.IN_SYNC:
        return (ready(decision.reason, decision.message),)
    if seen.rejection is not None and seen.stand_in is None:
        reason, message = decision.reason, decision.message
        return not_ready(reason, message), stalled(reason, message)
    return (ready("Deployed", _deployed(seen.history[-1])),)


def _deployed(latest: Revision) -> str:
    text = f"revision {latest.revision} is deployed"
    if not latest.left:
        return text
    names = ", ".join(latest.left)
    return f"{text}; rendered no more, and kept because every object of their kinds would go too: {names}"


def _tested(seen: Observation) -> Condition | None:
    held = seen.latest.hooks if seen.latest is not None else None
    progress = held.within(TEST) if held is not None else None
    if progress is None:
        return None
    if progress.failure:
        return Condition("Tested", "False", "Failed", progress.failure)
    if progress.done:
        return Condition("Tested", "True", "Succeeded", f"{len(progress.hooks)} tests passed")
    return Condition("Tested", "Unknown", "Running", "its tests run")


def _healthy(health: Health) -> Condition:
    if health.status == "Current":
        return Condition("Healthy", "True", "Current", "every object is healthy")
    if health.status == "Failed":
        return Condition("Healthy", "False", "Failed", health.message)
    return Condition("Healthy", "Unknown", "InProgress", health.message)


def status_of(
    seen: Observation, inputs: Inputs, *, release: str, inventory: Sequence[Entry]
) -> dict[str, Any]:
    """The kind's own status fields."""
    status: dict[str, Any] = {"source": _artifact(inputs.source)}
    if inputs.overlay is not None:
        status["overlay"] = _artifact(inputs.overlay)
    if inputs.images:
        status["images"] = [dict(entry) for entry in inputs.images]
    latest = seen.history[-1] if seen.history else None
    if latest is not None:
        status["release"] = {"name": release, "revision": latest.revision, "status": latest.status.value}
        if latest.input_digest is not None:
            status["release"]["inputDigest"] = latest.input_digest
        status["inventory"] = [str(entry) for entry in inventory[:INVENTORY_SHOWN]]
        status["objects"] = len(inventory)
    attempted = seen.attempted
    if attempted is not None and seen.release_drift_policy == "Keep":
        status["attempted"] = _attempt(attempted)
    rejection = seen.rejection
    if rejection is not None:
        status["rejected"] = {
            "inputDigest": seen.desired,
            "revision": rejection.revision,
            "message": rejection.description[:_MESSAGE_LIMIT],
        }
    return status


def remembered_attempt(status: Mapping[str, Any]) -> Attempt | None:
    """What a stored status says was released last."""
    found = status.get("attempted")
    if not found:
        return None
    return Attempt(found["revision"], found["inputDigest"], found.get("reconcileAt", ""))


def _attempt(attempt: Attempt) -> dict[str, Any]:
    told: dict[str, Any] = {"revision": attempt.revision, "inputDigest": attempt.input_digest}
    if attempt.reconcile_at:
        told["reconcileAt"] = attempt.reconcile_at[:REMEMBERED]
    return told


def _artifact(artifact: Artifact) -> dict[str, str]:
    return {"revision": artifact.revision, "digest": artifact.digest}
