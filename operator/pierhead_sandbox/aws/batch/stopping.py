"""CancelJob and TerminateJob.

Invariant: the call only marks; what it does happens after the cascade's delay, and never to a child that
ended. A cancelled child that waits for others ends when they have; one that started goes on.
"""

from pierhead_sandbox.aws.batch.children import CANCELLED, TERMINATED
from pierhead_sandbox.aws.batch.context import Context
from pierhead_sandbox.aws.batch.lifecycle import Lifecycle
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.states import ACTIVE, FINAL, Status


class Stopping:
    """Marks jobs and carries the marks out."""

    def __init__(self, context: Context, lifecycle: Lifecycle) -> None:
        self._context = context
        self._lifecycle = lifecycle

    def stop(self, job: Job, index: int | None, reason: str, *, terminate: bool) -> None:
        """Cancel or terminate a job, all of an array, or one child."""
        whole = index is None
        status = job.status if index is None else job.children.status(index)
        if status in FINAL or (status in ACTIVE and not terminate):
            return
        mark = TERMINATED if terminate else CANCELLED
        if whole:
            job.stop = max(job.stop, mark)
            job.stop_reason = reason
        if index is None and job.is_array:
            indexes: range | tuple[int] = range(job.children.size)
        else:
            indexes = (index or 0,)
        if not whole or not job.is_array:
            self._mark(job, indexes, mark, reason)
        self._context.after(
            self._context.settings.cascade_seconds, self._carry_out, job, indexes, mark, reason
        )

    def _mark(self, job: Job, indexes: range | tuple[int], mark: int, reason: str) -> None:
        for index in indexes:
            children = job.children
            if children.states[index] in FINAL:
                continue
            children.stops[index] = max(children.stops[index], mark)
            children.explain(index, status_reason=reason)

    def _carry_out(self, job: Job, indexes: range | tuple[int], mark: int, reason: str) -> None:
        if not job.spawned:
            # The mark on the job is read when its children come to be.
            return
        children = job.children
        waiting = []
        for index in indexes:
            status = children.status(index)
            if status == Status.RUNNABLE or (status == Status.PENDING and mark == TERMINATED):
                waiting.append(index)
            elif status == Status.PENDING or (status in ACTIVE and mark == TERMINATED):
                self._mark(job, (index,), mark, reason)
                if status in ACTIVE:
                    self._lifecycle.stop_active(job, index)
        self._lifecycle.fail_waiting(job, waiting, reason)
        self._lifecycle.dispatch(job.queue)
