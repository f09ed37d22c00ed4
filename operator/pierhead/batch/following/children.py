"""The results of a job's indexes, read from Batch.

Invariant: an index counts as succeeded only when Batch says so of its child, or of an array whose counts
leave no other possibility; a child that pierhead stopped counts as not run. Places are children's numbers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pierhead.aws.batch import BatchClient, Child, Job, chunks, host_lost
from pierhead.batch.following.jobs import (
    FAILED,
    STOP_MARK,
    SUCCEEDED,
    FailedChild,
    Glimpse,
    Interrupted,
    Seen,
    interrupted,
)
from pierhead.batch.following.waiting import said_to_be_stuck, shortened
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.model.status import LOG_NAME_LIMIT, MOST_FAILURES_SHOWN

DEFAULT_LOG_GROUP = "/aws/batch/job"

_RUNNABLE = "RUNNABLE"
_LISTED_A_CALL = 1000
_DESCRIBED_A_CALL = 100


@dataclass(frozen=True, slots=True)
class Results:
    """How the places of one job that ended came out; those in neither set have not run."""

    succeeded: IndexSet
    failed: IndexSet
    unknown: IndexSet
    """Places that Batch's lists, which lag, do not show as ended yet."""
    details: tuple[FailedChild, ...] = ()
    interrupted: Interrupted = field(default_factory=Interrupted)


async def results_of(
    client: BatchClient, job_id: str, seen: Seen, size: int, *, patient: bool, every: bool = False
) -> Results:
    """Reads the results of a job that ended; with the details of `every` failure, or of the first few.

    Without patience places that no list shows take the fate of the whole job, instead of being unknown.
    """
    everything = IndexSet.below(size)
    if seen.status == SUCCEEDED:
        return Results(everything, IndexSet(), IndexSet(), interrupted=Interrupted(0, seen.interruptions))
    if size == 1:
        failed = IndexSet() if seen.stopped_by_us else everything
        details = await details_of(client, job_id, failed, single=True)
        ended = Interrupted(int(host_lost(seen.reason)), seen.interruptions)
        return Results(IndexSet(), failed, IndexSet(), details, ended)
    listed = await client.children(job_id, FAILED)
    ended_badly = IndexSet.of(child.index for child in listed) & everything
    if seen.counts.ended == size and len(ended_badly) == seen.counts.failed:
        succeeded = everything - ended_badly
    else:
        listed_well = await client.children(job_id, SUCCEEDED)
        succeeded = (IndexSet.of(child.index for child in listed_well) & everything) - ended_badly
    unknown = everything - succeeded - ended_badly
    failed = _failures(listed, seen) & everything
    if unknown and not patient:
        failed, unknown = failed if seen.stopped_by_us else failed | unknown, IndexSet()
    most = None if every else MOST_FAILURES_SHOWN
    details = await details_of(client, job_id, failed, most=most)
    return Results(succeeded, failed, unknown, details, interrupted(_lost(listed) & failed, details))


async def glimpse(
    client: BatchClient,
    job_id: str,
    seen: Seen,
    before: Glimpse,
    *,
    moved: Seen | None,
    every: bool = False,
) -> tuple[Glimpse, int]:
    """What has become known about the children of a running array since `before`, and the calls it took.

    `moved` is how the array was seen at the last glimpse: lists whose counts did not change are not read.
    With `every`, the details of each failure are read, and not of the first few.
    """
    calls, found = 0, before
    if seen.counts.failed and (moved is None or moved.counts.failed != seen.counts.failed):
        children = await client.children(job_id, FAILED)
        failed = _failures(children, seen)
        if every:
            fresh = failed - IndexSet.of(child.place for child in before.details)
            details = (*before.details, *await details_of(client, job_id, fresh, most=None))
            calls += len(fresh) // _DESCRIBED_A_CALL
        else:
            details = await details_of(client, job_id, failed)
        found = replace(found, failed=failed, lost=_lost(children) & failed, details=details)
        calls += 2 + len(children) // _LISTED_A_CALL
    if seen.counts.succeeded and (moved is None or moved.counts.succeeded != seen.counts.succeeded):
        children = await client.children(job_id, SUCCEEDED)
        found = replace(found, succeeded=found.succeeded | IndexSet.of(child.index for child in children))
        calls += 1 + len(children) // _LISTED_A_CALL
    return found, calls


async def stuck_reason(client: BatchClient, job_id: str) -> str:
    """Why Batch cannot start a runnable child of an array; empty when it does not say."""
    children = await client.children(job_id, _RUNNABLE, most=1)
    return said_to_be_stuck(children[0].status_reason) if children else ""


async def details_of(
    client: BatchClient,
    job_id: str,
    places: IndexSet,
    *,
    single: bool = False,
    most: int | None = MOST_FAILURES_SHOWN,
) -> tuple[FailedChild, ...]:
    """Why these places failed; of the lowest few, in one call, or without `most` of all."""
    shown = places if most is None else places.part(0, most)
    ids = {place: job_id if single else f"{job_id}:{place}" for place in shown}
    jobs: dict[str, Job] = {}
    for some in chunks(ids.values()):
        jobs |= await client.describe_jobs(some)
    return tuple(_failed_child(place, jobs.get(child_id)) for place, child_id in ids.items())


def _failures(children: Iterable[Child], parent: Seen) -> IndexSet:
    """The places that failed by themselves, or by another's hand than ours."""
    return IndexSet.of(child.index for child in children if not _stopped_by_us(child, parent))


def _lost(children: Iterable[Child]) -> IndexSet:
    """The places whose host was lost."""
    return IndexSet.of(child.index for child in children if host_lost(child.status_reason))


def _stopped_by_us(child: Child, parent: Seen) -> bool:
    return child.status_reason.startswith(STOP_MARK) or (child.stopped and parent.stopped_by_us)


def _failed_child(place: int, job: Job | None) -> FailedChild:
    if job is None:
        return FailedChild(place)
    return FailedChild(
        place=place,
        exit_code=job.exit_code,
        reason=shortened(job.reason or "") or None,
        status_reason=shortened(job.status_reason) or None,
        attempts=job.attempts,
        interruptions=job.interruptions,
        log_group=_log_name(job.log_group or DEFAULT_LOG_GROUP) if job.log_stream else None,
        log_stream=_log_name(job.log_stream),
    )


def _log_name(name: str | None) -> str | None:
    """A name that would have to be cut is no name."""
    return name if name and len(name) <= LOG_NAME_LIMIT else None
