"""The Batch as a whole: regions, one lock, one thread that makes time pass.

Invariant: every look at a job happens under the lock and after everything that was due has happened, so a
caller never sees a moment that should be over.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pierhead_sandbox.aws.batch.clock import Clock
from pierhead_sandbox.aws.batch.context import Context, Emit, Processes
from pierhead_sandbox.aws.batch.lifecycle import Lifecycle
from pierhead_sandbox.aws.batch.region import Job, Region
from pierhead_sandbox.aws.batch.settings import BatchSettings, Script, Submission
from pierhead_sandbox.aws.batch.stopping import Stopping

_LOGGER = logging.getLogger(__name__)

# Callbacks between two chances for callers to get a word in.
_BURST = 500


class World:
    """Everything the Batch API and the sandbox's door act on."""

    def __init__(self, emit: Emit, processes: Processes, *, clock: Clock | None = None) -> None:
        """`clock`: the machine's where none is given."""
        self._changed = threading.Condition(threading.RLock())
        self._stopping = False
        self._context = Context(emit=emit, processes=processes, forget=self._forget, clock=clock or Clock())
        self._lifecycle = Lifecycle(self._context)
        self._stops = Stopping(self._context, self._lifecycle)
        self._regions: dict[tuple[str, str], Region] = {}
        self._numbers = 0
        self.submissions: list[Submission] = []
        self._thread = threading.Thread(target=self._pass_time, name="batch-clock", daemon=True)

    def start(self) -> None:
        """Let time pass."""
        self._thread.start()

    def stop(self) -> None:
        """Stop time."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join(timeout=5)

    @contextmanager
    def open(self) -> Iterator[None]:
        """The lock, with the world brought up to now before, and time started again after."""
        with self._changed:
            self._catch_up()
            yield
            self._catch_up()
            self._changed.notify_all()

    def region(self, account: str, name: str) -> Region:
        """An account's Batch in a region; made when first asked for."""
        return self._regions.setdefault((account, name), Region(account, name))

    def regions(self) -> list[Region]:
        """Every region that was ever asked for."""
        return list(self._regions.values())

    @property
    def settings(self) -> BatchSettings:
        """The switches in force."""
        return self._context.settings

    @settings.setter
    def settings(self, settings: BatchSettings) -> None:
        self._context.settings = settings

    def now(self) -> float:
        """The Batch's time in Unix seconds."""
        return self._context.clock.now()

    def next_moment(self) -> float | None:
        """When the next thing is due, in Unix seconds; None where nothing is."""
        return self._context.timers.next_at()

    def next_number(self) -> int:
        """A number for a new job, growing."""
        self._numbers += 1
        return self._numbers

    def admit(self, job: Job) -> None:
        """Take a validated job."""
        region = job.region
        region.jobs[job.id] = job
        job.queue.jobs.append(job)
        for upstream_id, _ in job.dependencies:
            for name in {upstream_id, upstream_id.partition(":")[0]}:
                region.waiters.setdefault(name, []).append(job)
        self.submissions.append(
            Submission(
                at=job.created_at,
                job_id=job.id,
                job_name=job.name,
                queue=job.queue.name,
                definition=f"{job.definition.name}:{job.definition.revision}",
                array_size=job.array_size,
                region=region.name,
            )
        )
        self._context.after(self.settings.submitted_seconds, self._lifecycle.spawn, job)

    def stop_job(self, job: Job, index: int | None, reason: str, *, terminate: bool) -> None:
        """Cancel or terminate."""
        self._stops.stop(job, index, reason, terminate=terminate)

    def process_ended(self, job: Job, index: int, attempt: int, exit_code: int | None, reason: str) -> None:
        """A local process ended, or could not start."""
        with self.open():
            self._lifecycle.finish(job, index, attempt, exit_code, reason, "")

    def release(self, job: Job) -> None:
        """Let the held children of a job go on."""
        self._lifecycle.release(job)

    def forget(self, job: Job) -> None:
        """Age a job out at once."""
        self._forget(job)

    def add_script(self, script: Script) -> None:
        """Put a script in force."""
        self._context.scripts.add(script)

    def clear_scripts(self) -> None:
        """Forget every script."""
        self._context.scripts.clear()

    def freeze(self) -> None:
        """Stop the clock: only `advance` moves it."""
        self._context.clock.freeze()

    def run(self) -> None:
        """Let the clock go on."""
        self._context.clock.run()

    def advance(self, seconds: float) -> None:
        """Live through so many seconds, everything in its order."""
        context = self._context
        target = context.clock.now() + seconds
        while (due := context.timers.next_at()) is not None and due <= target:
            context.clock.jump(due)
            context.timers.run(context.clock.now(), _BURST)
        context.clock.jump(target)

    def settle_down(self) -> None:
        """First settings, no scripts, no journal, and a clock that runs; jobs and queues stay."""
        self.submissions.clear()
        self._context.scripts.clear()
        self._context.settings = BatchSettings()
        self._context.clock.run()

    def reset(self) -> None:
        """An empty Batch with its first settings; processes still running are killed."""
        self._context.processes.clear()
        self._context.emit.clear()
        self._regions.clear()
        self.submissions.clear()
        self._context.timers.clear()
        self._context.scripts.clear()
        self._context.settings = BatchSettings()
        self._context.clock.reset()

    def _forget(self, job: Job) -> None:
        job.region.jobs.pop(job.id, None)
        job.region.waiters.pop(job.id, None)
        if job in job.queue.jobs:
            job.queue.jobs.remove(job)

    def _catch_up(self) -> None:
        context = self._context
        while context.timers.run(context.clock.now(), _BURST) == _BURST:
            continue

    def _pass_time(self) -> None:
        context = self._context
        while True:
            with self._changed:
                if self._stopping:
                    return
                try:
                    count = context.timers.run(context.clock.now(), _BURST)
                except Exception:
                    # Time goes on for all other jobs.
                    _LOGGER.exception("a job's next step failed")
                    continue
                if count < _BURST:
                    due = None if context.clock.frozen else context.timers.next_at()
                    self._changed.wait(None if due is None else max(0.0, due - context.clock.now()))
