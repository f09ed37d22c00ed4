"""Following jobs: one poller for each region and identity, shared by all BatchJobs.

Invariant: nothing is polled that nobody follows; a BatchJob's jobs are followed at one place only.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random

from pierhead.aws.access import Access
from pierhead.aws.batch import BatchClients
from pierhead.batch.following.jobs import Glimpse, Seen
from pierhead.batch.following.poller import Followed, Poller
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended


@dataclass(slots=True)
class _Running:
    poller: Poller
    task: "asyncio.Task[None]"


class Follower:
    """What is known of every job that is followed."""

    def __init__(
        self,
        clients: BatchClients,
        *,
        poll_seconds: float,
        now: Callable[[], datetime],
        random: Random | None = None,
    ) -> None:
        self._clients = clients
        self._poll_seconds = poll_seconds
        self._now = now
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._wake: Wake = lambda _key: None
        self._running: dict[Access, _Running] = {}
        self._accesses: dict[ObjectKey, Access] = {}

    def start(self, wake: Wake) -> None:
        """`wake` is called from now on when something moved."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends all polling."""
        running = list(self._running.values())
        self._running.clear()
        self._accesses.clear()
        await ended(*(entry.task for entry in running))

    def follow(self, key: ObjectKey, access: Access, jobs: Mapping[str, Followed]) -> None:
        """Makes these, by job id, the jobs that are followed for a BatchJob."""
        if jobs or self._accesses.get(key) is not None:
            self._place(key, access).replace(key, jobs)
        if not jobs:
            self._leave(key)

    def submitted(self, key: ObjectKey, access: Access, jobs: Mapping[str, Followed]) -> None:
        """Follows in addition jobs that Batch accepted just now."""
        if jobs:
            self._place(key, access).add(key, jobs)

    def forget(self, key: ObjectKey) -> None:
        """Follows nothing for this BatchJob any more."""
        access = self._accesses.get(key)
        if access is not None:
            self.follow(key, access, {})

    def hint(self, job_id: str, *, blocked: bool = False) -> None:
        """Something may have happened to a job, wherever it is; with `blocked` it may hold up its queue."""
        for running in self._running.values():
            running.poller.hint(job_id, blocked=blocked)

    def position(self, key: ObjectKey, access: Access) -> int | None:
        """Place in its queue of the first of a BatchJob's jobs that waits, where it is known."""
        running = self._running.get(access)
        return running.poller.position(key) if running else None

    def seen(self, key: ObjectKey, access: Access) -> Mapping[str, Seen]:
        """A BatchJob's jobs as they were last seen, by id."""
        running = self._running.get(access)
        return running.poller.seen(key) if running else {}

    def glimpses(self, key: ObjectKey, access: Access) -> Mapping[str, Glimpse]:
        """What is known about the children of a BatchJob's running arrays, by the array's id."""
        running = self._running.get(access)
        return running.poller.glimpses(key) if running else {}

    def trouble(self, access: Access) -> ReconcileError | None:
        """Why the jobs cannot be looked at, while that is so."""
        running = self._running.get(access)
        return running.poller.trouble if running else None

    def _place(self, key: ObjectKey, access: Access) -> Poller:
        if access not in self._running:
            poller = Poller(
                self._clients.get(access.region, access.identity),
                poll_seconds=self._poll_seconds,
                wake=self._wake,
                now=self._now,
                random=self._random,
            )
            task = asyncio.create_task(poller.run(), name=f"batch-poller-{access.region}")
            self._running[access] = _Running(poller, task)
        if self._accesses.get(key, access) != access:
            # Another identity works for it now: its jobs are followed at one place only.
            self._running[self._accesses[key]].poller.replace(key, {})
            self._leave(key)
        self._accesses[key] = access
        return self._running[access].poller

    def _leave(self, key: ObjectKey) -> None:
        access = self._accesses.pop(key, None)
        if access is not None and self._running[access].poller.idle:
            self._running.pop(access).task.cancel()
