"""What a BatchJob costs."""

from pathlib import Path
from typing import Any

import pytest

from pierhead.aws.batchsurvey import Span
from pierhead.cli.batch.costs.command import data_of, resources_of
from pierhead.cli.batch.costs.estimate import Resources, estimated
from pierhead.cli.batch.costs.prices import Prices
from pierhead.cli.failures import CommandError
from pierhead.cli.prices import prices_of

NOW = 1_000_000.0


def batch_job(size: int = 4, *, ended: bool = False, **status: int) -> dict[str, Any]:
    conditions = [{"type": "Failed", "status": "True"}] if ended else []
    return {
        "metadata": {"name": "j", "namespace": "n"},
        "spec": {"queue": "q", "template": {"container": {"resources": {"vcpu": 2, "memoryMiB": 1024}}}},
        "status": {"size": size, "conditions": conditions, **status},
    }


def span(seconds: float) -> Span:
    return Span(0, round(seconds * 1000))


def running(seconds: float) -> Span:
    return Span(round(NOW - seconds * 1000), None)


@pytest.mark.parametrize(
    ("obj", "spans", "each", "measured", "unmeasured", "ahead"),
    [
        # Nothing has run: how long it takes has to be said.
        (batch_job(), [], None, (0, 0), (0, 0), (4, None)),
        (batch_job(), [], 60, (0, 0), (0, 0), (4, 240)),
        # The mean of what ended is expected of the rest, and of what runs its remainder.
        (
            batch_job(succeeded=2, active=1, waiting=1),
            [span(10), span(30), running(5)],
            None, (3, 45), (0, 0), (1, 35),
        ),
        (batch_job(succeeded=2, active=2), [span(10), span(30), running(50)], None, (3, 90), (0, 0), (1, 20)),
        (batch_job(active=4), [running(5)], None, (1, 5), (0, 0), (3, None)),
        # Indexes that failed in an earlier round have run twice.
        (batch_job(succeeded=4), [span(10)] * 6, None, (6, 60), (0, 0), (0, 0)),
        # Batch has forgotten some; nothing more comes of what has ended.
        (batch_job(ended=True, succeeded=2, failed=1), [span(10)], None, (1, 10), (2, 20), (0, 0)),
        (batch_job(ended=True, failed=1), [], None, (0, 0), (1, None), (0, 0)),
    ],
)  # fmt: skip
def test_what_is_not_measured_is_like_what_is(
    obj: dict[str, Any],
    spans: list[Span],
    each: float | None,
    measured: tuple[int, float],
    unmeasured: tuple[int, float],
    ahead: tuple[int, float | None],
) -> None:
    found = estimated(obj, spans, now=NOW, seconds_each=each)
    assert [(part.runs, part.seconds) for part in (found.measured, found.unmeasured, found.ahead)] == [
        measured,
        unmeasured,
        ahead,
    ]


def test_the_cost_is_of_what_is_reserved() -> None:
    obj = batch_job(succeeded=1, active=3)
    found = estimated(obj, [span(3600)], now=NOW, seconds_each=None)
    data = data_of(obj, found, resources_of(obj, []), Prices(vcpuHour=1, gibHour=10))
    assert data["measured"] == {"runs": 1, "seconds": 3600, "vcpuHours": 2, "gibHours": 1, "cost": 12}
    assert (data["ahead"]["cost"], data["cost"], data["incomplete"]) == (36, 48, False)
    unknown = data_of(obj, estimated(obj, [], now=NOW, seconds_each=None), Resources(1, 1), Prices())
    assert (unknown["ahead"]["cost"], unknown["cost"], unknown["incomplete"]) == (None, 0, True)


def test_what_a_job_definition_reserves_is_not_made_up() -> None:
    obj = {"metadata": {"name": "j"}, "spec": {"jobDefinition": "work:1"}}
    with pytest.raises(CommandError, match="is not known"):
        resources_of(obj, [])


def test_prices_are_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("vcpuHour: 0.5\ncurrency: EUR\n")
    found = prices_of(Prices, path)
    assert (found.vcpu_hour, found.currency, found.date) == (0.5, "EUR", "as prices.yaml says")
    path.write_text("vCpuHour: 0.5")
    with pytest.raises(CommandError, match="date, currency, vcpuHour, gibHour"):
        prices_of(Prices, path)
