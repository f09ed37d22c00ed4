"""The loop that looks at the jobs of one region and identity.

Invariants: a look costs one call for a hundred jobs, however many BatchJobs they belong to; a key is woken
only when something that it shows has changed; failures slow the loop down and never end it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random

import structlog

from pierhead.aws.batch import BatchClient, Job, chunks
from pierhead.batch.glimpses import Glimpses
from pierhead.batch.jobs import Counts, Glimpse, Seen, just_submitted
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey

URGENT_SECONDS = 0.1
"""How long a first look waits for others that are due with it."""

_SLOWEST = 8

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Followed:
    """A job to follow."""

    key: ObjectKey
    name: str
    """The name it must have: a job of another name is none of ours."""
    size: int


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
        self.seen: dict[str, Seen] = {}
        self.trouble: ReconcileError | None = None
        self._client = client
        self._poll_seconds = poll_seconds
        self._wake = wake
        self._now = now
        self._random = random
        self._jobs: dict[str, Followed] = {}
        self._of: defaultdict[ObjectKey, set[str]] = defaultdict(set)
        self._glimpses = Glimpses(client)
        self._unseen = asyncio.Event()
        self._failures = 0

    @property
    def idle(self) -> bool:
        """Whether there is nothing to look at."""
        return not self._jobs

    @property
    def glimpses(self) -> Mapping[str, Glimpse]:
        """What is known about the children of running arrays, by the array's id."""
        return self._glimpses.found

    def replace(self, key: ObjectKey, jobs: Mapping[str, Followed]) -> None:
        """Makes these, by job id, the jobs of this key."""
        for job_id in self._of.pop(key, set()) - jobs.keys():
            del self._jobs[job_id]
            self.seen.pop(job_id, None)
            self._glimpses.forget(job_id)
        if jobs:
            self._jobs.update(jobs)
            self._of[key] = set(jobs)
        if not jobs.keys() <= self.seen.keys():
            self._unseen.set()

    def add(self, jobs: Mapping[str, Followed]) -> None:
        """Follows in addition jobs that were accepted just now."""
        for job_id, job in jobs.items():
            self._jobs[job_id] = job
            self._of[job.key].add(job_id)
            self.seen[job_id] = just_submitted(job.size)

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            urgent = await self._wait()
            ids = [job_id for job_id in self._jobs if job_id not in self.seen or not urgent]
            try:
                await self._look(ids, children=not urgent)
            except ReconcileError as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
                _log.error("a look at Batch jobs hit a bug in pierhead", **described(error))
                self._failures += 1
            else:
                self._recovered()

    async def _wait(self) -> bool:
        """Until the next look; True when it is one at jobs never seen."""
        slower = min(2**self._failures, _SLOWEST)
        delay = self._poll_seconds * slower * self._random.uniform(0.9, 1.1)
        if self._failures:
            # What has never been seen is no reason to hurry while nothing can be seen.
            await asyncio.sleep(delay)
            self._unseen.clear()
            return False
        try:
            await asyncio.wait_for(self._unseen.wait(), delay)
        except TimeoutError:
            return False
        await asyncio.sleep(min(URGENT_SECONDS, self._poll_seconds))
        self._unseen.clear()
        return True

    async def _look(self, ids: Iterable[str], *, children: bool) -> None:
        moved: set[ObjectKey] = set()
        for some in chunks(ids):
            answer = await self._client.describe_jobs(some)
            now = self._now()
            for job_id in some:
                followed = self._jobs.get(job_id)
                if followed is None:
                    continue
                before = self.seen.get(job_id)
                seen = self._judge(followed, answer.get(job_id), before, now)
                if seen != before:
                    self.seen[job_id] = seen
                    moved.add(followed.key)
        for key in moved:
            self._wake(key)
        if children:
            arrays = {
                job_id: self.seen[job_id]
                for job_id, job in self._jobs.items()
                if job.size > 1 and job_id in self.seen
            }
            for job_id in await self._glimpses.refresh(arrays):
                if job_id in self._jobs:
                    self._wake(self._jobs[job_id].key)

    @staticmethod
    def _judge(followed: Followed, job: Job | None, before: Seen | None, now: datetime) -> Seen:
        if job is None or job.name != followed.name:
            return (before or just_submitted(followed.size)).missing(now)
        if before is not None and before.ended:
            return before if before.missing_since is None else replace(before, missing_since=None)
        counts = (
            Counts.of_status(job.status)
            if followed.size == 1
            else Counts.of_summary(job.summary, followed.size)
        )
        seen = Seen(job.status, counts, reason=job.status_reason, stopped=job.stopped)
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
        for key in list(self._of):
            self._wake(key)
