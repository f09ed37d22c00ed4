"""The queues that events come through, each read once for all EventTriggers that name it.

Invariant: a message is deleted only when every EventTrigger that wants something of it has started it, or
had started it before. What nobody wants is deleted too, but not before everybody was asked: for a while after
a queue was opened messages are kept for those who are not there yet. One that is no JSON is left to the
queue's dead-letter policy. Nothing of a body is kept but the events in it, while somebody waits for them.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

from pierhead.aws.access import Access
from pierhead.aws.errors import NotFound
from pierhead.aws.events import NotJSON
from pierhead.aws.queues import Message, MessageQueue
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended
from pierhead.triggers.events import Event, events_in
from pierhead.triggers.metrics import MessageMetrics

Accepts = Callable[[Event], bool]

GRACE_SECONDS = 60.0
"""How long after a queue was opened its messages are kept for EventTriggers that are not there yet."""


@dataclass(frozen=True, slots=True)
class Place:
    """A queue, and who reads it."""

    access: Access
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """An event that waits for one EventTrigger."""

    place: Place
    message: Message
    event: Event

    @property
    def sent(self) -> datetime:
        """When it came into the queue, to the millisecond."""
        return datetime.fromtimestamp(round(self.message.sent * 1000) / 1000, UTC)


_Claim = tuple[ObjectKey, str]
"""An EventTrigger, and the id of an event it waits for."""

_NOT_THERE_YET: Final[_Claim] = ObjectKey("", ""), ""
"""The claim of EventTriggers that are not there yet."""


@dataclass(slots=True)
class _Kept:
    """A message, and why it may not be deleted yet."""

    message: Message
    events: tuple[Event, ...] = ()
    claims: set[_Claim] = field(default_factory=set)
    wanted: bool = False


@dataclass(slots=True)
class _Listener:
    """One queue that is read."""

    queue: MessageQueue
    task: "asyncio.Task[None]"
    wants: dict[ObjectKey, Accepts] = field(default_factory=dict)
    kept: dict[str, _Kept] = field(default_factory=dict)
    """Messages that may not be deleted yet, by id."""
    open_to_all: bool = True
    """Whether messages are kept for EventTriggers that are not there yet."""


class Listeners:
    """All queues."""

    def __init__(
        self,
        sessions: AwsSessions,
        random: Random,
        metrics: MessageMetrics,
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._sessions = sessions
        self._grace_seconds = grace_seconds
        self._random = random
        self._wake: Wake = lambda _key: None
        self._listeners: dict[Place, _Listener] = {}
        self._places: dict[ObjectKey, Place] = {}
        self._pending: dict[ObjectKey, dict[tuple[str, str], Pending]] = {}
        self._malformed: dict[ObjectKey, str] = {}
        self._metrics = metrics
        metrics.follow(lambda: sum(len(waiting) for waiting in self._pending.values()))

    def start(self, wake: Wake) -> None:
        """`wake` is called from now on for whom something waits."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends all reading; what is not done with comes back."""
        await ended(*(listener.task for listener in self._listeners.values()))
        self._listeners.clear()

    async def listen(self, key: ObjectKey, place: Place, accepts: Accepts) -> None:
        """Reads the queue for an EventTrigger, too. What waits for it and is no longer accepted is done with.

        Raises NotFound with the field for a queue that does not exist, and AWS's other errors.
        """
        if self._places.get(key) != place:
            self.forget(key)
        listener = self._listeners.get(place)
        if listener is None:
            url = await self._url(place)
            # Another may have been quicker meanwhile.
            listener = self._listeners.get(place) or self._opened(place, url)
        fresh = key not in listener.wants
        listener.wants[key] = accepts
        self._places[key] = place
        for pending in self.pending(key):
            if not accepts(pending.event):
                self.done(key, pending)
        if fresh:
            for kept in listener.kept.values():
                if _NOT_THERE_YET in kept.claims:
                    self._hand_on(listener, key, place, kept)

    def pending(self, key: ObjectKey) -> tuple[Pending, ...]:
        """What waits for an EventTrigger, oldest first."""
        return tuple(self._pending.get(key, {}).values())

    def malformed(self, key: ObjectKey) -> str | None:
        """The id of the last message that is no JSON; each is told once."""
        return self._malformed.pop(key, None)

    def trouble(self, key: ObjectKey) -> ReconcileError | None:
        """Why the EventTrigger's queue cannot be read, while that is so."""
        place = self._places.get(key)
        listener = self._listeners.get(place) if place is not None else None
        return listener.queue.trouble if listener is not None else None

    def done(self, key: ObjectKey, pending: Pending) -> None:
        """The event is done with, for this EventTrigger."""
        if self._pending.get(key, {}).pop(_id(pending), None) is None:
            return
        listener = self._listeners.get(pending.place)
        if listener is not None:
            self._settle(listener, pending.message.id, (key, pending.event.id))

    def refused(self, key: ObjectKey, pending: Pending) -> None:
        """The event cannot start anything: it comes back, and in the end to the dead-letter queue."""
        self._metrics.ended("refused")
        self._leave(key, pending)

    def forget(self, key: ObjectKey) -> None:
        """Reads nothing for this EventTrigger any more; what waits for it comes back, for others."""
        for pending in self.pending(key):
            self._leave(key, pending)
        self._pending.pop(key, None)
        self._malformed.pop(key, None)
        place = self._places.pop(key, None)
        listener = self._listeners.get(place) if place is not None else None
        if listener is None or place is None:
            return
        listener.wants.pop(key, None)
        if not listener.wants:
            del self._listeners[place]
            listener.task.cancel()

    async def _url(self, place: Place) -> str:
        client = self._sessions.client("sqs", region=place.access.region, identity=place.access.identity)
        try:
            answer = await client.call("get_queue_url", QueueName=place.name)
        except NotFound as error:
            error.message = f"there is no SQS queue {place.name} in {place.access.region}"
            error.field = "spec.queue"
            raise
        return str(answer["QueueUrl"])

    def _opened(self, place: Place, url: str) -> _Listener:
        client = self._sessions.client("sqs", region=place.access.region, identity=place.access.identity)
        queue = MessageQueue(
            client, url, lambda message, body: self._take(place, message, body), random=self._random
        )
        listener = _Listener(queue, asyncio.create_task(queue.run(), name=f"events-{place.name}"))
        self._listeners[place] = listener
        asyncio.get_running_loop().call_later(self._grace_seconds, self._everybody_was_asked, listener)
        return listener

    def _everybody_was_asked(self, listener: _Listener) -> None:
        listener.open_to_all = False
        for message_id in list(listener.kept):
            self._settle(listener, message_id, _NOT_THERE_YET)

    def _take(self, place: Place, message: Message, body: str) -> None:
        listener = self._listeners[place]
        self._metrics.received()
        try:
            events = events_in(body)
        except NotJSON:
            self._metrics.ended("malformed")
            listener.queue.leave(message)
            for key in listener.wants:
                self._malformed[key] = message.id
                self._wake(key)
            return
        # One that is shown again may be waited for still.
        kept = listener.kept.setdefault(message.id, _Kept(message, events))
        kept.claims.add(_NOT_THERE_YET)
        for key in listener.wants:
            self._hand_on(listener, key, place, kept)
        if not listener.open_to_all:
            self._settle(listener, message.id, _NOT_THERE_YET)

    def _hand_on(self, listener: _Listener, key: ObjectKey, place: Place, kept: _Kept) -> None:
        """Gives an EventTrigger what it wants of a message."""
        waiting = self._pending.setdefault(key, {})
        wanted = [Pending(place, kept.message, one) for one in kept.events if listener.wants[key](one)]
        fresh = [pending for pending in wanted if _id(pending) not in waiting]
        kept.wanted = kept.wanted or bool(wanted)
        kept.claims |= {(key, pending.event.id) for pending in wanted}
        waiting |= {_id(pending): pending for pending in fresh}
        if fresh:
            self._wake(key)

    def _settle(self, listener: _Listener, message_id: str, claim: _Claim) -> None:
        """Somebody is done with a message; it is deleted when all are."""
        kept = listener.kept.get(message_id)
        if kept is None:
            return
        kept.claims.discard(claim)
        if not kept.claims:
            del listener.kept[message_id]
            listener.queue.delete(kept.message)
            self._metrics.ended("handled" if kept.wanted else "discarded")

    def _leave(self, key: ObjectKey, pending: Pending) -> None:
        """The message comes back with all its events; what was started is known then."""
        self._pending.get(key, {}).pop(_id(pending), None)
        listener = self._listeners.get(pending.place)
        if listener is not None:
            listener.kept.pop(pending.message.id, None)
            listener.queue.leave(pending.message)


def _id(pending: Pending) -> tuple[str, str]:
    return pending.message.id, pending.event.id
