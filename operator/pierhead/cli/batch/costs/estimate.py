"""What a BatchJob has cost, and will.

Invariant: pure. What was measured and what is expected are never one figure without being two as well; where
no time is known of a run, nothing is expected of it, and that is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pierhead.aws.batchsurvey import Span
from pierhead.cli.batch import views
from pierhead.cli.batch.costs.prices import Prices

_HOUR: Final = 3600
_MIB: Final = 1024
_MILLISECONDS: Final = 1000


@dataclass(frozen=True, slots=True)
class Resources:
    """What each index reserves."""

    vcpus: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some runs of indexes, and their time in all."""

    runs: int
    seconds: float | None
    """None where nobody knows how long they take."""

    def data(self, resources: Resources, prices: Prices) -> dict[str, Any]:
        """It as `-o json` prints it."""
        if self.seconds is None:
            return {"runs": self.runs, "seconds": None, "vcpuHours": None, "gibHours": None, "cost": None}
        vcpu_hours = self.seconds * resources.vcpus / _HOUR
        gib_hours = self.seconds * resources.memory_mib / _MIB / _HOUR
        return {
            "runs": self.runs,
            "seconds": round(self.seconds, 1),
            "vcpuHours": round(vcpu_hours, 4),
            "gibHours": round(gib_hours, 4),
            "cost": round(vcpu_hours * prices.vcpu_hour + gib_hours * prices.gib_hour, 4),
        }


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was measured, and what is expected beside it."""

    measured: Part
    unmeasured: Part
    """Runs that ended without their times being known, taken to be like the others."""

    ahead: Part
    """What is left of the runs under way, and the runs to come."""


def estimated(
    obj: Mapping[str, Any], spans: Iterable[Span], *, now: float, seconds_each: float | None
) -> Estimate:
    """The estimate of a BatchJob whose runs had these times; `now` is in milliseconds since 1970.

    `seconds_each` is how long a run takes where it is not known; the mean of those that ended by default.
    """
    ended: list[float] = []
    running: list[float] = []
    for span in spans:
        until = now if span.stopped_at is None else span.stopped_at
        length = max(0.0, (until - span.started_at) / _MILLISECONDS)
        (running if span.stopped_at is None else ended).append(length)
    each = seconds_each
    if each is None and ended:
        each = sum(ended) / len(ended)
    counts = views.status_of(obj)
    done = int(counts.get("succeeded") or 0) + int(counts.get("failed") or 0)
    forgotten = max(0, done - len(ended))
    fresh = 0 if views.is_finished(obj) else max(0, views.size_of(obj) - done - len(running))
    rest = sum(max(0.0, each - passed) for passed in running) if each is not None else 0.0
    return Estimate(
        measured=Part(len(ended) + len(running), sum(ended) + sum(running)),
        unmeasured=_expected(forgotten, each),
        ahead=_expected(fresh, each, rest, under_way=bool(running)),
    )


def _expected(runs: int, each: float | None, rest: float = 0.0, *, under_way: bool = False) -> Part:
    if each is None:
        return Part(runs, None if runs or under_way else 0.0)
    return Part(runs, runs * each + rest)
