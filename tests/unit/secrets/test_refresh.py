"""What failed, or was repaired, is looked at ever more seldom."""

import pytest

from pierhead.secrets.refresh import Repairs, retry_seconds


@pytest.mark.parametrize(
    ("failures", "interval", "seconds"),
    [(1, 3600, 30), (2, 3600, 60), (5, 3600, 480), (20, 3600, 3600), (5000, 3600, 3600), (1, 10, 10)],
)
def test_failures_are_looked_at_ever_more_seldom_and_at_least_every_interval(
    failures: int, interval: float, seconds: float
) -> None:
    assert retry_seconds(failures, interval) == seconds


def test_repairs_are_made_at_once_and_slow_down_against_somebody_who_insists() -> None:
    time = 0.0
    repairs = Repairs(lambda: time)
    made = 0
    while time < 3600:
        wait = repairs.wait()
        if wait == 0:
            made += 1
        time += wait or 0.1

    assert made < 25
    time += 3600
    assert [repairs.wait(), repairs.wait()] == [0, 0]
