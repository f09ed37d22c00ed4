"""A queue with a rule in front of it in the AWS stand-in, as `pierhead secrets events install` makes them."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3

from pierhead.secrets.events.installation import Installation, pattern

REGION = "us-east-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class EventsInAws:
    """What a test acts on."""

    url: str
    dead_url: str
    rule: str
    sqs: Any
    events: Any

    def put(self, body: Any) -> None:
        """Puts a message into the queue, past the rule: an event, or any text."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def count(self, url: str | None = None) -> int:
        """Messages in the queue, hidden ones included."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=["All"])
        found = attributes["Attributes"]
        return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))

    async def until_empty(self, within: float = 45, *, left: int = 0) -> None:
        """Returns once no message but so many is there, hidden or not."""
        deadline = time.monotonic() + within
        while (count := await asyncio.to_thread(self.count)) > left:
            assert time.monotonic() < deadline, f"{count} messages are left after {within} s"
            await asyncio.sleep(0.05)

    def quiet(self) -> None:
        """Events come to the queue no more."""
        self.events.remove_targets(Rule=self.rule, Ids=["queue"])


@contextlib.contextmanager
def events_in_aws(name: str, *, receives: int = 5, **wanted: Any) -> Iterator[EventsInAws]:
    """A queue for the secrets whose names begin with `{name}/`."""
    sqs, events = boto3.client("sqs", region_name=REGION), boto3.client("events", region_name=REGION)

    def arn(url: str) -> str:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(attributes["Attributes"]["QueueArn"])

    dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
    redrive = {"deadLetterTargetArn": arn(dead), "maxReceiveCount": receives}
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive)})["QueueUrl"]
    chosen = Installation(name=name, prefixes=(f"{name}/",), **wanted)
    events.put_rule(Name=name, EventPattern=json.dumps(pattern(chosen)))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn(url)}])
    try:
        yield EventsInAws(url, dead, name, sqs, events)
    finally:
        events.remove_targets(Rule=name, Ids=["queue"])
        events.delete_rule(Name=name)
        for queue in (url, dead):
            sqs.delete_queue(QueueUrl=queue)


def event(name: str, version_id: str, **changes: Any) -> dict[str, Any]:
    """A "Secret Label Updated" event."""
    return {
        "id": f"{name}-{version_id}",
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "account": ACCOUNT,
        "region": REGION,
        "resources": [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-AbCdEf"],
        "detail": {"name": name, "labelUpdated": "AWSCURRENT", "versionId": version_id},
        **changes,
    }
