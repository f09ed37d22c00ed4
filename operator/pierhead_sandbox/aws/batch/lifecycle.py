"""How jobs live: spawned, in line, starting, running, ended, tried again.

Invariant: a child that ended stays ended; `queue.in_flight` is the number of its children that are STARTING
or RUNNING; a parent ends with its last child. A timer carries the attempt it was set for and does nothing
when the child has moved on.
"""

import json
from collections import deque
from collections.abc import Iterable

from pierhead_sandbox.aws.batch import dependencies
from pierhead_sandbox.aws.batch.children import CANCELLED, TERMINATED
from pierhead_sandbox.aws.batch.context import Context
from pierhead_sandbox.aws.batch.region import Job, Queue, Ready
from pierhead_sandbox.aws.batch.settings import Script
from pierhead_sandbox.aws.batch.states import (
    ACTIVE,
    CHILD_FAILED,
    DEPENDENCY_FAILED,
    ENDED,
    FINAL,
    KILLED,
    OVERRIDES_TOO_LONG,
    TIMED_OUT,
    Status,
    retries,
)

OVERRIDE_LIMIT = 8192
_TIMED_OUT = 3


class Lifecycle:
    """Moves children; every method runs under the world's lock."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def spawn(self, job: Job) -> None:
        """Give a submitted job its children, and put those that wait for nothing in line."""
        children = job.children
        job.spawned = True
        children.created_at = self._context.clock.now() if job.is_array else job.created_at
        if job.is_array:
            job.parent_status = Status.PENDING
            self._context.emit(job, None)
        unspoilt = dependencies.open_books(job)
        because = job.stop_reason if job.stop == TERMINATED else ""
        if _overrides_too_long(job):
            because = OVERRIDES_TOO_LONG
        elif not unspoilt:
            because = because or DEPENDENCY_FAILED
        if because:
            self.fail_waiting(job, range(children.size), because)
        elif not job.unmet and job.blocked is None and not job.stop:
            self._all_runnable(job)
        else:
            children.move_all(Status.PENDING)
            self._tell_all(job)
            self.fail_waiting(job, dependencies.failed_pairs(job), DEPENDENCY_FAILED)
            ended = [
                index
                for index in range(children.size)
                if children.states[index] == Status.PENDING
                and dependencies.is_free(job, index)
                and not self._make_ready(job, index)
            ]
            self._settle(deque((job, index) for index in ended))
        self.dispatch(job.queue)

    def _all_runnable(self, job: Job) -> None:
        job.children.move_all(Status.RUNNABLE)
        self._tell_all(job)
        ready_at = self._context.clock.now() + self._context.settings.runnable_seconds
        job.queue.line.append(Ready(ready_at, job, 0, job.children.size))

    def _tell_all(self, job: Job) -> None:
        if self._context.emit.wanted:
            for index in range(job.children.size):
                self._context.emit(job, index)

    def _make_ready(self, job: Job, index: int) -> bool:
        """Put one child in line; False if it was cancelled while it waited, and so ended."""
        children = job.children
        if children.stops[index] == CANCELLED or job.stop == CANCELLED:
            self._mark_failed(job, index, children.status_reason(index) or job.stop_reason)
            return False
        children.move(index, Status.RUNNABLE)
        self._context.emit(job, index)
        self._line_up(job, index)
        return True

    def _line_up(self, job: Job, index: int) -> None:
        ready_at = self._context.clock.now() + self._context.settings.runnable_seconds
        line = job.queue.line
        if line and line[-1].job is job and line[-1].end == index:
            line[-1].end += 1
            line[-1].not_before = max(line[-1].not_before, ready_at)
        else:
            line.append(Ready(ready_at, job, index, index + 1))

    def dispatch(self, queue: Queue) -> None:
        """Start as many children of the line as the queue holds."""
        settings = self._context.settings
        simulated = settings.execution == "simulated"
        capacity = settings.queue_concurrency if simulated else settings.process_concurrency
        now = self._context.clock.now()
        while queue.line and queue.in_flight < capacity:
            head = queue.line[0]
            if head.not_before > now:
                if not now < queue.dispatch_at <= head.not_before:
                    queue.dispatch_at = head.not_before
                    self._context.timers.add(head.not_before, self.dispatch, queue)
                return
            index = head.next
            head.next += 1
            if head.next >= head.end:
                queue.line.popleft()
            if head.job.children.states[index] == Status.RUNNABLE:
                self._start(head.job, index)

    def _start(self, job: Job, index: int) -> None:
        children = job.children
        if children.stops[index] == CANCELLED or job.stop == CANCELLED:
            self.fail_waiting(job, [index], children.status_reason(index) or job.stop_reason)
            return
        attempt = children.attempt_number(index)
        script = self._context.scripts.find(job, index, attempt)
        if script is not None and script.stays == "RUNNABLE":
            self._hold_runnable(job, index, script)
            return
        job.queue.in_flight += 1
        if not children.stops[index]:
            children.explain(index)
        children.move(index, Status.STARTING)
        self._context.emit(job, index)
        if script is not None and script.stays == "STARTING":
            job.held.add(index)
        else:
            self._context.after(
                self._context.settings.starting_seconds, self._run, job, index, attempt, script
            )

    def _hold_runnable(self, job: Job, index: int, script: Script) -> None:
        job.held.add(index)
        job.children.explain(index, status_reason=script.status_reason)
        self._context.emit(job, index)
        for action in job.queue.request.get("jobStateTimeLimitActions") or ():
            if script.status_reason.startswith(action["reason"]):
                self._context.after(action["maxTimeSeconds"], self._limit, job, index, script.status_reason)

    def _limit(self, job: Job, index: int, reason: str) -> None:
        if index in job.held and job.children.states[index] == Status.RUNNABLE:
            text = f"Canceled by JobStateTimeLimit action due to reason: {reason}"
            self.fail_waiting(job, [index], text)

    def _run(self, job: Job, index: int, attempt: int, script: Script | None) -> None:
        children = job.children
        if children.states[index] != Status.STARTING or children.attempt_number(index) != attempt:
            return
        settings = self._context.settings
        children.started[index] = self._context.clock.now()
        if children.stops[index] == TERMINATED:
            self.finish(job, index, attempt, KILLED, "", "")
            return
        if script is not None and script.fails_in == "STARTING" and not script.succeeds:
            self.finish(job, index, attempt, script.exit_code, script.reason, script.status_reason)
            return
        children.move(index, Status.RUNNING)
        self._context.emit(job, index)
        if job.timeout is not None:
            self._context.after(job.timeout, self._time_out, job, index, attempt)
        if script is None and settings.execution == "process":
            self._context.processes.start(job, index, attempt)
        elif script is not None and script.stays == "RUNNING":
            job.held.add(index)
        else:
            script = script or Script()
            seconds = settings.running_seconds if script.seconds is None else script.seconds
            self._context.after(
                seconds,
                self.finish,
                job,
                index,
                attempt,
                script.exit_code,
                script.reason,
                script.status_reason,
            )

    def _time_out(self, job: Job, index: int, attempt: int) -> None:
        children = job.children
        if children.states[index] == Status.RUNNING and children.attempt_number(index) == attempt:
            if not children.stops[index]:
                children.stops[index] = _TIMED_OUT
            children.explain(index, status_reason=TIMED_OUT)
            self.stop_active(job, index)

    def stop_active(self, job: Job, index: int) -> None:
        """Signal a child that is STARTING or RUNNING; it ends a little later, and is not tried again."""
        settings = self._context.settings
        attempt = job.children.attempt_number(index)
        if not self._context.processes.stop(job, index, attempt, settings.stop_grace_seconds):
            self._context.after(settings.stopping_seconds, self.finish, job, index, attempt, KILLED, "", "")

    def finish(
        self, job: Job, index: int, attempt: int, exit_code: int | None, reason: str, status_reason: str
    ) -> None:
        """An attempt ended."""
        children = job.children
        if children.states[index] not in ACTIVE or children.attempt_number(index) != attempt:
            return
        job.queue.in_flight -= 1
        job.held.discard(index)
        stopped = bool(children.stops[index])
        because = children.status_reason(index) if stopped else status_reason or ENDED
        children.end_attempt(
            index, at=self._context.clock.now(), exit_code=exit_code, reason=reason, status_reason=because
        )
        succeeded = exit_code == 0 and not stopped
        again = not (succeeded or stopped or job.stop) and retries(
            job.strategy, attempt=attempt, exit_code=exit_code, reason=reason, status_reason=because
        )
        if again:
            children.next_attempt(index)
            children.move(index, Status.RUNNABLE)
            self._context.emit(job, index)
            self._line_up(job, index)
        else:
            children.move(index, Status.SUCCEEDED if succeeded else Status.FAILED)
            self._settle(deque([(job, index)]))
        self.dispatch(job.queue)

    def fail_waiting(self, job: Job, indexes: Iterable[int], because: str) -> None:
        """End children that never started."""
        ended: deque[tuple[Job, int]] = deque()
        for index in tuple(indexes):
            if job.children.states[index] < Status.STARTING:
                self._mark_failed(job, index, because)
                ended.append((job, index))
        self._settle(ended)

    def _mark_failed(self, job: Job, index: int, because: str) -> None:
        children = job.children
        job.held.discard(index)
        children.stopped[index] = self._context.clock.now()
        children.explain(index, status_reason=because)
        children.move(index, Status.FAILED)

    def _settle(self, ended: deque[tuple[Job, int]]) -> None:
        """Let everything follow from children that ended: their parents, and who waited for them."""
        touched: set[Queue] = set()
        while ended:
            job, index = ended.popleft()
            self._context.emit(job, index)
            moves = list(dependencies.after_child(job, index))
            if job.children.ended == job.children.size and not (job.is_array and job.parent_status in FINAL):
                self._end_job(job)
                moves += dependencies.after_job(job)
            for waiter, child, free in moves:
                if waiter.children.states[child] != Status.PENDING:
                    continue
                if not free:
                    self._mark_failed(waiter, child, DEPENDENCY_FAILED)
                    ended.append((waiter, child))
                elif not self._make_ready(waiter, child):
                    ended.append((waiter, child))
                else:
                    touched.add(waiter.queue)
        for queue in touched:
            self.dispatch(queue)

    def _end_job(self, job: Job) -> None:
        job.stopped_at = self._context.clock.now()
        if job.is_array:
            failed = job.children.counts[Status.FAILED] > 0
            job.parent_status = Status.FAILED if failed else Status.SUCCEEDED
            job.ended_because = (job.stop_reason or CHILD_FAILED) if failed else ""
            self._context.emit(job, None)
        self._context.after(self._context.settings.retention_seconds, self._context.forget, job)

    def release(self, job: Job) -> None:
        """Let the held children of a job go on as the scripts now say."""
        held, job.held = sorted(job.held), set()
        for index in held:
            status = job.children.status(index)
            attempt = job.children.attempt_number(index)
            script = self._context.scripts.find(job, index, attempt)
            if status == Status.RUNNABLE:
                self._line_up(job, index)
            elif script is not None and script.stays == status.name:
                job.held.add(index)
            elif status == Status.STARTING:
                self._run(job, index, attempt, script)
            elif status == Status.RUNNING:
                script = script or Script()
                self.finish(job, index, attempt, script.exit_code, script.reason, script.status_reason)
        self.dispatch(job.queue)


def _overrides_too_long(job: Job) -> bool:
    given = [job.request.get("containerOverrides"), job.request.get("ecsPropertiesOverride")]
    return any(
        overrides and len(json.dumps(overrides, separators=(",", ":"))) > OVERRIDE_LIMIT
        for overrides in given
    )
