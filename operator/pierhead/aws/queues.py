"""Messages of an SQS queue.

Invariant: a message is deleted only by whoever it was handed to, or comes back; while it is held nobody else
is shown it, and never are more held than `MOST_HELD`. Nothing of a message's body is kept or logged here. A
failure slows the queue down and never ends it.
"""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final, NoReturn

import structlog

from pierhead.aws.events import AwsEvent, parse_event
from pierhead.aws.session import AwsClient, AwsSessions
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.tasks import ended

WAIT_SECONDS: Final = 20
"""How long one call waits for messages: the longest that SQS allows, so that an idle queue costs least."""

VISIBILITY_SECONDS: Final = 60
"""How long a message stays hidden from other receivers, unless it is deleted or held on to."""

MOST_HELD: Final = 1000
"""Messages held at once; beyond them the oldest are left to come back."""

_BATCH: Final = 10
_KEEP_SECONDS: Final = 20.0
_GATHER_SECONDS: Final = 0.3
"""How long a message that is done with waits for others, to be deleted in one call."""

_LAST_SECONDS: Final = 3.0
_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_QUICK_SECONDS: Final = 0.5
_URL: Final = re.compile(
    r"https?://(?:sqs\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:queue\.)?amazonaws\.com(?:\.cn)?/"
)
_ACCOUNT: Final = re.compile(r"/(\d{12})/[^/]+$")

_log = structlog.get_logger(__name__)


def region_of(url: str) -> str | None:
    """The region in a queue's URL; None for an endpoint that is not AWS's own."""
    found = _URL.match(url)
    return found["region"] if found else None


def account_of(url: str) -> str | None:
    """The account in a queue's URL; None where it has none."""
    found = _ACCOUNT.search(url)
    return found[1] if found else None


@dataclass(slots=True, eq=False)
class Message:
    """A message that was received and is neither deleted nor left."""

    id: str
    sent: float
    """When it was put into the queue, in Unix seconds."""

    receipt: str = field(repr=False)


Take = Callable[[Message, str], None]
"""Is given a message and its body. Must not block; has to `delete` or `leave` the message some time."""


