"""Where jobs that wait for capacity are in their queues.

Invariant: a queue is asked only while something in it has waited for some polls, however many BatchJobs it
is for, and again only many polls later; a poll asks no more than `QUEUES_PER_POLL`. Batch tells the first
hundred jobs of a queue, no more.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from pierhead.aws.batch import FRONT_LIMIT, BatchClient
from pierhead.batch.following.glimpses import Reference
from pierhead.batch.following.jobs import Seen
from pierhead.batch.model.status import BEYOND
from pierhead.engine.outcome import ReconcileError

QUEUES_PER_POLL: Final = 1
_AFTER: Final = 4
"""Polls in which a job waited, and nothing of it started, before its queue is asked."""

_AGAIN: Final = 20
"""Polls until a queue is asked again."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A job of a queue, as it was last seen."""

    queue: str
    seen: Seen


class Fronts:
    """The positions of jobs in the queues of one region and identity."""

    def __init__(self, client: BatchClient) -> None:
        self.found: dict[Reference, int] = {}
        """From 1; of an array that of its first child in line. Nothing where it is not known."""
        self._client = client
        self._waited: dict[Reference, int] = {}
        self._asked: dict[str, int] = {}
        """The poll in which a queue was asked last."""
        self._polls = 0

    async def refresh(self, jobs: Mapping[Reference, Waiter]) -> list[Reference]:
        """Asks a queue that is due, once a poll; the jobs whose position is another than before."""
        self._polls += 1
        self._waited = {job: self._waited.get(job, 0) + 1 for job, one in jobs.items() if one.seen.idle}
        before = dict(self.found)
        self.found = {job: position for job, position in self.found.items() if job in self._waited}
        for queue in self._due(jobs):
            self._asked[queue] = self._polls
            waiting = [job for job in self._waited if jobs[job].queue == queue]
            try:
                front = await self._client.front_of_queue(queue)
            except ReconcileError:
                # A favour, for which there may be no right: what was known is too old by now.
                for job in waiting:
                    self.found.pop(job, None)
                continue
            self._place(waiting, front)
        return [job for job in {**before, **self.found} if before.get(job) != self.found.get(job)]

    def _due(self, jobs: Mapping[Reference, Waiter]) -> list[str]:
        queues = dict.fromkeys(jobs[job].queue for job, polls in self._waited.items() if polls >= _AFTER)
        self._asked = {queue: poll for queue, poll in self._asked.items() if queue in queues}
        due = [queue for queue in queues if self._polls >= self._asked.get(queue, -_AGAIN) + _AGAIN]
        return sorted(due, key=lambda queue: self._asked.get(queue, -_AGAIN))[:QUEUES_PER_POLL]

    def _place(self, waiting: Iterable[Reference], front: list[str]) -> None:
        positions: dict[str, int] = {}
        for position, job_id in enumerate(front, start=1):
            # A child counts for its array too.
            for known in {job_id, job_id.partition(":")[0]}:
                positions.setdefault(known, position)
        for job in waiting:
            place = positions.get(job[1])
            if place is None and len(front) < FRONT_LIMIT:
                # Not in a line that is known in full: it started, or the line is not of this moment.
                self.found.pop(job, None)
            else:
                self.found[job] = place or BEYOND
