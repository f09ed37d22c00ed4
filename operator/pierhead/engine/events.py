"""Events about our objects: few, and each worth reading.

Invariant: the same words about the same object go out once in ten minutes, and no object causes more than
a bucket of Events however it flaps. What an Event says is in a condition too, so a dropped one loses nothing.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object, ObjectKey

EventType = Literal["Normal", "Warning"]

# As client-go's event correlator: one Event in five minutes, after a burst; ours is smaller.
_BURST = 10
_REFILL_SECONDS = 300.0
_REPEAT_SECONDS = 600.0
_REMEMBERED_OBJECTS = 4096

_log = structlog.get_logger(__name__)


class EventSink(Protocol):
    """Where Events go. `pierhead.kube.store.EventWriter` writes them to the API server."""

    async def emit(self, obj: Object, event_type: EventType, reason: str, message: str) -> None:
        """Says something about an object. Raises ReconcileError when it could not be said."""
        ...


@dataclass(slots=True)
class _History:
    """What one object has said lately."""

    tokens: float
    refilled_at: float
    said: dict[tuple[str, str], float]


class EventFilter:
    """Decides which Events go out. Pure but for the clock; remembers a bounded number of objects."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._histories: OrderedDict[str, _History] = OrderedDict()

    def admit(self, uid: str, reason: str, message: str) -> bool:
        """Whether this Event goes out; counts it if so."""
        now = self._clock()
        history = self._histories.pop(uid, None) or _History(_BURST, now, {})
        self._histories[uid] = history
        if len(self._histories) > _REMEMBERED_OBJECTS:
            self._histories.popitem(last=False)
        history.tokens = min(_BURST, history.tokens + (now - history.refilled_at) / _REFILL_SECONDS)
        history.refilled_at = now
        history.said = {words: at for words, at in history.said.items() if now - at < _REPEAT_SECONDS}
        words = (reason, message)
        if words in history.said or history.tokens < 1:
            return False
        history.tokens -= 1
        history.said[words] = now
        return True


class FilteredEvents:
    """An `EventSink` in front of another: filters, and turns a failed write into a log line."""

    def __init__(self, sink: EventSink, events: EventFilter | None = None) -> None:
        self._sink = sink
        self._filter = events or EventFilter()

    async def emit(self, obj: Object, event_type: EventType, reason: str, message: str) -> None:
        """Never raises for a failed write: an Event is a courtesy."""
        if not self._filter.admit(obj["metadata"]["uid"], reason, message):
            return
        try:
            await self._sink.emit(obj, event_type, reason, message)
        except ReconcileError as error:
            _log.warning(
                "event not written", object=str(ObjectKey.of(obj)), reason=reason, error=error.reason
            )
