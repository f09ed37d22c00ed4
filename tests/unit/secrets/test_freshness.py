"""How old what a Secret holds may be before it is told, and that it is told once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.freshness import MOST_NAMESPACES, Freshness, Limits, shown
from pierhead.secrets.model import SyncedSecretStatus
from support.secret_specs import live_of, resource_of, status_of

HOUR = 3600.0
RESOURCE = resource_of()
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
STATUS = status_of("m", live=live_of())


class Clock:
    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


def freshness_of(clock: Clock, **limits: float) -> Freshness:
    return Freshness(Limits(**limits), clock=clock, now=lambda: NOW)


def failing(since: datetime | str, status: str = "False") -> SyncedSecretStatus:
    ready = {"type": "Ready", "status": status, "reason": "AwsUnavailable", "message": ""}
    moment = since if isinstance(since, str) else since.isoformat()
    return status_of("m", live=live_of(), conditions=[ready | {"lastTransitionTime": moment}])


@pytest.mark.parametrize(
    ("interval", "age", "stale"),
    [
        (HOUR, 3 * HOUR - 1, False),
        (HOUR, 3 * HOUR, True),
        (1.0, 899, False),
        (1.0, 900, True),
        (24 * HOUR, 71 * HOUR, False),
    ],
)
def test_a_secret_is_stale_after_three_intervals_and_not_within_a_quarter_of_an_hour(
    interval: float, age: float, stale: bool
) -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    freshness.read(RESOURCE.key)
    clock.time += interval
    assert freshness.failed(RESOURCE, STATUS, interval) == ()
    clock.time += age - interval

    assert bool(freshness.failed(RESOURCE, STATUS, interval)) is stale


def test_one_failure_after_half_a_day_of_events_makes_nothing_stale() -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    freshness.read(RESOURCE.key)
    clock.time += 12 * HOUR
    assert freshness.failed(RESOURCE, STATUS, HOUR) == ()
    clock.time += 2 * HOUR - 1
    assert freshness.failed(RESOURCE, STATUS, HOUR) == ()
    clock.time += 1

    assert [one.type for one in freshness.failed(RESOURCE, STATUS, HOUR)] == ["Stale"]


def test_what_is_told_does_not_change_with_time_and_ends_with_a_read() -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    freshness.read(RESOURCE.key)
    told = set()
    for _ in range(24):
        clock.time += HOUR
        told.add(freshness.failed(RESOURCE, STATUS, HOUR))
    freshness.read(RESOURCE.key)

    assert [[one.type for one in conditions] for conditions in sorted(told, key=len)] == [[], ["Stale"]]
    assert "more than 3h" in next(one.message for conditions in told for one in conditions)
    assert freshness.failed(RESOURCE, STATUS, HOUR) == ()


@pytest.mark.parametrize(
    ("stored", "stale"),
    [
        (failing(NOW - timedelta(hours=4)), True),
        (failing(NOW - timedelta(hours=2)), False),
        (failing(NOW - timedelta(hours=4), "True"), False),
        (failing(NOW - timedelta(hours=4), "Unknown"), False),
        (failing(NOW + timedelta(hours=4)), False),
        (failing("2026-11-23T08:00:00"), False),
        (failing("long ago"), False),
        (STATUS, False),
    ],
)
def test_a_new_process_takes_up_how_long_reads_have_failed(stored: SyncedSecretStatus, stale: bool) -> None:
    assert bool(freshness_of(Clock()).failed(RESOURCE, stored, HOUR)) is stale


def test_where_there_is_no_secret_nothing_ages() -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    for _ in range(2):
        assert freshness.failed(RESOURCE, status_of(), HOUR) == ()
        clock.time += 100 * HOUR

    assert freshness.oldest() == {}


def test_the_metric_has_the_oldest_of_each_namespace_and_few_namespaces() -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    for number in range(2 * MOST_NAMESPACES):
        freshness.read(ObjectKey(f"n{number}", "a"))
        clock.time += 1
        freshness.read(ObjectKey(f"n{number}", "b"))
    freshness.read(ObjectKey("once", "a"), again=False)
    freshness.forget(ObjectKey("n0", "a"))
    ages = freshness.oldest()

    assert len(ages) == MOST_NAMESPACES
    assert ages["n1"] == 2 * MOST_NAMESPACES - 1
    assert "once" not in ages


def test_a_failed_read_ages_also_what_was_to_be_read_once() -> None:
    clock = Clock()
    freshness = freshness_of(clock)
    freshness.read(RESOURCE.key, again=False)
    clock.time += HOUR
    freshness.failed(RESOURCE, STATUS, HOUR)

    assert freshness.oldest() == {"shop": HOUR}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3 * HOUR, "3h"), (900, "15m"), (5400, "90m"), (90, "90s"), (172800, "2d"), (0.5, "0.5s")],
)
def test_lengths_of_time(seconds: float, text: Any) -> None:
    assert shown(seconds) == text
