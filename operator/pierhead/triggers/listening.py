"""The queues that events come through, each read once for all EventTriggers that name it.

Invariant: a message is deleted only when every EventTrigger that wants something of it has started it, or
had started it before. What nobody wants is deleted too, but not before everybody was asked: for a while after
a queue was opened messages are kept for those who are not there yet. One that is no JSON is left to the
queue's dead-letter policy. Nothing of a body is kept but the events in it, while somebody waits for them.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import structlog

from pierhead.aws.access import Access
from pierhead.aws.errors import NotFound
from pierhead.aws.events import NotJSON
from pierhead.aws.queues import Message, MessageQueue
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.triggers.events import Event, events_in

Accepts = Callable[[Event], bool]

GRACE_SECONDS = 60.0
"""How long after a queue was opened its messages are kept for EventTriggers that are not there yet."""

_log = structlog.get_logger(__name__)


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


@dataclass(slots=True)
class _Listener:
    """One queue that is read."""

    queue: MessageQueue
    task: "asyncio.Task[None]"
    wants: dict[ObjectKey, Accepts] = field(default_factory=dict)
    owed: Counter[str] = field(default_factory=Counter)
    """For how many a message is kept, by its id."""
    young: dict[str, tuple[Message, tuple[Event, ...]]] = field(default_factory=dict)
    """Messages that are kept for those who are not there yet, by id."""
    open_to_all: bool = True


class Listeners:
    """All queues."""

    def __init__(
        self, sessions: AwsSessions, random: Random, *, grace_seconds: float = GRACE_SECONDS
    ) -> None:
        self._sessions = sessions
        self._grace_seconds = grace_seconds
        self._random = random
        self._wake: Wake = lambda _key: None
        self._listeners: dict[Place, _Listener] = {}
        self._places: dict[ObjectKey, Place] = {}
        self._pending: dict[ObjectKey, dict[tuple[str, str], Pending]] = {}
        self.counts: Counter[str] = Counter()
        """Messages by what became of them: wanted, unwanted, malformed."""

    def start(self, wake: Wake) -> None:
        """`wake` is called from now on for whom something waits."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends all reading; what is not done with comes back."""
        tasks = [listener.task for listener in self._listeners.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listeners.clear()

    async def listen(self, key: ObjectKey, place: Place, accepts: Accepts) -> None:
        """Reads the queue for an EventTrigger, too.

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
        if fresh:
            for message, found in listener.young.values():
                self._hand_on(listener, key, place, message, found)

    def pending(self, key: ObjectKey) -> tuple[Pending, ...]:
        """What waits for an EventTrigger, oldest first."""
        return tuple(self._pending.get(key, {}).values())

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
            _paid(listener, pending.message)

    def refused(self, key: ObjectKey, pending: Pending) -> None:
        """The event cannot start anything: it comes back, and in the end to the dead-letter queue."""
        self._pending.get(key, {}).pop(_id(pending), None)
        listener = self._listeners.get(pending.place)
        if listener is not None:
            # Of a message that comes back every event is told again; what was started is known then.
            listener.owed.pop(pending.message.id, None)
            listener.young.pop(pending.message.id, None)
            listener.queue.leave(pending.message)

    def forget(self, key: ObjectKey) -> None:
        """Reads nothing for this EventTrigger any more; what waits for it comes back, for others."""
        for pending in self.pending(key):
            self.refused(key, pending)
        self._pending.pop(key, None)
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
        kept, listener.young = list(listener.young.values()), {}
        for message, _ in kept:
            _paid(listener, message)

    def _take(self, place: Place, message: Message, body: str) -> None:
        listener = self._listeners[place]
        try:
            found = events_in(body)
        except NotJSON:
            self.counts["malformed"] += 1
            _log.warning("a message is no JSON; it is left to the dead-letter queue", queue=place.name)
            listener.queue.leave(message)
            return
        listener.owed[message.id] = 1
        wanted = [self._hand_on(listener, key, place, message, found) for key in listener.wants]
        self.counts["wanted" if any(wanted) else "unwanted"] += 1
        if listener.open_to_all:
            listener.young[message.id] = message, found
        else:
            _paid(listener, message)

    def _hand_on(
        self,
        listener: _Listener,
        key: ObjectKey,
        place: Place,
        message: Message,
        found: Iterable[Event],
    ) -> bool:
        """Gives an EventTrigger what it wants of a message; whether that is anything."""
        waiting = self._pending.setdefault(key, {})
        wanted = [Pending(place, message, one) for one in found if listener.wants[key](one)]
        fresh = [pending for pending in wanted if _id(pending) not in waiting]
        listener.owed[message.id] += len(fresh)
        waiting |= {_id(pending): pending for pending in fresh}
        if fresh:
            self._wake(key)
        return bool(wanted)


def _paid(listener: _Listener, message: Message) -> None:
    """One less for whom the message is kept."""
    if message.id not in listener.owed:
        return
    listener.owed[message.id] -= 1
    if listener.owed[message.id] <= 0:
        del listener.owed[message.id]
        listener.queue.delete(message)


def _id(pending: Pending) -> tuple[str, str]:
    return pending.message.id, pending.event.id