class MessageQueue:
    """Receives the messages of one queue."""

    def __init__(
        self,
        client: AwsClient,
        url: str,
        take: Take,
        *,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`client` is of the service `sqs`, in the queue's region."""
        self._client = client
        self._url = url
        self._take = take
        self._random = random
        self._clock = clock
        self._sleep = sleep
        self._failures = 0
        self.trouble: ReconcileError | None = None
        """Why the queue cannot be read, while that is so."""
        self._held: dict[str, Message] = {}
        self._settled: list[Message] = []
        self._settling = asyncio.Event()
        self._unsettled = False
        self.answered = -math.inf
        """When the queue last answered, on the clock."""

    def __len__(self) -> int:
        """How many messages are held."""
        return len(self._held)

    def delete(self, message: Message) -> None:
        """The message is done with. May be called once it was left, too."""
        held = self._held.pop(message.id, None)
        if held is not None:
            self._settled.append(held)
            self._settling.set()

    def leave(self, message: Message) -> None:
        """The message comes back when it is no longer hidden, and in the end to the dead-letter queue."""
        self._held.pop(message.id, None)

    async def run(self) -> NoReturn:
        """Runs until cancelled."""
        keeping = asyncio.create_task(self._keep())
        try:
            while True:
                try:
                    await self._receive()
                except ReconcileError as error:
                    self.trouble = error
                    await self._pause(
                        "messages cannot be read from the queue", reason=error.reason, message=str(error)
                    )
                except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
                    await self._pause("reading a queue hit a bug in pierhead", **described(error))
                else:
                    if self._failures:
                        _log.info("messages are read again", queue=self._url)
                    self._failures = 0
                    self.trouble = None
        finally:
            await ended(keeping)
            with contextlib.suppress(ReconcileError, TimeoutError):
                async with asyncio.timeout(_LAST_SECONDS):
                    await self._delete_settled()

    async def _receive(self) -> None:
        began = self._clock()
        answer = await self._client.call(
            "receive_message",
            QueueUrl=self._url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=VISIBILITY_SECONDS,
            AttributeNames=["SentTimestamp"],
        )
        self.answered = self._clock()
        messages = answer.get("Messages") or []
        for item in messages:
            self._hand_on(item)
        while len(self._held) > MOST_HELD:
            del self._held[next(iter(self._held))]
        if not messages and self._clock() - began < _QUICK_SECONDS:
            # Something that answers without waiting, as no queue does, is not asked without end.
            await self._sleep(_PAUSE_SECONDS)

    def _hand_on(self, item: dict[str, Any]) -> None:
        receipt = str(item["ReceiptHandle"])
        message = Message(str(item.get("MessageId", receipt)), _sent(item), receipt)
        held = self._held.get(message.id)
        if held is not None:
            held.receipt = receipt  # only the newest deletes it
            return
        self._held[message.id] = message
        try:
            self._take(message, item.get("Body", ""))
        except Exception as error:  # noqa: BLE001 (the queue goes on after any bug, and shows it)
            self.leave(message)
            _log.error("a message hit a bug in pierhead", **described(error))

    async def _keep(self) -> NoReturn:
        """Deletes what is done with as soon as it is, and hides what is held for longer."""
        extended = self._clock()
        while True:
            try:
                async with asyncio.timeout(_KEEP_SECONDS):
                    await self._settling.wait()
                    await asyncio.sleep(_GATHER_SECONDS)
            except TimeoutError:
                pass
            try:
                await self._delete_settled()
                if self._clock() - extended >= _KEEP_SECONDS:
                    extended = self._clock()
                    await self._hide_held()
            except ReconcileError as error:
                # They come back, are known, and are deleted then.
                if not self._unsettled:
                    _log.warning(
                        "messages cannot be deleted or kept",
                        queue=self._url,
                        reason=error.reason,
                        message=str(error),
                    )
                self._unsettled = True
                await self._sleep(_PAUSE_SECONDS)
            except Exception as error:  # noqa: BLE001 (as in `run`)
                _log.error("settling messages hit a bug in pierhead", **described(error))
                await self._sleep(_PAUSE_SECONDS)

    async def _delete_settled(self) -> None:
        while self._settled:
            batch, self._settled = self._settled[:_BATCH], self._settled[_BATCH:]
            await self._client.call("delete_message_batch", QueueUrl=self._url, Entries=_entries(batch))
            self._unsettled = False
        self._settling.clear()

    async def _hide_held(self) -> None:
        held = list(self._held.values())
        for start in range(0, len(held), _BATCH):
            await self._client.call(
                "change_message_visibility_batch",
                QueueUrl=self._url,
                Entries=_entries(held[start : start + _BATCH], VisibilityTimeout=VISIBILITY_SECONDS),
            )

    async def _pause(self, event: str, **fields: Any) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.warning(event, queue=self._url, **fields)
        longest = min(_PAUSE_SECONDS * 2 ** min(self._failures, 10), _LONGEST_PAUSE_SECONDS)
        await self._sleep(longest * self._random.uniform(0.5, 1.0))


class EventQueue:
    """Takes the events of one queue as hints: each is deleted once it was handed on."""

    def __init__(
        self, client: AwsClient, url: str, handle: Callable[[AwsEvent], None], *, random: Random, **given: Any
    ) -> None:
        """`handle` must not block; the rest is `MessageQueue`'s."""
        self._handle = handle
        self._url = url
        self._queue = MessageQueue(client, url, self._take, random=random, **given)
        self._task: asyncio.Task[NoReturn] | None = None

    @classmethod
    def of(
        cls,
        sessions: AwsSessions,
        url: str,
        handle: Callable[[AwsEvent], None],
        *,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> "EventQueue | None":
        """The queue as the operator itself, in the region of its URL; None where a setting names none."""
        if not url:
            return None
        random = random or Random()  # noqa: S311 (spreads tries)
        client = sessions.client("sqs", region=region_of(url))
        return cls(client, url, handle, random=random, clock=clock)

    def start(self) -> None:
        """Listens from now on."""
        self._task = asyncio.create_task(self.run(), name=f"events of {self._url}")

    async def stop(self) -> None:
        """Ends it."""
        await ended(self._task)

    async def run(self) -> NoReturn:
        """Runs until cancelled; failures slow it down and never end it."""
        await self._queue.run()

    def _take(self, message: Message, body: str) -> None:
        event = parse_event(body)
        self._queue.delete(message)
        if event is None:
            _log.debug("a message is no event", queue=self._url)
        else:
            self._handle(event)


def _entries(messages: Iterable[Message], **more: Any) -> list[dict[str, Any]]:
    return [
        {"Id": str(index), "ReceiptHandle": message.receipt, **more} for index, message in enumerate(messages)
    ]


def _sent(item: dict[str, Any]) -> float:
    stamp = str((item.get("Attributes") or {}).get("SentTimestamp", ""))
    return int(stamp) / 1000 if stamp.isdecimal() else time.time()
