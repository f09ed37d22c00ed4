"""A message stays in its queue while an EventTrigger waits for something of it."""

import asyncio
import json
from random import Random

import pytest
from prometheus_client import CollectorRegistry

from pierhead.aws.access import Access
from pierhead.aws.identity import OPERATOR
from pierhead.engine.resource import ObjectKey
from pierhead.triggers.listening import Listeners, Place
from pierhead.triggers.metrics import MessageMetrics

PLACE = Place(Access(OPERATOR, "eu-west-1"), "media-uploads")
ONE, TWO = ObjectKey("media", "one"), ObjectKey("media", "two")


class Sqs:
    """A queue that shows what a test sends, again and again."""

    def __init__(self):
        self.sent: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.deleted = asyncio.Queue()
        self._receipts = 0

    def client(self, *_args, **_options):
        return self

    async def call(self, operation, **parameters):
        if operation == "get_queue_url":
            return {"QueueUrl": "https://queue"}
        if operation == "delete_message_batch":
            for entry in parameters["Entries"]:
                self.deleted.put_nowait(entry["ReceiptHandle"].partition("#")[0])
            return {}
        assert operation == "receive_message"
        name, body = await self.sent.get()
        self._receipts += 1
        return {"Messages": [{"MessageId": name, "Body": body, "ReceiptHandle": f"{name}#{self._receipts}"}]}

    def show(self, name, body=None, **detail):
        text = json.dumps({"source": "team.app", "id": name, "detail": detail}) if body is None else body
        self.sent.put_nowait((name, text))


@pytest.fixture
def sqs():
    return Sqs()


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
async def listeners(sqs, registry, monkeypatch):
    monkeypatch.setattr("pierhead.aws.queues._GATHER_SECONDS", 0.0)
    opened = Listeners(sqs, Random(1), MessageMetrics(registry), grace_seconds=0.0)
    opened.start(lambda _key: None)
    yield opened
    await opened.stop()


async def waiting(listeners, sqs, key, count=1):
    await passed(sqs)
    found = listeners.pending(key)
    assert len(found) == count
    return found


async def passed(sqs):
    """All that was shown before is read."""
    sqs.show("unwanted", body="{}")
    assert await asyncio.wait_for(sqs.deleted.get(), 30) == "unwanted"


def everything(_event):
    return True


def ends(registry):
    """Messages by end."""
    found = next(family for family in registry.collect() if family.name == "pierhead_trigger_messages")
    return {sample.labels["end"]: sample.value for sample in found.samples if sample.name.endswith("_total")}


async def test_one_that_is_shown_again_while_somebody_waits_stays(listeners, sqs, monkeypatch):
    """More messages than may be held are waiting, so SQS shows the first one again."""
    monkeypatch.setattr("pierhead.aws.queues.MOST_HELD", 1)
    await listeners.listen(ONE, PLACE, everything)
    for name in ("first", "second", "third", "second", "first"):
        sqs.show(name)
    first, second, third = await waiting(listeners, sqs, ONE, 3)
    sqs.show("first")
    await passed(sqs)
    listeners.done(ONE, first)
    assert await asyncio.wait_for(sqs.deleted.get(), 30) == "first"
    assert listeners.pending(ONE) == (second, third)


async def test_one_that_one_of_two_refuses_stays_for_the_other(listeners, sqs):
    await listeners.listen(ONE, PLACE, everything)
    await listeners.listen(TWO, PLACE, everything)
    sqs.show("shared")
    (mine,) = await waiting(listeners, sqs, ONE)
    (other,) = listeners.pending(TWO)
    listeners.refused(ONE, mine)
    sqs.show("shared")
    (again,) = await waiting(listeners, sqs, ONE)
    listeners.done(ONE, again)
    await passed(sqs)
    listeners.done(TWO, other)
    assert await asyncio.wait_for(sqs.deleted.get(), 30) == "shared"


async def test_what_an_event_trigger_wants_no_more_does_not_wait_for_it(listeners, sqs):
    await listeners.listen(ONE, PLACE, everything)
    sqs.show("meant", order=1)
    sqs.show("too wide", order=2)
    meant, _ = await waiting(listeners, sqs, ONE, 2)
    await listeners.listen(ONE, PLACE, lambda event: event.content["detail"]["order"] == 1)
    assert listeners.pending(ONE) == (meant,)
    assert await asyncio.wait_for(sqs.deleted.get(), 30) == "too wide"


async def test_what_became_of_messages_is_counted(listeners, sqs, registry):
    await listeners.listen(ONE, PLACE, everything)
    for name in ("started", "refused"):
        sqs.show(name)
    sqs.show("malformed", body="{no json")
    started, refused = await waiting(listeners, sqs, ONE, 2)
    assert registry.get_sample_value("pierhead_trigger_events_waiting") == 2
    listeners.done(ONE, started)
    listeners.refused(ONE, refused)
    assert ends(registry) == {"handled": 1, "discarded": 1, "refused": 1, "malformed": 1}
    assert registry.get_sample_value("pierhead_trigger_messages_received_total") == 4
    assert registry.get_sample_value("pierhead_trigger_events_waiting") == 0
