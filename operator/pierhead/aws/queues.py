"""Events of AWS that come through an SQS queue.

Invariant: a message is a hint: it is deleted once it was handed on, whatever it was and whatever came of it,
and nothing is decided by what it says. So a lost, doubled, late, foreign or malformed one does no harm, and
none comes back for ever.
"""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn

import structlog

from pierhead.aws.session import AwsClient
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError

WAIT_SECONDS = 10
"""How long one call waits for messages; less than the clients' read timeout."""

_BATCH = 10
_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0
_QUICK_SECONDS = 0.5
_URL = re.compile(
    r"https?://(?:sqs\.)?(?P<region>[a-z]{2}(?:-[a-z]+)+-\d)\.(?:queue\.)?amazonaws\.com(?:\.cn)?/"
)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AwsEvent:
    """An event as EventBridge delivers it."""

    source: str
    """Such as `aws.ecr`."""

    detail_type: str
    account: str
    region: str
    detail: Mapping[str, Any]


Handle = Callable[[AwsEvent], None]


def region_of(url: str) -> str | None:
    """The region in a queue's URL; None for an endpoint that is not AWS's own."""
    found = _URL.match(url)
    return found["region"] if found else None


def parse_event(body: str) -> AwsEvent | None:
    """The event in a message's body, also if it came by way of SNS; None for anything else."""
    document = _object(body)
    if document is not None and document.get("Type") == "Notification":
        document = _object(str(document.get("Message")))
    if document is None:
        return None
    texts = [document.get(name) for name in ("source", "detail-type", "account", "region")]
    detail = document.get("detail")
    if not all(isinstance(text, str) for text in texts[:2]) or not isinstance(detail, dict):
        return None
    source, detail_type, account, region = (text if isinstance(text, str) else "" for text in texts)
    return AwsEvent(source, detail_type, account, region, detail)


def _object(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


class EventQueue:
    """Takes the events of one queue."""

    def __init__(
        self,
        client: AwsClient,
        url: str,
        handle: Handle,
        *,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`client` is of the service `sqs`, in the queue's region; `handle` must not block."""
        self._client = client
        self._url = url
        self._handle = handle
        self._random = random
        self._clock = clock
        self._sleep = sleep
        self._failures = 0

    async def run(self) -> NoReturn:
        """Runs until cancelled; failures slow it down and never end it."""
        while True:
            try:
                await self._take()
            except ReconcileError as error:
                await self._pause(
                    "events cannot be read from the queue", reason=error.reason, message=str(error)
                )
            except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
                await self._pause("reading the event queue hit a bug in pierhead", **described(error))
            else:
                if self._failures:
                    _log.info("events are read again", queue=self._url)
                self._failures = 0

    async def _take(self) -> None:
        began = self._clock()
        answer = await self._client.call(
            "receive_message", QueueUrl=self._url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=WAIT_SECONDS
        )
        messages = answer.get("Messages") or []
        for message in messages:
            event = parse_event(message.get("Body", ""))
            if event is None:
                _log.debug("a message is no event", queue=self._url)
            else:
                self._hand_on(event)
        if messages:
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages)
            ]
            await self._client.call("delete_message_batch", QueueUrl=self._url, Entries=entries)

        elif self._clock() - began < _QUICK_SECONDS:
            # Something that answers without waiting, as no queue does, is not asked without end.
            await self._sleep(_PAUSE_SECONDS)

    def _hand_on(self, event: AwsEvent) -> None:
        try:
            self._handle(event)
        except Exception as error:  # noqa: BLE001 (the queue goes on after any bug, and shows it)
            _log.error("an event hit a bug in pierhead", type=event.detail_type, **described(error))

    async def _pause(self, event: str, **fields: Any) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.warning(event, queue=self._url, **fields)
        longest = min(_PAUSE_SECONDS * 2 ** min(self._failures, 10), _LONGEST_PAUSE_SECONDS)
        await self._sleep(longest * self._random.uniform(0.5, 1.0))
