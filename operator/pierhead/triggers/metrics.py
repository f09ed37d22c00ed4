"""What is told about the queues that events come through.

Invariant: labels are of a fixed set, and nothing of a message, a queue or an EventTrigger is in any.
"""

from collections.abc import Callable
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge

End = Literal["handled", "discarded", "refused", "malformed"]
"""What became of a message. handled: every EventTrigger that wanted something of it has started it.
discarded: none wanted anything. Both are deleted. refused: an event in it can start nothing. malformed: it is
no JSON. Both are left, so they come back, and in the end go to the queue's dead-letter queue."""

_ENDS: Final[tuple[End, ...]] = ("handled", "discarded", "refused", "malformed")


class MessageMetrics:
    """The series of all queues of EventTriggers together."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._received = Counter(
            "pierhead_trigger_messages_received",
            "Messages received from the queues of EventTriggers; one that is shown again counts again.",
            registry=registry,
        )
        ends = Counter(
            "pierhead_trigger_messages", "Messages of EventTriggers by end.", ("end",), registry=registry
        )
        self._ends = {end: ends.labels(end) for end in _ENDS}
        self._registry = registry

    def received(self) -> None:
        """One more message."""
        self._received.inc()

    def ended(self, end: End) -> None:
        """A message is deleted, or left."""
        self._ends[end].inc()

    def follow(self, waiting: Callable[[], int]) -> None:
        """Reads this at each scrape."""
        Gauge(
            "pierhead_trigger_events_waiting",
            "Events that wait for an EventTrigger to start something.",
            registry=self._registry,
        ).set_function(waiting)
