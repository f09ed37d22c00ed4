"""Which times of a schedule are due is what CronJob's controller would say."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pierhead.triggers.cron import TOO_MANY, Due, due
from pierhead.triggers.model import EventTriggerSpec


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# Schedule, zone, since, now, deadline -> due, next, missed.
CASES = {
    "not yet": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:00",
        "2026-01-01 10:59:59",
        None,
        None,
        "2026-01-01 11:00",
        0,
    ),
    "at its very time": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:00",
        "2026-01-01 11:00",
        None,
        "2026-01-01 11:00",
        "2026-01-01 12:00",
        1,
    ),
    "a little later": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:30",
        "2026-01-01 11:20",
        None,
        "2026-01-01 11:00",
        "2026-01-01 12:00",
        1,
    ),
    "the time that was handled is not due again": (
        "0 * * * *",
        "UTC",
        "2026-01-01 11:00",
        "2026-01-01 11:20",
        None,
        None,
        "2026-01-01 12:00",
        0,
    ),
    "of several missed times the latest": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:30",
        "2026-01-01 14:20",
        None,
        "2026-01-01 14:00",
        "2026-01-01 15:00",
        4,
    ),
    "within the deadline": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:30",
        "2026-01-01 14:20",
        1201,
        "2026-01-01 14:00",
        "2026-01-01 15:00",
        1,
    ),
    "over the deadline": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:30",
        "2026-01-01 14:20",
        1200,
        None,
        "2026-01-01 15:00",
        0,
    ),
    "a deadline over several times": (
        "0 * * * *",
        "UTC",
        "2026-01-01 10:30",
        "2026-01-01 14:20",
        7200,
        "2026-01-01 14:00",
        "2026-01-01 15:00",
        2,
    ),
    "macros": ("@daily", "UTC", "2026-01-01 10:00", "2026-01-03 10:00", None, "2026-01-03", "2026-01-04", 2),
    "@weekly is Sunday": ("@weekly", "UTC", "2026-01-01", "2026-01-05", None, "2026-01-04", "2026-01-11", 1),
    "in a zone": (
        "30 9 * * *",
        "Europe/Berlin",
        "2026-07-01",
        "2026-07-01 08:00",
        None,
        "2026-07-01 07:30",
        "2026-07-02 07:30",
        1,
    ),
    "a fixed hour that is skipped comes after it": (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-03-28 12:00",
        "2026-03-29 02:00",
        None,
        "2026-03-29 01:00",
        "2026-03-30 00:30",
        1,
    ),
    "a fixed hour that comes twice comes once": (
        "30 2 * * *",
        "Europe/Berlin",
        "2026-10-24 12:00",
        "2026-10-25 02:00",
        None,
        "2026-10-25 00:30",
        "2026-10-26 01:30",
        1,
    ),
    "day of month or day of week": (
        "0 0 13 * 5",
        "UTC",
        "2026-01-01 12:00",
        "2026-01-13 12:00",
        None,
        "2026-01-13",
        "2026-01-16",
        3,
    ),
    "a leap day": ("0 0 29 2 *", "UTC", "2026-01-01", "2026-12-31", None, None, "2028-02-29", 0),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_due(case):
    schedule, zone, since, now, deadline, expected, following, missed = CASES[case]
    found = due(schedule, zone, since=at(since), now=at(now), deadline_seconds=deadline)
    assert found == Due(at(expected) if expected else None, at(following), missed)


def test_of_very_many_missed_times_the_latest_is_due_and_counting_ends():
    now = at("2026-06-01 10:00:30")
    found = due("* * * * *", "UTC", since=at("2026-01-01"), now=now)
    assert found == Due(at("2026-06-01 10:00"), at("2026-06-01 10:01"), TOO_MANY + 1)


@given(
    st.sampled_from(["* * * * *", "*/7 * * * *", "5 4 * * *", "@hourly", "0 0 * * 1"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
    st.integers(0, 400 * 24 * 60),
    st.integers(1, 5 * 24 * 60),
)
def test_what_was_handled_is_never_due_again_and_nothing_is_left_out(schedule, zone, start, length):
    since = at("2026-01-01") + timedelta(minutes=start, seconds=17)
    now = since + timedelta(minutes=length)
    found = due(schedule, zone, since=since, now=now)
    assert found.next > now
    if found.at is None:
        assert due(schedule, zone, since=since, now=now - timedelta(minutes=1)).at is None
        return
    assert since < found.at <= now
    after = due(schedule, zone, since=found.at, now=now)
    assert after == Due(None, found.next, 0)


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("0 0 30 2 *", "is not a cron schedule: Bad day-of-month"),
        ("61 * * * *", "is not a cron schedule"),
        ("* * * *", "should match"),
        ("TZ=UTC 0 0 * * *", "should match"),
        ("CRON_TZ=UTC 0 0 * * *", "should match"),
        ("@every 1h", "should match"),
    ],
)
def test_a_schedule_without_meaning_is_refused(schedule, fault):
    given_spec = {"schedule": schedule, "template": {"kind": "BatchJob", "spec": {}}}
    with pytest.raises(ValidationError, match=fault):
        EventTriggerSpec.model_validate(given_spec)


def test_an_unknown_time_zone_is_refused():
    given_spec = {
        "schedule": "@daily",
        "timeZone": "Europe/Atlantis",
        "template": {"kind": "BatchJob", "spec": {}},
    }
    with pytest.raises(ValidationError, match="is not a time zone of the IANA database"):
        EventTriggerSpec.model_validate(given_spec)
