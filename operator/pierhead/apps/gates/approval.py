"""Whether a new revision may be begun as far as people are concerned. Pure.

Invariant: an approval is of one plan, and a plan is of one input on one deployed revision: whatever moves
either asks for another approval, and nothing else does, not even a restart.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pierhead.apps.situation import Action, Gate, Observation, Revision, State, deployed_of
from pierhead.kube.inventory import Entry
from pierhead.model import GROUP

APPROVE = f"{GROUP}/approve"
"""Annotation with the digest of the plan that somebody approves."""

PLAN_AGAIN = timedelta(seconds=30)
"""Least time between two plans of one input: a cluster that never rests is no reason for endless dry runs."""

_DIGITS = 20


def plan_digest(input_digest: str, base_revision: int) -> str:
    """By which a plan is approved."""
    return hashlib.sha256(f"{input_digest}\0{base_revision}".encode()).hexdigest()[:_DIGITS]


def live_digest(differing: Iterable[tuple[Entry, int]]) -> str:
    """Of the objects, with their versions, that differ from the deployed revision; empty without any."""
    text = "\n".join(sorted(f"{entry} {version}" for entry, version in differing))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS] if text else ""


def base_revision(history: Sequence[Revision]) -> int:
    """The revision a plan builds on; 0 for none."""
    deployed = deployed_of(history)
    return deployed.revision if deployed is not None else 0


def plan_status(
    told: Mapping[str, Any],
    *,
    input_digest: str,
    history: Sequence[Revision],
    made_at: datetime,
    live: str,
) -> dict[str, Any]:
    """`status.plan`, with what is told of the objects."""
    base = base_revision(history)
    status: dict[str, Any] = {
        "digest": plan_digest(input_digest, base),
        "inputDigest": input_digest,
        "baseRevision": base,
        "madeAt": f"{made_at:%Y-%m-%dT%H:%M:%SZ}",
        **told,
    }
    return {**status, "liveDigest": live} if live else status


def approval_gate(
    seen: Observation, annotations: Mapping[str, str], plan: Mapping[str, Any] | None, *, live: str
) -> Gate | None:
    """What holds back an input that nobody has approved; None once somebody has.

    `plan` is the last that was made (`status.plan`), and `live` what `live_digest` gives now.
    """
    digest = plan_digest(seen.desired, base_revision(seen.history))
    approved = annotations.get(APPROVE, "").strip()
    if approved == digest:
        return None
    if plan is None or plan["digest"] != digest:
        return Gate(State.AWAITING_APPROVAL, "Planning", f"making plan {digest}", action=Action.PLAN)
    message = (
        f"plan {digest} waits for approval ({_summary(plan)}): read status.plan, "
        f"then set the annotation {APPROVE} to the plan's digest, or use `pierhead app approve`"
    )
    if approved:
        message += "; the annotation is about another plan"
    until = datetime.fromisoformat(plan["madeAt"]) + PLAN_AGAIN
    if plan.get("liveDigest", "") == live:
        return Gate(State.AWAITING_APPROVAL, "AwaitingApproval", message)
    if seen.now < until:
        return Gate(State.AWAITING_APPROVAL, "AwaitingApproval", message, until)
    return Gate(State.AWAITING_APPROVAL, "Planning", f"making plan {digest} anew", action=Action.PLAN)


def _summary(plan: Mapping[str, Any]) -> str:
    counts = [f"{plan[name]} to {verb}" for name, verb in _VERBS if plan.get(name)]
    return ", ".join(counts) or "nothing changes"


_VERBS = (("creates", "create"), ("updates", "update"), ("deletes", "delete"), ("untried", "try later"))
