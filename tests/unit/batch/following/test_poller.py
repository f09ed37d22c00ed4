"""The poll is steady: neither events nor slow looks at children hold it up, nor hold events up."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random

from pierhead.aws.batch import Job
from pierhead.batch.following.poller import Followed, Poller
from pierhead.engine.resource import ObjectKey

HASTY, QUIET = ObjectKey("team", "hasty"), ObjectKey("team", "quiet")
PATIENCE_SECONDS = 60


def job(job_id: str) -> Job:
    return Job(
        id=job_id,
        name=job_id,
        status="PENDING",
        status_reason="",
        stopped=False,
        created_at=0,
        array_size=2,
        summary={"RUNNING": 1, "SUCCEEDED": 1},
        index=None,
        exit_code=None,
        reason=None,
        attempts=0,
        log_group=None,
        log_stream=None,
    )


class Batch:
    """Arrays that run, and a list of children that may never come."""

    def __init__(self) -> None:
        self.described: dict[str, int] = {}
        self.looked = asyncio.Condition()
        self.listing = asyncio.Event()
        self.listed = asyncio.Event()
        self.listed.set()
        self.meanwhile = lambda: None

    async def describe_jobs(self, ids, *, ahead):
        assert ahead, "a look waits for submissions"
        self.meanwhile()
        async with self.looked:
            for job_id in ids:
                self.described[job_id] = self.described.get(job_id, 0) + 1
            self.looked.notify_all()
        return {job_id: job(job_id) for job_id in ids}

    async def children(self, _array_id, _status, **_):
        self.listing.set()
        await self.listed.wait()
        return []

    async def until(self, job_id, count):
        """Returns once the job was looked at so often."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.looked:
            await self.looked.wait_for(lambda: self.described.get(job_id, 0) >= count)


@asynccontextmanager
async def polling(batch, poll_seconds):
    poller = Poller(
        batch,
        poll_seconds=poll_seconds,
        wake=lambda _key: None,
        now=lambda: datetime.now(UTC),
        random=Random(1),
    )
    poller.add(HASTY, {"hasty": Followed("hasty", 2)})
    poller.add(QUIET, {"quiet": Followed("quiet", 2)})
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_events_of_one_job_do_not_put_off_the_poll_of_another():
    batch = Batch()
    async with polling(batch, 0.5) as poller:
        batch.meanwhile = lambda: poller.hint("hasty")
        poller.hint("hasty")
        await batch.until("quiet", 3)


async def test_an_event_does_not_wait_for_a_look_at_children():
    batch = Batch()
    batch.listed.clear()
    async with polling(batch, 0.5) as poller:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await batch.listing.wait()
        count = batch.described["hasty"]
        poller.hint("hasty")
        await batch.until("hasty", count + 1)


async def test_a_poller_that_is_stopped_as_an_event_comes_ends():
    batch = Batch()
    async with polling(batch, 3600) as poller:
        poller.replace(HASTY, {"new": Followed("new", 2)})
        await batch.until("new", 1)
        (task,) = (task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "Poller.run")
        for _ in range(10):
            # It gets to where it waits for the next event.
            await asyncio.sleep(0)
        poller.hint("new")
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=PATIENCE_SECONDS)
        assert done


async def test_an_end_that_an_event_tells_of_is_looked_for_until_batch_shows_it():
    batch = Batch()
    async with polling(batch, 3600) as poller:
        poller.hint("hasty")
        await batch.until("hasty", 2)
        assert "quiet" not in batch.described
