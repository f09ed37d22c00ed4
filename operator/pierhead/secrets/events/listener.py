"""From the messages of the queue to SyncedSecrets that look.

Invariants: an event is a hint and no more: what it says decides which objects look, at what rate is not its
to say, and what is true is read from AWS. A message is deleted when the looks it led to are over, or when it
leads to none; one that is no JSON is left for the dead-letter queue. No body is logged.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

import structlog

from pierhead.aws.events import AwsEvent, NotJSON, read_event
from pierhead.aws.queues import Message
from pierhead.secrets.events.health import Health
from pierhead.secrets.events.hint import PROBE_SOURCE, Hint, hints, service_of
from pierhead.secrets.events.index import Index
from pierhead.secrets.events.metrics import End, EventMetrics
from pierhead.secrets.events.pending import Errand, Pending, Served

REMEMBERED: Final = 10_000
"""Ids of events that are known again; each is delivered at least once."""

WARM_SECONDS: Final = 120.0
"""Age of this process before which not every object may have been seen: what no object seems to be concerned
by is not deleted then, but comes back."""

_log = structlog.get_logger(__name__)

Settle = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where events may come from."""

    regions: frozenset[str]
    accounts: frozenset[str]
    """Empty: any."""

    region: str
    """Of events that do not say."""

    def takes(self, region: str, account: str) -> bool:
        """Whether events of there are listened to; what is not known excludes nothing."""
        return region in self.regions and (not account or not self.accounts or account in self.accounts)


class Listener:
    """Takes messages."""

    def __init__(
        self,
        *,
        index: Index,
        pending: Pending,
        scope: Scope,
        health: Health,
        metrics: EventMetrics,
        delete: Settle,
        leave: Settle,
        clock: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        """`clock` is monotonic, `now` in Unix seconds."""
        self._index = index
        self._pending = pending
        self._scope = scope
        self._health = health
        self._metrics = metrics
        self._delete = delete
        self._leave = leave
        self._clock = clock
        self._now = now
        self._began = clock()
        self._malformed = False
        self._known: OrderedDict[str, None] = OrderedDict()

    def take(self, message: Message, body: str) -> None:
        """Takes one message, and sees to it that it is deleted or left, now or later."""
        self._metrics.received()
        try:
            event = read_event(body)
        except NotJSON:
            self._leave(message)
            self._metrics.ended("malformed")
            tell = _log.debug if self._malformed else _log.warning
            self._malformed = True
            tell("a message in the queue of secret events is no JSON", message_id=message.id)
            return
        end = self._end(message, event)
        if end is not None:
            self._delete(message)
            self._metrics.ended(end)

    def _end(self, message: Message, event: AwsEvent | None) -> End | None:
        """How the message ends at once; None where it does not."""
        if event is None:
            return "ignored"
        if event.source == PROBE_SOURCE:
            self._health.arrived()
            return "probe"
        if service_of(event) is None or not self._scope.takes(
            event.region or self._scope.region, event.account
        ):
            return "ignored"
        self._health.arrived()
        if event.id and event.id in self._known:
            self._known.move_to_end(event.id)
            return "duplicate"
        told = [replace(hint, region=hint.region or self._scope.region) for hint in hints(event)]
        own = [hint for hint in told if self._scope.takes(hint.region, hint.account)]
        if told and not own:
            return "ignored"
        return self._asked(message, event, own)

    def _asked(self, message: Message, event: AwsEvent, told: Collection[Hint]) -> End | None:
        concerned = {hint: self._index.concerned(hint) for hint in told}
        if not any(concerned.values()):
            if told and self._clock() - self._began < WARM_SECONDS:
                self._leave(message)
                return None
            return "irrelevant"
        looking = [
            (key, hint)
            for hint, keys in concerned.items()
            for key in sorted(keys, key=str)
            if not self._index.has(key, hint)
        ]
        if not looking:
            self._remember(event)
            return "synced"

        def done(served: Collection[Served]) -> None:
            self._delete(message)
            self._remember(event)
            self._metrics.ended(_end_of(served), self._now() - message.sent)

        errand = Errand(done)
        for key, hint in looking:
            self._pending.add(key, hint, errand)
        return None

    def _remember(self, event: AwsEvent) -> None:
        """Only once it is done with: until then it may have to come back."""
        if event.id:
            self._known[event.id] = None
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)


def _end_of(served: Collection[Served]) -> End:
    """How a message ended whose looks ended so."""
    if "looked" in served or "synced" in served:
        return "refreshed"
    return "unseen" if "unseen" in served else "dropped"
