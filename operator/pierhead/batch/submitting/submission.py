"""Submitting shards, and finding out about submissions whose end is not known.

Invariant: what becomes of a submission is one of three: accepted with an id, certainly not accepted
(`Refused`), or not known (`Intent`); only a look-up by name turns the last into one of the others.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pierhead.aws.batch import BatchClient, ListedJob
from pierhead.aws.errors import Ambiguous, BadRequest, NotFound
from pierhead.batch.following.jobs import STOP_MARK
from pierhead.batch.model.status import Shard
from pierhead.batch.state import to_text
from pierhead.batch.submitting.names import JobNames
from pierhead.engine.outcome import ReconcileError

AT_ONCE = 8
"""Submissions, and terminations, of one BatchJob under way at once."""

Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one submission."""

    shard: Shard
    error: ReconcileError | None = None
    """Why it was refused; None when it was accepted or that is not known."""


async def submit(
    client: BatchClient, requests: Sequence[tuple[Shard, Mapping[str, Any]]], now: Now
) -> list[Answer]:
    """Submits each shard once. Its intent must be in the stored status."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(shard: Shard, request: Mapping[str, Any]) -> Answer:
        async with places:
            return await _submit(client, shard, request, now)

    return list(await asyncio.gather(*(one(shard, request) for shard, request in requests)))


async def look_up(
    client: BatchClient, queue: str, names: JobNames, shards: Iterable[Shard]
) -> list[tuple[Shard, list[ListedJob]]]:
    """Each of these shards, all of one round, with the jobs that exist by its name: the oldest first."""
    wanted = {names.job(shard.round, shard.shard): shard for shard in shards}
    some = next(iter(wanted.values()))
    pattern = next(iter(wanted)) if len(wanted) == 1 else f"{names.prefix(some.round)}*"
    found: dict[str, list[ListedJob]] = {name: [] for name in wanted}
    for job in await _listed(client, queue, pattern):
        if job.name in found:
            found[job.name].append(job)
    return [
        (wanted[name], sorted(jobs, key=lambda job: (job.created_at, job.id))) for name, jobs in found.items()
    ]


def adopted(shard: Shard, jobs: Sequence[ListedJob], now: datetime) -> tuple[Shard, list[str]]:
    """The shard as the jobs found by its name show it, and the ids of the twins to terminate.

    Of several the oldest is the shard's job: it has run the longest.
    """
    if not jobs:
        return shard, []
    oldest, *others = jobs
    twins = [job.id for job in others]
    if shard.job_id == oldest.id:
        return shard, twins
    if shard.job_id is not None and shard.job_id not in twins:
        # Our own is the twin, and so new that it is not listed yet.
        twins.append(shard.job_id)
    adoption = {"state": "Submitted", "job_id": oldest.id, "since": to_text(now)}
    return shard.model_copy(update=adoption), twins


async def terminate(client: BatchClient, ids: Iterable[str], why: str) -> list[str]:
    """Tells jobs to stop; the ids of those that were told.

    Raises the first error when none was told.
    """
    places = asyncio.Semaphore(AT_ONCE)

    async def one(job_id: str) -> str | ReconcileError:
        async with places:
            try:
                await client.terminate_job(job_id, f"{STOP_MARK} {why}")
            except ReconcileError as error:
                return error
            return job_id

    results = await asyncio.gather(*(one(job_id) for job_id in ids))
    told = [result for result in results if isinstance(result, str)]
    errors = [result for result in results if isinstance(result, ReconcileError)]
    if errors and not told:
        raise errors[0]
    return told


async def _submit(client: BatchClient, shard: Shard, request: Mapping[str, Any], now: Now) -> Answer:
    try:
        job_id = await client.submit_job(request)
    except Ambiguous:
        # It may have been accepted as late as now: the settle time counts from here.
        return Answer(shard.model_copy(update={"since": to_text(now())}))
    except ReconcileError as error:
        refused = {"state": "Refused", "since": to_text(now()), "tries": shard.tries - 1}
        return Answer(shard.model_copy(update=refused), error)
    submitted = {"state": "Submitted", "since": to_text(now()), "job_id": job_id}
    return Answer(shard.model_copy(update=submitted))


async def _listed(client: BatchClient, queue: str, pattern: str) -> list[ListedJob]:
    try:
        return await client.jobs_named(queue, pattern)
    except (BadRequest, NotFound):
        # A queue can be deleted only when no job is in it.
        if await client.queue(queue) is None:
            return []
        raise
