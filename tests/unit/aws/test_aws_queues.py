"""Events from a queue: hints, whatever is in it."""

import json
from random import Random

import pytest

from pierhead.aws.errors import Unavailable
from pierhead.aws.images import Repository
from pierhead.aws.queues import AwsEvent, EventQueue, parse_event, region_of

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

    async def call(self, operation, **parameters):
        if operation == "delete_message_batch":
            self.deleted += [entry["ReceiptHandle"] for entry in parameters["Entries"]]
            return {}
        if not self.answers:
            raise KeyboardInterrupt
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {
            "Messages": [{"Body": body, "ReceiptHandle": str(place)} for place, body in enumerate(answer)]
        }


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
    assert queue.deleted == ["0", "1", "0"]


async def test_a_handler_that_fails_costs_no_message_its_deletion():
    queue = Queue([json.dumps(EVENT), json.dumps(EVENT)])

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
