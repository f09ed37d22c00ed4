"""Events from a queue: hints, whatever is in it."""

import asyncio
import json
from random import Random

import pytest

from pierhead.aws.errors import Unavailable
from pierhead.aws.events import AwsEvent, NotJSON, parse_event, read_event
from pierhead.aws.images import Repository
from pierhead.aws.queues import EventQueue, MessageQueue, account_of, region_of

EVENT = {
    "source": "aws.ecr",
    "detail-type": "ECR Image Action",
    "account": "111122223333",
    "region": "eu-west-1",
    "detail": {"repository-name": "shop/web"},
}
PARSED = AwsEvent("aws.ecr", "ECR Image Action", "111122223333", "eu-west-1", {"repository-name": "shop/web"})


class Queue:
    """Answers what a test says, then ends the consumer."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.deleted: list[str] = []
        self.hidden: list[str] = []
        self.received = 0

    async def call(self, operation, **parameters):
        if operation != "receive_message":
            settled = self.deleted if operation == "delete_message_batch" else self.hidden
            settled += [entry["ReceiptHandle"] for entry in parameters["Entries"]]
            return {}
        await asyncio.sleep(0)
        if not self.answers:
            await asyncio.sleep(0)
            raise KeyboardInterrupt
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Messages": [self.message(body) for body in answer]}

    def message(self, body):
        receipt = str(self.received)
        self.received += 1
        return {"Body": body, "ReceiptHandle": receipt, "MessageId": body}


async def consumed(queue, handle, pauses=None):
    async def sleep(seconds):
        if pauses is not None:
            pauses.append(seconds)

    consumer = EventQueue(queue, "https://queue", handle, random=Random(1), sleep=sleep)
    with pytest.raises(KeyboardInterrupt):
        await consumer.run()


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (json.dumps(EVENT), PARSED),
        (json.dumps({"Type": "Notification", "Message": json.dumps(EVENT)}), PARSED),
        ("not json", None),
        ("[" * 100_000, None),
        ('"text"', None),
        ("{}", None),
        (json.dumps({**EVENT, "detail": "x"}), None),
        (json.dumps({**EVENT, "source": 3}), None),
    ],
)
def test_what_is_an_event(body, event):
    assert parse_event(body) == event


async def test_messages_are_handed_on_and_deleted_whatever_they_are():
    queue, seen = Queue([json.dumps(EVENT), "rubbish"], [json.dumps(EVENT)]), []
    await consumed(queue, seen.append)

    assert seen == [PARSED, PARSED]
    assert queue.deleted == ["0", "1", "2"]


async def test_a_handler_that_fails_costs_no_message_its_deletion():
    queue = Queue([json.dumps(EVENT), json.dumps({**EVENT, "id": "other"})])

    def handle(_event):
        raise ValueError

    await consumed(queue, handle)

    assert queue.deleted == ["0", "1"]


async def test_failures_slow_it_down_and_never_end_it():
    pauses: list[float] = []
    queue, seen = Queue(*[Unavailable("down")] * 8, [json.dumps(EVENT)]), []
    await consumed(queue, seen.append, pauses)

    assert seen == [PARSED]
    assert max(pauses) <= 60
    assert pauses[-1] > 10 * pauses[0]


async def test_a_queue_that_answers_at_once_with_nothing_is_not_asked_without_end():
    pauses: list[float] = []
    await consumed(Queue([], [], []), lambda _event: None, pauses)

    assert pauses == [1.0, 1.0, 1.0]


class Held:
    """What the consumer holds on to, and its queue, after it has taken these bodies."""

    def __init__(self, *answers):
        self.queue = Queue(*answers)
        self.messages = []
        self.consumer = MessageQueue(
            self.queue,
            "https://queue",
            lambda message, _body: self.messages.append(message),
            random=Random(1),
        )

    async def take(self):
        with pytest.raises(KeyboardInterrupt):
            await self.consumer.run()


async def test_what_is_held_on_to_is_not_deleted_before_it_is_told():
    held = Held(["a", "b"])
    await held.take()
    assert (len(held.consumer), held.queue.deleted) == (2, [])

    held.consumer.delete(held.messages[0])
    held.consumer.leave(held.messages[1])
    await held.take()
    assert (len(held.consumer), held.queue.deleted) == (0, ["0"])


async def test_what_comes_back_while_it_is_held_is_handed_on_once_and_deleted_by_its_newest_receipt():
    held = Held(["a"], ["a"])
    await held.take()
    assert len(held.messages) == 1

    held.consumer.delete(held.messages[0])
    await held.take()
    assert held.queue.deleted == ["1"]


async def test_what_was_left_and_came_back_can_be_deleted_by_whoever_had_it_first():
    held = Held(["a"])
    await held.take()
    held.consumer.leave(held.messages[0])
    held.queue.answers = [["a"]]
    await held.take()
    held.consumer.delete(held.messages[0])
    await held.take()

    assert held.queue.deleted == ["1"]


async def test_the_oldest_of_too_many_are_left_to_come_back(monkeypatch):
    monkeypatch.setattr("pierhead.aws.queues.MOST_HELD", 3)
    held = Held(["a", "b"], ["c", "d"])
    await held.take()

    for message in held.messages:
        held.consumer.delete(message)
    await held.take()
    assert held.queue.deleted == ["1", "2", "3"]


async def test_what_is_held_is_hidden_for_longer(monkeypatch):
    monkeypatch.setattr("pierhead.aws.queues._KEEP_SECONDS", 0.0)
    held = Held(["a"], [], [])
    held.consumer._sleep = lambda _seconds: asyncio.sleep(0.01)
    await held.take()

    assert "0" in held.queue.hidden


def test_a_body_that_is_no_json_is_told_apart_and_not_quoted():
    with pytest.raises(NotJSON) as raised:
        read_event("hunter2")
    assert "hunter2" not in repr(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_an_event_may_be_no_more_than_its_detail():
    assert read_event('{"detail": {"name": "a"}}') == AwsEvent("", "", "", "", {"name": "a"})


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/ecr", "111122223333"),
        ("http://127.0.0.1:5000/123456789012/ecr", "123456789012"),
        ("http://127.0.0.1:5000/queue/ecr", None),
    ],
)
def test_a_queues_account(url, account):
    assert account_of(url) == account


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/ecr", "eu-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/ecr", "cn-north-1"),
        ("https://us-east-1.queue.amazonaws.com/111122223333/ecr", "us-east-1"),
        ("http://127.0.0.1:5000/123456789012/ecr", None),
    ],
)
def test_a_queues_region(url, region):
    assert region_of(url) == region


@pytest.mark.parametrize(
    ("text", "repository"),
    [
        ("shop/web", Repository("shop/web")),
        (
            "arn:aws:ecr:eu-west-1:111122223333:repository/shop/web",
            Repository(
                "shop/web",
                "111122223333",
                "eu-west-1",
                "arn:aws:ecr:eu-west-1:111122223333:repository/shop/web",
            ),
        ),
        (
            "111122223333.dkr.ecr-fips.us-gov-west-1.amazonaws.com/shop/web",
            Repository(
                "shop/web",
                "111122223333",
                "us-gov-west-1",
                "arn:aws-us-gov:ecr:us-gov-west-1:111122223333:repository/shop/web",
            ),
        ),
        (
            "111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/shop/web",
            Repository(
                "shop/web",
                "111122223333",
                "cn-north-1",
                "arn:aws-cn:ecr:cn-north-1:111122223333:repository/shop/web",
            ),
        ),
    ],
)
def test_how_a_repository_is_named(text, repository):
    assert Repository.parse(text) == repository
