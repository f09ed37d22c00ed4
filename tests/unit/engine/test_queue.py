"""Laws of the work queue, as a state machine against a plain model, and its waiting side."""

import asyncio
import heapq
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pierhead.engine.queue import Backoff, Priority, QueueClosed, WorkQueue
from support.virtual_time import now, settle, virtual_time

KEYS = st.sampled_from("abcdef")
PRIORITIES = st.sampled_from(Priority)
DELAYS = st.floats(min_value=0.0, max_value=100.0)


class FakeTimers:
    """A clock that a test moves, and the calls that fall due on the way."""

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, FakeTimer]] = []
        self._count = 0

    def call_later(self, delay: float, call: Callable[[], None]) -> "FakeTimer":
        self._count += 1
        timer = FakeTimer(call)
        heapq.heappush(self._calls, (self.now + delay, self._count, timer))
        return timer

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._calls and self._calls[0][0] <= end:
            due, _, timer = heapq.heappop(self._calls)
            self.now = max(self.now, due)
            timer.ring()
        self.now = end


class FakeTimer:
    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        self._call = None

    def ring(self) -> None:
        if self._call is not None:
            self._call()


class QueueLaws(RuleBasedStateMachine):
    """The model: per key, what is owed a run, what runs, when a timer falls due, how often it failed."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = FakeTimers()
        self.queue: WorkQueue[str] = WorkQueue(
            clock=lambda: self.timers.now, random=Random(1), call_later=self.timers.call_later
        )
        self.lanes: dict[Priority, list[str]] = {priority: [] for priority in Priority}
        self.waiting_since: dict[str, float] = {}
        self.running: set[str] = set()
        self.again: dict[str, Priority] = {}
        self.due: dict[str, tuple[float, int, Priority]] = {}
        self.timers_set = 0
        self.failures: dict[str, int] = {}
        self.takes = 0

    def owe(self, key: str, priority: Priority) -> None:
        if key in self.running:
            self.again[key] = min(priority, self.again.get(key, priority))
            return
        for lane, waiting in self.lanes.items():
            if key in waiting:
                if lane <= priority:
                    return
                waiting.remove(key)
        self.waiting_since.setdefault(key, self.timers.now)
        self.lanes[priority].append(key)

    def set_timer(self, key: str, delay: float, priority: Priority) -> None:
        due = self.timers.now + delay
        if delay <= 0:
            self.owe(key, priority)
        elif key not in self.due or due < self.due[key][0]:
            self.timers_set += 1
            self.due[key] = (due, self.timers_set, priority)

    @rule(key=KEYS, priority=PRIORITIES)
    def add(self, key: str, priority: Priority) -> None:
        self.queue.add(key, priority)
        self.owe(key, priority)

    @rule(key=KEYS, delay=DELAYS, priority=PRIORITIES)
    def add_after(self, key: str, delay: float, priority: Priority) -> None:
        self.queue.add_after(key, delay, priority)
        self.set_timer(key, delay, priority)

    @rule(key=KEYS)
    def add_rate_limited(self, key: str) -> None:
        failures = self.failures.get(key, 0)
        step = min(300.0, 2.0**failures)
        delay = self.queue.add_rate_limited(key)
        assert step / 2 <= delay <= step
        self.failures[key] = failures + 1
        self.set_timer(key, delay, Priority.RETRY)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.failures.pop(key, None)

    @rule()
    def take(self) -> None:
        key = self.queue.get_nowait()
        lanes = [waiting for waiting in self.lanes.values() if waiting]
        if not lanes:
            assert key is None
            return
        assert key is not None
        assert key not in self.running
        self.takes += 1
        expected = lanes[0]
        if self.takes % 8 == 0:
            expected = min(lanes, key=lambda waiting: self.waiting_since[waiting[0]])
        assert key == expected[0]
        expected.remove(key)
        del self.waiting_since[key]
        self.due.pop(key, None)
        self.running.add(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.queue.done(key)
        self.running.remove(key)
        if key in self.again:
            self.owe(key, self.again.pop(key))

    @rule(seconds=st.floats(min_value=0.0, max_value=400.0))
    def advance(self, seconds: float) -> None:
        end = self.timers.now + seconds
        fallen = sorted((due, number, key) for key, (due, number, _) in self.due.items() if due <= end)
        self.timers.advance(seconds)
        for due, _, key in fallen:
            priority = self.due.pop(key)[2]
            self.owe(key, priority)
            if key in self.waiting_since and key not in self.running:
                self.waiting_since[key] = min(self.waiting_since[key], due)

    @invariant()
    def nothing_is_lost_and_nothing_invented(self) -> None:
        assert len(self.queue) == sum(len(waiting) for waiting in self.lanes.values())
        assert len(list(self.queue.running_since)) == len(self.running)

    def teardown(self) -> None:
        """Everything owed at the end comes out."""
        for key in sorted(self.running):
            self.queue.done(key)
        self.timers.advance(1000.0)
        owed = set(self.again) | set(self.due) | {key for lane in self.lanes.values() for key in lane}
        found = set()
        while (key := self.queue.get_nowait()) is not None:
            found.add(key)
        assert found == owed


TestQueueLaws = QueueLaws.TestCase
TestQueueLaws.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def queue_on(timers: FakeTimers) -> WorkQueue[str]:
    return WorkQueue(clock=lambda: timers.now, random=Random(1), call_later=timers.call_later)


def drained(queue: WorkQueue[str]) -> list[str]:
    keys = []
    while (key := queue.get_nowait()) is not None:
        keys.append(key)
        queue.done(key)
    return keys


def test_a_persons_change_goes_before_everything_else() -> None:
    queue = queue_on(FakeTimers())
    for priority in sorted(Priority, reverse=True):
        queue.add(priority.name, priority)
    assert drained(queue) == ["SPEC", "EVENT", "RETRY", "RESYNC"]


def test_a_flood_of_changes_does_not_starve_the_resync() -> None:
    timers = FakeTimers()
    queue = queue_on(timers)
    queue.add("quiet", Priority.RESYNC)
    timers.advance(1.0)
    for number in range(100):
        queue.add(f"loud-{number}", Priority.SPEC)
    assert drained(queue).index("quiet") < 8


def test_keys_that_fail_do_not_delay_a_healthy_one() -> None:
    timers = FakeTimers()
    queue = queue_on(timers)
    for _ in range(20):
        for number in range(500):
            queue.add_rate_limited(f"failing-{number}")
        timers.advance(301.0)
    queue.add("healthy", Priority.EVENT)
    assert queue.get_nowait() == "healthy"


def test_the_backoff_stays_within_its_bounds_however_often_a_key_fails() -> None:
    random, backoff = Random(1), Backoff()
    delays = [backoff.delay(failures, random) for failures in [*range(20), 10_000]]
    assert all(0.5 <= delay <= 300.0 for delay in delays)
    assert delays[-1] >= 150.0


def test_dropped_timers_do_not_pile_up() -> None:
    timers = FakeTimers()
    queue = queue_on(timers)
    for _ in range(10_000):
        queue.add("a")
        assert queue.get_nowait() == "a"
        queue.add_after("a", 3600.0)
        queue.done("a")
        timers.advance(0.01)
    assert len(queue._heap) < 200


@virtual_time
async def test_a_worker_that_waits_gets_a_key_when_its_time_comes() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=now)
    queue.add_after("later", 60.0)
    queue.add_after("sooner", 5.0)
    assert await queue.get() == "sooner"
    assert now() == pytest.approx(5.0)
    assert await queue.get() == "later"
    assert now() == pytest.approx(60.0)


@virtual_time
async def test_one_key_wakes_one_worker_and_a_cancelled_worker_passes_it_on() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=now)
    first, second = asyncio.ensure_future(queue.get()), asyncio.ensure_future(queue.get())
    await settle()
    queue.add("a")
    first.cancel()
    await settle()
    assert second.result() == "a"


@virtual_time
async def test_closing_ends_every_get_even_while_keys_wait() -> None:
    queue: WorkQueue[str] = WorkQueue(clock=now)
    waiting = asyncio.ensure_future(queue.get())
    await settle()
    queue.close()
    with pytest.raises(QueueClosed):
        await waiting
    queue.add("a")
    with pytest.raises(QueueClosed):
        await queue.get()


@virtual_time
async def test_a_key_that_is_hurried_is_the_next_of_its_priority_and_no_other() -> None:
    queue = WorkQueue[str](clock=now, random=Random(0))
    for key in ("a", "b", "c"):
        queue.add(key, Priority.EVENT)
    queue.add("late", Priority.RETRY)
    for key in ("c", "late", "unknown"):
        queue.hurry(key)

    assert [queue.get_nowait() for _ in range(5)] == ["c", "a", "b", "late", None]
