"""What is told about events.

Invariant: labels are of a fixed set, and nothing of a message is in any.
"""

from collections.abc import Callable
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

End = Literal[
    "refreshed", "synced", "unseen", "dropped", "irrelevant", "ignored", "malformed", "duplicate", "probe"
]
"""How a message ended. refreshed: what it names was read. synced: its version was in the Secret already.
unseen: AWS never showed its version. dropped: the objects it was for are gone. irrelevant: nobody names it.
ignored: of a foreign source, account or region. malformed: no JSON, left for the dead-letter queue."""

_ENDS: Final[tuple[End, ...]] = (
    "refreshed", "synced", "unseen", "dropped", "irrelevant", "ignored", "malformed", "duplicate", "probe",
)  # fmt: skip
_AGES: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class EventMetrics:
    """The series of the event queue."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "pierhead_secret_events_received",
            "Messages received from the queue of secret events.",
            registry=registry,
        )
        ends = Counter(
            "pierhead_secret_events", "Messages of secret events by end.", ("end",), registry=registry
        )
        self._ends = {end: ends.labels(end) for end in _ENDS}
        self._age = Histogram(
            "pierhead_secret_events_age_seconds",
            "Time from a message's arrival in the queue to the end of the refresh it asked for.",
            buckets=_AGES,
            registry=registry,
        )
        self._registry = registry

    def received(self) -> None:
        """One more message."""
        self._received.inc()

    def ended(self, end: End, age: float | None = None) -> None:
        """A message is done with; `age` in seconds where it asked for a refresh."""
        self._ends[end].inc()
        if age is not None:
            self._age.observe(max(0.0, age))

    def follow(
        self, *, good: Callable[[], bool], silence: Callable[[], float], held: Callable[[], int]
    ) -> None:
        """Reads these at each scrape."""
        Gauge(
            "pierhead_secret_events_healthy",
            "1 while events arrive, so that polls are rare.",
            registry=self._registry,
        ).set_function(lambda: float(good()))
        Gauge(
            "pierhead_secret_events_silence_seconds",
            "Time since the last event, probes included.",
            registry=self._registry,
        ).set_function(silence)
        Gauge(
            "pierhead_secret_events_held",
            "Messages whose refresh is under way.",
            registry=self._registry,
        ).set_function(held)
