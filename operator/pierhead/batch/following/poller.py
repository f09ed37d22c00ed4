"""The loop that looks at the jobs of one region and identity.

Invariants: a look costs one call for a hundred jobs, however many BatchJobs they belong to; a key is woken
only when something that it shows has changed; failures slow the loop down and never end it. Between two
looks at a job is never more than the interval, whatever events and children ask for meanwhile.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import structlog

from pierhead.aws.batch import BatchClient, Job, chunks
from pierhead.batch.following.fronts import Fronts, Waiter
from pierhead.batch.following.glimpses import Glimpses, Reference
from pierhead.batch.following.jobs import FAILED, Counts, Glimpse, Seen, just_submitted
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

URGENT_SECONDS = 0.25
"""How long a first look, or one that an event asks for, waits for others that are due with it."""

_AGAIN_SECONDS = (1.0, 2.0, 4.0)
"""Pauses before further looks at a job whose end an event told of and a look did not show: an answer of
Batch's may be older than its event."""

_SLOWEST = 8

_PARTS = (0.8, 0.95)
"""Of the interval between two looks: several operators are not to ask in step, and what a look finds is to
be told within the interval."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """A job to follow."""

    name: str
    """The name it must have: a job of another name is none of ours."""
    size: int
    judged: bool = False
    """Whether it matters why each of its children failed."""
    queue: str = ""
    """The queue it is in."""


class Poller:
    """Looks at its jobs every `poll_seconds`, and at jobs it has never seen at once."""

    def __init__(
        self,
        client: BatchClient,
        *,
        poll_seconds: float,
        wake: Wake,
        now: Callable[[], datetime],
        random: Random,
    ) -> None:
        self.trouble: ReconcileError | None = None
        self._client = client
        self._poll_seconds = poll_seconds
        self._wake = wake
        self._now = now
        self._random = random
        self._jobs: dict[ObjectKey, dict[str, Followed]] = {}
        self._seen: dict[Reference, Seen] = {}
        self._glimpses = Glimpses(client)
        self._fronts = Fronts(client)
        self._hinted: dict[str, int] = {}
        """Jobs that events tell of, and how many looks there were for the event already."""
        self._urgent = asyncio.Event()
        self._failures = 0
        self._due = 0.0
        """When the next look at all jobs begins, on the event loop's clock."""
        self._glimpsing: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look at."""
        return not self._jobs

    def seen(self, key: ObjectKey) -> dict[str, Seen]:
        """The jobs of this key as they were last seen, by id."""
        known = ((job_id, self._seen.get((key, job_id))) for job_id in self._jobs.get(key, ()))
        return {job_id: seen for job_id, seen in known if seen is not None}

    def glimpses(self, key: ObjectKey) -> dict[str, Glimpse]:
        """What is known about the children of this key's running arrays, by the array's id."""
        found = ((job_id, self._glimpses.found.get((key, job_id))) for job_id in self._jobs.get(key, ()))
        return {job_id: glimpse for job_id, glimpse in found if glimpse is not None}

    def position(self, key: ObjectKey) -> int | None:
        """Place in their queues of the first of the key's jobs that waits; None where it is not known."""
        known = (self._fronts.found.get((key, job_id)) for job_id in self._jobs.get(key, ()))
        return min((position for position in known if position is not None), default=None)

    def replace(self, key: ObjectKey, jobs: Mapping[str, Followed]) -> None:
        """Makes these, by job id, the jobs of this key."""
        for job_id in self._jobs.pop(key, {}).keys() - jobs.keys():
            self._seen.pop((key, job_id), None)
            self._glimpses.forget((key, job_id))
        if jobs:
            self._jobs[key] = dict(jobs)
        if any((key, job_id) not in self._seen for job_id in jobs):
            self._urgent.set()

    def add(self, key: ObjectKey, jobs: Mapping[str, Followed]) -> None:
        """Follows in addition jobs that were accepted just now."""
        for job_id, job in jobs.items():
            self._jobs.setdefault(key, {})[job_id] = job
            self._seen[key, job_id] = just_submitted(job.size)

    def hint(self, job_id: str, *, blocked: bool = False) -> None:
        """Something may have happened to a job: if it is one of these it is looked at soon.

        With `blocked` it may hold up its queue, and an array's children are asked why.
        """
        if not any(job_id in jobs for jobs in self._jobs.values()):
            return
        if blocked:
            self._glimpses.suspect(job_id)
        self._hinted[job_id] = len(_AGAIN_SECONDS) if blocked else 0
        self._urgent.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        clock = asyncio.get_running_loop().time
        self._due = clock() + self._pause()
        try:
            while True:
                urgent, began = await self._wait(), clock()
                await self._turn(urgent=urgent)
                if self._failures:
                    self._due = clock() + self._pause()
                elif not urgent:
                    self._due = began + self._pause()
        finally:
            await ended(self._glimpsing)

    async def _turn(self, *, urgent: bool) -> None:
        every = [(key, job_id) for key, jobs in self._jobs.items() for job_id in jobs]
        hinted, self._hinted = self._hinted, {}
        try:
            if urgent:
                await self._look([job for job in every if job not in self._seen or job[1] in hinted])
                self._look_again(hinted)
            else:
                await self._look(every)
                if self._glimpsing is None or self._glimpsing.done():
                    # It may take many calls, and an event is not to wait for them.
                    self._glimpsing = asyncio.create_task(self._glimpse(), name="batch-children")
        except ReconcileError as error:
            self._failed(error)
        except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
            _log.error("a look at Batch jobs hit a bug in pierhead", **described(error))
            self._failures += 1
        else:
            self._recovered()

    def _look_again(self, hinted: Mapping[str, int]) -> None:
        """Looks at those of these jobs a little later that are not seen to have ended."""
        loop = asyncio.get_running_loop()
        for job_id, looks in hinted.items():
            if looks < len(_AGAIN_SECONDS) and self._runs(job_id):
                loop.call_later(_AGAIN_SECONDS[looks], self._hint_again, job_id, looks + 1)

    def _hint_again(self, job_id: str, looks: int) -> None:
        if self._runs(job_id):
            self._hinted.setdefault(job_id, looks)
            self._urgent.set()

    def _runs(self, job_id: str) -> bool:
        """Whether it is followed and not seen to have ended."""
        seen = (self._seen.get((key, job_id)) for key, jobs in self._jobs.items() if job_id in jobs)
        return any(one is None or not one.ended for one in seen)

    def _pause(self) -> float:
        slower = float(min(2**self._failures, _SLOWEST))
        return self._poll_seconds * slower * self._random.uniform(*_PARTS)

    async def _wait(self) -> bool:
        """Until the next look; True when it is one at jobs never seen, or that events tell of."""
        left = self._due - asyncio.get_running_loop().time()
        if self._failures:
            # What has never been seen is no reason to hurry while nothing can be seen.
            await asyncio.sleep(max(0.0, left))
            self._urgent.clear()
            return False
        if left <= 0:
            # An event that is there already would win over a timeout that is due already, each time anew.
            return False
        try:
            # Not wait_for: in Python 3.11 it drops a cancellation that comes together with the event.
            async with asyncio.timeout(left):
                await self._urgent.wait()
        except TimeoutError:
            return False
        await asyncio.sleep(min(URGENT_SECONDS, self._poll_seconds))
        self._urgent.clear()
        return True

    async def _look(self, references: Sequence[Reference]) -> None:
        moved: dict[ObjectKey, None] = {}
        answer: dict[str, Job] = {}
        for ids in chunks(dict.fromkeys(job_id for _, job_id in references)):
            # One call tells of a hundred jobs: it is not to wait for three hundred submissions.
            answer |= await self._client.describe_jobs(ids, ahead=True)
        now = self._now()
        for key, job_id in references:
            followed = self._jobs.get(key, {}).get(job_id)
            if followed is None:
                continue
            before = self._seen.get((key, job_id))
            seen = self._judge(followed, answer.get(job_id), before, now)
            if seen != before:
                self._seen[key, job_id] = seen
                moved[key] = None
        # What succeeded has only to be told, and does not wait until of others is read why they failed.
        for key in sorted(moved, key=self._failed_of):
            self._wake(key)

    def _failed_of(self, key: ObjectKey) -> bool:
        return any(seen.status == FAILED for seen in self.seen(key).values())

    async def _glimpse(self) -> None:
        arrays = {
            (key, job_id): self._seen[key, job_id]
            for key, jobs in self._jobs.items()
            for job_id, job in jobs.items()
            if job.size > 1 and (key, job_id) in self._seen
        }
        every = {(key, job_id) for key, job_id in arrays if self._jobs[key][job_id].judged}
        try:
            for key, _ in await self._glimpses.refresh(arrays, every):
                self._wake(key)
            waiters = {
                (key, job_id): Waiter(job.queue, self._seen[key, job_id])
                for key, jobs in self._jobs.items()
                for job_id, job in jobs.items()
                if job.queue and (key, job_id) in self._seen
            }
            for key, _ in await self._fronts.refresh(waiters):
                self._wake(key)
        except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
            _log.error("a look at children of Batch jobs hit a bug in pierhead", **described(error))

    @staticmethod
    def _judge(followed: Followed, job: Job | None, before: Seen | None, now: datetime) -> Seen:
        if job is None or job.name != followed.name:
            return (before or just_submitted(followed.size)).missing(now)
        if before is not None and before.ended:
            return replace(before, missing_since=None, missing_until=None)
        counts = (
            Counts.of_status(job.status)
            if followed.size == 1
            else Counts.of_summary(job.summary, followed.size)
        )
        seen = Seen(
            job.status,
            counts,
            reason=job.status_reason,
            interruptions=job.interruptions,
            stopped=job.stopped,
        )
        return replace(seen, ended_since=now) if seen.ended else seen

    def _failed(self, error: ReconcileError) -> None:
        self._failures += 1
        if self.trouble is None or str(self.trouble) != str(error):
            self.trouble = error
            self._wake_all()

    def _recovered(self) -> None:
        self._failures = 0
        if self.trouble is not None:
            self.trouble = None
            self._wake_all()

    def _wake_all(self) -> None:
        for key in list(self._jobs):
            self._wake(key)
