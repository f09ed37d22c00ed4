"""Windows: when they open, by the wall clock of a zone, and what they say."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.apps.gates.windows import IGNORE_WINDOWS, opening, window_gate
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.model.windows import Window
from pierhead.apps.situation import State
from pierhead.engine.outcome import Invalid
from pierhead.model import parse, seconds

MONDAY = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def window(kind: str, schedule: str, duration: str, zone: str = "UTC") -> Window:
    return Window(kind=kind, schedule=schedule, duration=duration, time_zone=zone)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


OFFICE = window("Allow", "0 9 * * 1-5", "8h", "Europe/Berlin")
FREEZE = window("Deny", "0 0 20 12 *", "312h")


@pytest.mark.parametrize(
    ("windows", "now", "opens"),
    [
        ([], MONDAY, None),
        ([OFFICE], MONDAY, None),
        ([OFFICE], at("2026-11-23T16:00:00Z"), at("2026-11-24T08:00:00Z")),
        ([OFFICE], at("2026-11-27T16:30:00Z"), at("2026-11-30T08:00:00Z")),
        ([OFFICE], at("2026-11-23T08:00:00Z"), None),
        ([OFFICE], at("2026-11-23T07:59:59.999Z"), at("2026-11-23T08:00:00Z")),
        ([FREEZE], MONDAY, None),
        ([FREEZE], at("2026-12-24T18:00:00Z"), at("2027-01-02T00:00:00Z")),
        # Inside the Deny window no Allow window opens; the first after it is a Monday's.
        ([OFFICE, FREEZE], at("2026-12-24T10:00:00Z"), at("2027-01-04T08:00:00Z")),
        # The Deny window ends while the Allow window is open.
        (
            [OFFICE, window("Deny", "0 12 * * *", "1h")],
            at("2026-11-24T12:10:00Z"),
            at("2026-11-24T13:00:00Z"),
        ),
        # Windows that follow on each other are one.
        ([window("Deny", "0 */6 * * *", "6h")], MONDAY, "never"),
        # 02:30 does not exist on this night: the window begins when the clocks have been put forward.
        (
            [window("Allow", "30 2 * * *", "1h", "Europe/Berlin")],
            at("2026-03-29T00:45:00Z"),
            at("2026-03-29T01:00:00Z"),
        ),
        # 02:30 comes twice on this night: the window begins the first time, and lasts an hour of real time.
        (
            [window("Allow", "30 2 * * *", "1h", "Europe/Berlin")],
            at("2026-10-25T00:20:00Z"),
            at("2026-10-25T00:30:00Z"),
        ),
        ([window("Allow", "30 2 * * *", "1h", "Europe/Berlin")], at("2026-10-25T01:15:00Z"), None),
        (
            [window("Allow", "30 2 * * *", "30m", "Europe/Berlin")],
            at("2026-10-25T01:15:00Z"),
            at("2026-10-26T01:30:00Z"),
        ),
    ],
)
def test_when_windows_open(windows, now, opens):
    found = opening(windows, now)

    if opens == "never":
        assert found is not None
        assert not found.certain
    else:
        assert (found.at if found else None) == opens


SCHEDULES = st.sampled_from(
    ["0 * * * *", "30 2 * * *", "0 0 * * 1-5", "*/20 1-4 * * *", "15 */5 * * *", "0 3 1,15 * *", "45 1 * * 0"]
)
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kolkata"]
)
WINDOWS = st.lists(
    st.builds(
        window,
        st.sampled_from(["Allow", "Deny"]),
        SCHEDULES,
        st.sampled_from(["5m", "30m", "90m", "3h", "26h"]),
        ZONES,
    ),
    max_size=3,
)
NIGHTS = st.sampled_from(
    [
        at("2026-03-28T20:00:00Z"),
        at("2026-10-24T20:00:00Z"),
        at("2026-03-08T00:00:00Z"),
        at("2026-04-04T10:00:00Z"),
    ]
)


def _starts(candidate: Window, since: datetime, until: datetime) -> list[datetime]:
    """Every beginning, found by going forward from well before, as cron itself does."""
    found = []
    for tick in CronSim(candidate.schedule, since.astimezone(ZoneInfo(candidate.time_zone))):
        if tick.astimezone(UTC) > until:
            return found
        found.append(tick.astimezone(UTC))
    return found


@settings(max_examples=60, deadline=None)
@given(WINDOWS, NIGHTS, st.integers(0, 18 * 60))
def test_the_opening_is_the_first_open_instant(windows, night, minutes):
    now = night + timedelta(minutes=minutes)
    until = now + timedelta(days=2)
    spans = [
        (item.kind, start, start + timedelta(seconds=seconds(item.duration)))
        for item in windows
        for start in _starts(item, night - timedelta(days=40), until)
    ]

    def is_open(moment: datetime) -> bool:
        inside = {kind for kind, start, end in spans if start <= moment < end}
        allowed = "Allow" in inside or all(item.kind == "Deny" for item in windows)
        return allowed and "Deny" not in inside

    edges = sorted({now, *(edge for _, start, end in spans for edge in (start, end) if now < edge <= until)})
    expected = next((edge for edge in edges if is_open(edge)), None)
    found = opening(windows, now)

    if found is None:
        assert expected == now
    elif expected is not None:
        assert found.at == expected
    else:
        assert found.at > until


def test_a_closed_window_says_when_it_opens():
    gate = window_gate([OFFICE], {}, at("2026-11-23T16:00:00Z"))

    assert gate is not None
    assert (gate.state, gate.reason, gate.deadline) == (
        State.PENDING,
        "WindowClosed",
        at("2026-11-24T08:00:00Z"),
    )
    assert gate.message == "no Allow window is open; opens 2026-11-24T08:00:00Z"


def test_a_freeze_is_named():
    gate = window_gate([OFFICE, FREEZE], {}, at("2026-12-24T10:00:00Z"))

    assert gate is not None
    assert gate.message == "spec.windows[1] (Deny 0 0 20 12 *, UTC) is in force; opens 2027-01-04T08:00:00Z"


def test_what_never_opens_says_the_same_at_every_look():
    always = [window("Deny", "* * * * *", "1h")]
    gates = [window_gate(always, {}, MONDAY + timedelta(minutes=minutes)) for minutes in (0, 1, 7)]

    assert {gate.message for gate in gates if gate} == {
        "spec.windows[0] (Deny * * * * *, UTC) is in force; no opening is in sight"
    }


@pytest.mark.parametrize(
    ("annotation", "closed"),
    [
        ("2026-11-23T17:00:00Z", False),
        ("2026-11-23T15:59:00Z", True),
        ("true", True),
        ("2026-11-23T17:00", True),
    ],
)
def test_windows_are_ignored_until_a_time(annotation, closed):
    gate = window_gate([OFFICE], {IGNORE_WINDOWS: annotation}, at("2026-11-23T16:00:00Z"))

    assert (gate is not None) == closed


def test_an_annotation_that_is_no_time_is_told():
    gate = window_gate([OFFICE], {IGNORE_WINDOWS: "true"}, at("2026-11-23T16:00:00Z"))

    assert gate is not None
    assert "is not a time" in gate.message


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"schedule": "0 25 * * *"}, "spec.windows[0].schedule"),
        ({"schedule": "0 0 30 2 *"}, "spec.windows[0].schedule"),
        ({"schedule": "0 0 * * 1#9"}, "spec.windows[0].schedule"),
        ({"timeZone": "Europe/Atlantis"}, "spec.windows[0].timeZone"),
        ({"timeZone": "America"}, "spec.windows[0].timeZone"),
        ({"duration": "0s"}, "spec.windows[0]"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_with_its_field(change, field):
    spec = {
        "source": {"inline": {"files": {"a.yaml": "{}"}}},
        "windows": [{"kind": "Allow", "schedule": "0 9 * * *", "duration": "1h", **change}],
    }
    with pytest.raises(Invalid) as caught:
        parse(AppReleaseSpec, spec)
    assert caught.value.field == field
