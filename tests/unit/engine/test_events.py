"""Events are few: the same words once in ten minutes, and a bucket for each object."""

from typing import Any

from pierhead.engine.events import EventFilter, FilteredEvents
from pierhead.engine.outcome import Transient

OBJECT: dict[str, Any] = {"metadata": {"namespace": "team", "name": "a", "uid": "u1"}}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_same_words_go_out_once_in_ten_minutes() -> None:
    clock = Clock()
    events = EventFilter(clock)
    assert events.admit("u1", "Denied", "no")
    clock.now += 599.0
    assert not events.admit("u1", "Denied", "no")
    assert events.admit("u1", "Denied", "still no")
    assert events.admit("u2", "Denied", "no")
    clock.now += 2.0
    assert events.admit("u1", "Denied", "no")


def test_an_object_that_flaps_empties_its_own_bucket_only() -> None:
    clock = Clock()
    events = EventFilter(clock)
    admitted = sum(events.admit("u1", "Ready", f"{number}") for number in range(100))
    assert admitted == 10
    assert events.admit("u2", "Ready", "0")
    clock.now += 3600.0
    assert sum(events.admit("u1", "Ready", f"later {number}") for number in range(100)) == 10


def test_it_remembers_a_bounded_number_of_objects() -> None:
    events = EventFilter(Clock())
    for number in range(10_000):
        events.admit(f"u{number}", "Ready", "yes")
    assert len(events._histories) <= 4096
    assert not events.admit("u9999", "Ready", "yes")


class Broken:
    def __init__(self) -> None:
        self.calls = 0

    async def emit(self, *_: Any) -> None:
        self.calls += 1
        raise Transient("down")


async def test_an_event_that_cannot_be_written_harms_nothing() -> None:
    broken = Broken()
    events = FilteredEvents(broken, EventFilter(Clock()))
    await events.emit(OBJECT, "Warning", "Denied", "no")
    await events.emit(OBJECT, "Warning", "Denied", "no")
    assert broken.calls == 1
