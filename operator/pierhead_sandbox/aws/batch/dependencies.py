"""Who waits for whom.

Invariant: a child leaves PENDING exactly once: freed when the last thing it waits for succeeded, or doomed
when the first of them failed. This module keeps the books and says who moves; the life cycle moves them.
Source: AWS Batch user guide, "Job dependencies" and "Array job dependencies".
"""

from collections.abc import Iterator

from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.states import Status

Move = tuple[Job, int, bool]
"""A job, the index of its child, and whether it may run."""


def open_books(job: Job) -> bool:
    """Count what each child of a new job waits for, as the world is now. False: some of it failed already."""
    size = job.children.size
    blocked = bytearray(size)
    if job.sequential:
        blocked[:] = b"\1" * size
        blocked[0] = 0
    for upstream_id, child_by_child in job.dependencies:
        upstream = job.region.jobs.get(upstream_id.partition(":")[0])
        if upstream is None:
            return False
        if child_by_child:
            for index in range(size):
                if upstream.children.states[index] != Status.SUCCEEDED:
                    blocked[index] += 1
            continue
        status = _status(upstream_id, upstream)
        if status == Status.FAILED:
            return False
        if status != Status.SUCCEEDED:
            job.unmet.add(upstream_id)
    job.blocked = blocked if any(blocked) else None
    return True


def failed_pairs(job: Job) -> Iterator[int]:
    """Indexes whose counterpart in an N_TO_N upstream had failed before the job's children existed."""
    for upstream_id, child_by_child in job.dependencies:
        upstream = job.region.jobs.get(upstream_id)
        if child_by_child and upstream is not None:
            for index in range(job.children.size):
                if upstream.children.states[index] == Status.FAILED:
                    yield index


def after_child(job: Job, index: int) -> Iterator[Move]:
    """Who moves because a child ended."""
    succeeded = job.children.states[index] == Status.SUCCEEDED
    if job.sequential and index + 1 < job.children.size:
        yield from _count_down(job, index + 1, succeeded)
    for waiter in job.region.waiters.get(job.id, ()):
        if waiter.spawned and (job.id, True) in waiter.dependencies:
            yield from _count_down(waiter, index, succeeded)
    if job.is_array:
        yield from _after(job.child_id(index), job, succeeded)


def after_job(job: Job) -> Iterator[Move]:
    """Who moves because a whole job ended."""
    yield from _after(job.id, job, job.status == Status.SUCCEEDED)


def is_free(job: Job, index: int) -> bool:
    """Whether nothing holds this child back."""
    return not job.unmet and (job.blocked is None or not job.blocked[index])


def _after(job_id: str, job: Job, succeeded: bool) -> Iterator[Move]:
    for waiter in job.region.waiters.get(job_id, ()):
        if not waiter.spawned or (job_id, False) not in waiter.dependencies:
            continue
        waiter.unmet.discard(job_id)
        for index in range(waiter.children.size):
            if waiter.children.states[index] != Status.PENDING:
                continue
            if not succeeded:
                yield waiter, index, False
            elif is_free(waiter, index):
                yield waiter, index, True


def _count_down(waiter: Job, index: int, succeeded: bool) -> Iterator[Move]:
    if waiter.children.states[index] != Status.PENDING:
        return
    if not succeeded:
        yield waiter, index, False
        return
    if waiter.blocked is not None and waiter.blocked[index]:
        waiter.blocked[index] -= 1
    if is_free(waiter, index):
        yield waiter, index, True


def _status(job_id: str, job: Job) -> Status:
    _, colon, index = job_id.partition(":")
    if not colon:
        return job.status
    return job.children.status(int(index)) if job.spawned else Status.SUBMITTED
