"""Events, put together: the queue, who is concerned, and how rarely polls are needed.

Invariant: an operator without a queue does none of this and pays nothing for it; one whose events do not
arrive reads every SyncedSecret as often as it would without.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Final

from pierhead.aws.queues import Message, MessageQueue, account_of, region_of
from pierhead.aws.session import AwsSessions
from pierhead.engine.metrics import Metrics
from pierhead.engine.queue import CallLater
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended
from pierhead.secrets.events.health import Health, Prober
from pierhead.secrets.events.index import Index, Labelled, watched
from pierhead.secrets.events.listener import Listener, Scope
from pierhead.secrets.events.metrics import EventMetrics
from pierhead.secrets.events.pending import Look, Pending, WakeSince
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.settings import Settings

LIST_SECONDS: Final = 330.0
"""When a search is made again for a secret that an event tells of and a list did not have: ListSecrets may be
five minutes behind."""

Hasten = Callable[[Collection[ObjectKey], float | None], None]
"""Told which objects have to be read within so many seconds, or every interval of their own again."""


class NoEvents:
    """Events where the operator has no queue: nothing is known, and every interval is the object's own."""

    def start(self, _wake: WakeSince) -> None:
        """Begins to listen. Only the process that leads reconciles, so only it does."""

    async def stop(self) -> None:
        """Ends it; messages that are not done with come back to the next process."""

    def interval(self, _spec: SyncedSecretSpec, interval: float) -> float:
        """Seconds until the next read of an object whose own interval is this."""
        return interval

    def begin(self, _key: ObjectKey, _spec: SyncedSecretSpec) -> Look:
        """A pass begins; its hints are what it has to read for."""
        return Look()

    def end(self, _key: ObjectKey, _look: Look, *, news: bool) -> None:
        """What a pass has found is in the stored status. `news`: whether that was anything new."""

    def refused(self, _key: ObjectKey) -> None:
        """A pass has ended in what only a person can change: no event will."""

    def forget(self, _key: ObjectKey) -> None:
        """The object is gone, or events do not concern it."""


class SecretEvents(NoEvents):
    """What the reconciler of SyncedSecrets knows of events."""

    def __init__(
        self,
        sessions: AwsSessions,
        settings: Settings,
        metrics: Metrics,
        *,
        clock: Callable[[], float],
        random: Random,
        call_later: CallLater,
        hasten: Hasten,
        now: Callable[[], float] = time.time,
    ) -> None:
        """For settings that name a queue."""
        url = settings.secret_events_queue_url
        region = region_of(url) or settings.aws_region
        account = account_of(url)
        self._region = settings.aws_region
        self._safety_seconds = settings.secret_events_poll_seconds
        self._hasten = hasten
        self._index = Index()
        self._pending = Pending(clock=clock, call_later=call_later)
        self._health = Health(probe_seconds=settings.secret_events_probe_seconds, clock=clock)
        self._scope = Scope(
            regions=frozenset(settings.secret_events_regions or (region,)),
            accounts=frozenset(settings.secret_events_accounts or ((account,) if account else ())),
            region=region,
        )
        tally = EventMetrics(metrics.registry)
        self._queue = MessageQueue(
            sessions.client("sqs", region=region), url, self._take, random=random, clock=clock
        )
        self._listener = Listener(
            index=self._index,
            pending=self._pending,
            scope=self._scope,
            health=self._health,
            metrics=tally,
            delete=self._queue.delete,
            leave=self._queue.leave,
            clock=clock,
            now=now,
        )
        self._prober = Prober(
            sessions.client("events", region=region),
            probe_seconds=settings.secret_events_probe_seconds,
            good=self.good,
            stale=self._stopped_arriving,
            clock=clock,
        )
        tally.follow(good=self.good, silence=lambda: self._health.silence, held=lambda: len(self._queue))
        self._tasks: list[asyncio.Task[None]] = []

    def good(self) -> bool:
        """Whether events arrive."""
        return self._health.good(self._queue.answered)

    def start(self, wake: WakeSince) -> None:
        """Begins to listen."""
        self._pending.start(wake)
        self._tasks = [asyncio.create_task(self._queue.run()), asyncio.create_task(self._prober.run())]

    async def stop(self) -> None:
        """Ends it."""
        await ended(*self._tasks)
        self._pending.stop()

    def interval(self, spec: SyncedSecretSpec, interval: float) -> float:
        """The safety poll's interval while events arrive."""
        if not self._listens(spec) or not self.good():
            return interval
        return max(interval, self._safety_seconds)

    def begin(self, key: ObjectKey, spec: SyncedSecretSpec) -> Look:
        """Keeps who is concerned, and hands out the hints."""
        if not self._listens(spec):
            self.forget(key)
            return Look()
        self._index.put(key, watched(spec, region=self._region))
        return self._pending.begin(key)

    def end(self, key: ObjectKey, look: Look, *, news: bool) -> None:
        """Lets messages go."""
        if look.read:
            known: Mapping[Labelled, str] = {
                place: version for place, version in look.read.items() if version is not None
            }
            self._index.read(key, known)
        self._pending.end(key, look.read, news=news)
        read = {name for name, _ in look.read}
        if any(
            hint.service == "secretsmanager" and not hint.names & read and self._index.searches(key, hint)
            for hint in look.hints
        ):
            self._hasten((key,), LIST_SECONDS)

    def refused(self, key: ObjectKey) -> None:
        """Lets messages go."""
        self._pending.end(key, {}, news=False)

    def forget(self, key: ObjectKey) -> None:
        """Lets messages go."""
        self._index.remove(key)
        self._pending.drop(key)

    def _listens(self, spec: SyncedSecretSpec) -> bool:
        mode = spec.refresh.mode if spec.refresh is not None else None
        if mode not in {None, "Events"}:
            return False
        found = watched(spec, region=self._region)
        return self._scope.takes(found.region, found.account)

    def _stopped_arriving(self) -> None:
        self._hasten(self._index.keys(), None)

    def _take(self, message: Message, body: str) -> None:
        self._listener.take(message, body)
