"""Each change of a job's state as a "Batch Job State Change" on moto's EventBridge.

Invariant: the state a job is in when it changes is what its event says, however late it is delivered; the
engine never waits for a delivery. There is no event for a job's first SUBMITTED. Duplicates, loss and
disorder follow a seeded generator, so a run can be repeated.
Source: AWS Batch user guide, "Batch EventBridge events".
"""

import queue
import random
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from pierhead_sandbox.aws.batch.describe import detail
from pierhead_sandbox.aws.batch.region import Job
from pierhead_sandbox.aws.batch.settings import BatchSettings
from pierhead_sandbox.aws.batch.states import Status
from pierhead_sandbox.aws.bus import Bus, Event

_SOURCE = "aws.batch"
_STATE_CHANGE = "Batch Job State Change"
_BLOCKED = "Batch Job Queue Blocked"
_SEED = 20_240_611
_PATIENCE_SECONDS = 0.05


class Publisher:
    """Turns changes of state into events, and delivers them from a thread of its own."""

    def __init__(self, bus: Bus, now: Callable[[], float], settings: Callable[[], BatchSettings]) -> None:
        self._bus = bus
        self._now = now
        self._settings = settings
        self._pending: queue.SimpleQueue[tuple[int, Event] | None] = queue.SimpleQueue()
        self._random = random.Random(_SEED)
        self._cleared_at = 0
        self._count = 0
        self._thread = threading.Thread(target=self._deliver, name="batch-events", daemon=True)

    def clear(self) -> None:
        """Deliver nothing of what happened until now, and begin chance anew."""
        self._cleared_at = self._count
        self._random.seed(_SEED)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Deliver what is pending, and end."""
        self._pending.put(None)
        self._thread.join(timeout=5)

    @property
    def wanted(self) -> bool:
        """Whether events are on and a rule anywhere could match them."""
        return self._settings().events and self._bus.has_rules()

    def __call__(self, job: Job, index: int | None) -> None:
        """A child's state changed, or with None the parent's."""
        if not self._settings().events:
            return
        status = job.parent_status if index is None else job.children.status(index)
        kinds = [_STATE_CHANGE]
        if status == Status.RUNNABLE and index is not None and _blocks(job.children.status_reason(index)):
            kinds.append(_BLOCKED)
        # A detail is dear, and of a large array's children mostly nobody wants to hear.
        kinds = [kind for kind in kinds if self._heard(job, index, status, kind)]
        if not kinds:
            return
        now = self._now()
        body = detail(job, index, now)
        for kind in kinds:
            arns = [body["jobArn"], job.queue.arn] if kind == _BLOCKED else [body["jobArn"]]
            self._put(job, kind, body, arns, now)

    def _heard(self, job: Job, index: int | None, status: Status, detail_type: str) -> bool:
        known = {
            "source": _SOURCE,
            "detail-type": detail_type,
            "detail.status": status.name,
            "detail.arrayProperties.index": index if job.is_array else None,
        }
        return self._bus.heard(job.region.account, job.region.name, known)

    def _put(self, job: Job, detail_type: str, body: dict[str, Any], arns: list[str], now: float) -> None:
        settings = self._settings()
        if self._random.random() < settings.event_loss:
            return
        event = Event(
            id=str(UUID(int=self._random.getrandbits(128), version=4)),
            account=job.region.account,
            region=job.region.name,
            source=_SOURCE,
            detail_type=detail_type,
            resources=tuple(arns),
            detail=body,
            at=now,
        )
        self._count += 1
        self._pending.put((self._count, event))
        if self._random.random() < settings.event_duplicates:
            self._pending.put((self._count, event))

    def _deliver(self) -> None:
        while True:
            window = [self._pending.get()]
            # A window for disorder closes when it is full or nothing more comes for a moment.
            while window[-1] is not None and len(window) < self._settings().event_disorder:
                try:
                    window.append(self._pending.get(timeout=_PATIENCE_SECONDS))
                except queue.Empty:
                    break
            last = window.pop() if window[-1] is None else window[0]
            self._random.shuffle(window)
            for item in window:
                if item is not None and item[0] > self._cleared_at:
                    self._bus.put(item[1])
            if last is None:
                return


def _blocks(status_reason: str) -> bool:
    """Whether a runnable job cannot start; one that lost its host has a reason too, and waits for another."""
    return status_reason.startswith(("CAPACITY:", "MISCONFIGURATION:", "ACTION_REQUIRED", "UNDETERMINED"))
