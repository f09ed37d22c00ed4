"""Looks at the children of arrays that still run.

Invariant: children are listed only when their array's counts of ended ones moved, and over time no more
calls are spent than `CALLS_PER_POLL` a poll; whoever was looked at longest ago is first.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from pierhead.aws.batch import BatchClient
from pierhead.batch.following.children import glimpse, stuck_reason
from pierhead.batch.following.jobs import Glimpse, Seen
from pierhead.engine.outcome import ReconcileError, Throttled
from pierhead.engine.resource import ObjectKey

CALLS_PER_POLL = 4

Reference = tuple[ObjectKey, str]
"""A job by whose it is and its id: two objects may claim one id, and only one of them is right."""

_STUCK_AFTER = 4
"""Polls in which nothing of an array was starting or running before it is asked why."""

_STUCK_AGAIN = 20
"""Polls until it is asked again."""


@dataclass(slots=True)
class _Past:
    """What was done for one array."""

    looked_at: int = 0
    """The last look at its children, counted over all arrays; 0 before the first."""
    seen: Seen | None = None
    """How the array was at that look."""
    idle_polls: int = 0


class Glimpses:
    """What is known about the children of running arrays."""

    def __init__(self, client: BatchClient) -> None:
        self.found: dict[Reference, Glimpse] = {}
        self._client = client
        self._past: dict[Reference, _Past] = {}
        self._looks = 0
        self._calls_left = 0

    def forget(self, array: Reference) -> None:
        """Drops what is known about an array."""
        self.found.pop(array, None)
        self._past.pop(array, None)

    def suspect(self, array_id: str) -> None:
        """At the next look the array is asked why nothing of it starts, if so it is."""
        for (_, job_id), past in self._past.items():
            if job_id == array_id:
                past.idle_polls = _STUCK_AFTER - 1

    async def refresh(
        self, arrays: Mapping[Reference, Seen], every: Collection[Reference] = ()
    ) -> list[Reference]:
        """Looks at the children of some of these arrays; those about which something new is known.

        Called once a poll. Of the arrays in `every`, the details of each failure are read.
        """
        self._calls_left = min(CALLS_PER_POLL, self._calls_left + CALLS_PER_POLL)
        for array, seen in arrays.items():
            known = self._past.setdefault(array, _Past())
            known.idle_polls = known.idle_polls + 1 if seen.idle else 0
        due = [array for array, seen in arrays.items() if self._due(array, seen)]
        changed = []
        for array in sorted(due, key=lambda array: self._past[array].looked_at):
            if self._calls_left <= 0:
                break
            past = self._past.get(array)
            if past is None:
                continue
            self._looks += 1
            past.looked_at = self._looks
            try:
                if await self._look(array, past, arrays[array], every=array in every):
                    changed.append(array)
            except Throttled:
                break
            except ReconcileError:
                # A glimpse is a favour; what matters is read when the array has ended.
                self._calls_left -= 1
        return changed

    def _due(self, array: Reference, seen: Seen) -> bool:
        past, known = self._past[array], self.found.get(array, Glimpse())
        moved = seen.counts.ended > 0 and (
            past.seen is None
            or (past.seen.counts.succeeded, past.seen.counts.failed)
            != (seen.counts.succeeded, seen.counts.failed)
        )
        return not seen.ended and (moved or bool(known.stuck and not past.idle_polls) or self._stuck(past))

    @staticmethod
    def _stuck(past: _Past) -> bool:
        return past.idle_polls >= _STUCK_AFTER and (past.idle_polls - _STUCK_AFTER) % _STUCK_AGAIN == 0

    async def _look(self, array: Reference, past: _Past, seen: Seen, *, every: bool) -> bool:
        before, (_, job_id) = self.found.get(array, Glimpse()), array
        found, calls = await glimpse(self._client, job_id, seen, before, moved=past.seen, every=every)
        if self._stuck(past):
            found = replace(found, stuck=await stuck_reason(self._client, job_id))
            calls += 1
        elif not past.idle_polls:
            found = replace(found, stuck=None)
        self._calls_left -= calls
        past.seen = seen
        # The array may have been forgotten meanwhile.
        if array in self._past:
            self.found[array] = found
        return found != before
