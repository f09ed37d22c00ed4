"""The objects that new revisions wait for.

Invariant: what a dependency is like is read as the release's own account.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pierhead.apps.model.order import Dependency
from pierhead.apps.situation import Gate, State
from pierhead.apps.subject import Subject
from pierhead.kube.dependencies import UNWATCHED_SECONDS, Dependencies, Waiter
from pierhead.kube.resources import APP_RELEASES

REASON = "DependencyNotReady"


async def gate(
    dependencies: Dependencies, subject: Subject, wanted: Sequence[Dependency], now: datetime
) -> Gate | None:
    """What is not ready; None, and nothing is watched, when all is."""
    waiter = Waiter(subject.key, APP_RELEASES, lambda _: subject.client)
    held = await dependencies.look(waiter, dict(enumerate(wanted)))
    missing = [one for one in held.found.values() if one.missing]
    if not missing:
        return None
    if held.cycle:
        message = f"{held.cycle}; break the cycle in spec.dependsOn"
        return Gate(State.PENDING, "DependencyCycle", message, stalled=True)
    return Gate(
        State.PENDING,
        REASON,
        f"waiting for {held.lacking}",
        None if held.watched else now + timedelta(seconds=UNWATCHED_SECONDS),
        stalled=any(one.stalled for one in missing),
    )
