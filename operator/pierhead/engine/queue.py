"""The work queue: which key is due, and for whom it waits.

Invariant: a key is run by one worker at a time, and every add is followed by a run that starts after it.
Adds while the key waits are one run; adds while it runs are one more run. A run takes the key's timer
with it, because it decides anew when the key is next due.

Semantics follow client-go's workqueue; the priorities, the backoff and the share of the oldest are ours.
"""

import asyncio
import heapq
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from random import Random
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)

# Every so many takes serve the key that waited longest, so that no priority is starved for ever.
_OLDEST_EVERY = 8
# Dropped timers stay in the heap until they are this many times the live ones.
_HEAP_SLACK = 2
_HEAP_FLOOR = 64


class Priority(IntEnum):
    """Who waits for the run; the lower goes first."""

    SPEC = 0
    """A person changed the object."""
    EVENT = 1
    """Something it depends on moved."""
    RETRY = 2
    """A deadline or a backoff ended."""
    RESYNC = 3
    """Nobody: the periodic look at everything."""


class QueueClosed(Exception):
    """The queue hands out no more keys."""


class QueueMetrics(Protocol):
    """What the queue tells about itself; times in seconds."""

    def added(self) -> None:
        """A key began to wait."""

    def retried(self) -> None:
        """A key was put back with backoff."""

    def taken(self, waited: float) -> None:
        """A key went to a worker."""

    def finished(self, worked: float) -> None:
        """A worker handed a key back."""


class Timer(Protocol):
    """A call that is still to come, as `asyncio.TimerHandle`."""

    def cancel(self) -> None:
        """Prevents the call."""


CallLater = Callable[[float, Callable[[], None]], Timer]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with equal jitter: half of the step is fixed, half is random."""

    first: float = 1.0
    longest: float = 300.0

    def delay(self, failures: int, random: Random) -> float:
        """Seconds to wait after the failure that `failures` others came before; 0.5 s to 5 min by default."""
        # 2**64 s is beyond any `longest`; the bound keeps the power from overflowing a float.
        step = min(self.longest, self.first * 2.0 ** min(failures, 64))
        return step / 2 + random.uniform(0, step / 2)


class WorkQueue(Generic[Key]):
    """Keys that are due, waiting for a timer, or being run. Belongs to one event loop's thread."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        backoff: Backoff | None = None,
        metrics: QueueMetrics | None = None,
        call_later: CallLater | None = None,
    ) -> None:
        self._clock = clock
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._backoff = backoff or Backoff()
        self._metrics = metrics
        self._call_later = call_later or _loop_call_later
        self._lanes: tuple[OrderedDict[Key, float], ...] = tuple(OrderedDict() for _ in Priority)
        self._lane_of: dict[Key, Priority] = {}
        self._running: dict[Key, float] = {}
        self._again: dict[Key, Priority] = {}
        self._due: dict[Key, tuple[float, Priority]] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._sequence = 0
        self._takes = 0
        self._failures: dict[Key, int] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._timer: tuple[float, Timer] | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many keys wait for a worker; running ones and timers do not count."""
        return len(self._lane_of)

    @property
    def running_since(self) -> Iterable[float]:
        """When, on the queue's clock, each running key was taken."""
        return self._running.values()

    def add(self, key: Key, priority: Priority = Priority.SPEC) -> None:
        """Makes the key due now. A key that waits already keeps its place, or moves to a better lane."""
        if self._closed:
            return
        if key in self._running:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        lane = self._lane_of.get(key)
        if lane is None:
            self._put(key, priority, self._clock())
            if self._metrics is not None:
                self._metrics.added()
            self._wake_one()
        elif priority < lane:
            self._put(key, priority, self._lanes[lane].pop(key))

    def hurry(self, key: Key) -> None:
        """Makes a key that waits the next of its priority; does nothing to any other."""
        lane = self._lane_of.get(key)
        if lane is not None:
            self._lanes[lane].move_to_end(key, last=False)

    def add_after(self, key: Key, delay: float, priority: Priority = Priority.RETRY) -> None:
        """Makes the key due in `delay` seconds, unless it is due earlier already."""
        if delay <= 0:
            self.add(key, priority)
            return
        if self._closed:
            return
        due = self._clock() + delay
        existing = self._due.get(key)
        if existing is not None and existing[0] <= due:
            return
        self._due[key] = (due, priority)
        if len(self._heap) > _HEAP_SLACK * len(self._due) + _HEAP_FLOOR:
            self._compact()
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        self._arm()

    def add_rate_limited(self, key: Key) -> float:
        """Makes the key due after its own backoff, which grows until `forget`. The seconds used."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = self._backoff.delay(failures, self._random)
        if self._metrics is not None:
            self._metrics.retried()
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """Ends the key's backoff; its next failure waits the shortest time again."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """The next key to run; waits for one. Each must be handed back with `done`.

        Raises QueueClosed once the queue is closed, even while keys wait.
        """
        while True:
            if self._closed:
                raise QueueClosed
            if self._lane_of:
                return self._take()
            await self._wait()

    def get_nowait(self) -> Key | None:
        """As `get`, but None when no key is due."""
        if self._closed:
            raise QueueClosed
        return self._take() if self._lane_of else None

    def done(self, key: Key) -> None:
        """Hands a key back; it is due again if it was added while it ran."""
        started = self._running.pop(key)
        if self._metrics is not None:
            self._metrics.finished(self._clock() - started)
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)

    def close(self) -> None:
        """Ends every present and future `get`, and ignores adds from now on."""
        self._closed = True
        if self._timer is not None:
            self._timer[1].cancel()
            self._timer = None
        while self._getters:
            self._wake_one()

    def _put(self, key: Key, priority: Priority, since: float) -> None:
        self._lanes[priority][key] = since
        self._lane_of[key] = priority

    def _take(self) -> Key:
        self._takes += 1
        lanes = [lane for lane in self._lanes if lane]
        lane = lanes[0]
        if self._takes % _OLDEST_EVERY == 0 and len(lanes) > 1:
            lane = min(lanes, key=lambda waiting: next(iter(waiting.values())))
        key, since = lane.popitem(last=False)
        del self._lane_of[key]
        self._due.pop(key, None)
        now = self._clock()
        self._running[key] = now
        if self._metrics is not None:
            self._metrics.taken(now - since)
        return key

    async def _wait(self) -> None:
        getter = asyncio.get_running_loop().create_future()
        self._getters.append(getter)
        try:
            await getter
        except asyncio.CancelledError:
            if getter in self._getters:
                self._getters.remove(getter)
            elif self._lane_of:
                # The wake-up came with the cancellation: another worker must have it.
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _arm(self) -> None:
        due = self._heap[0][0]
        if self._timer is not None:
            if self._timer[0] <= due:
                return
            self._timer[1].cancel()
        self._timer = (due, self._call_later(max(0.0, due - self._clock()), self._ring))

    def _ring(self) -> None:
        self._timer = None
        now = self._clock()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            current = self._due.get(key)
            if current is not None and current[0] == due:
                del self._due[key]
                self.add(key, current[1])
        if self._heap:
            self._arm()

    def _compact(self) -> None:
        live = {key: due for key, (due, _) in self._due.items()}
        self._heap = [entry for entry in self._heap if live.get(entry[2]) == entry[0]]
        heapq.heapify(self._heap)


def _loop_call_later(delay: float, call: Callable[[], None]) -> Timer:
    return asyncio.get_running_loop().call_later(delay, call)
