"""A queue with a rule in front of it in the AWS stand-in, as `pierhead secrets events install` makes them."""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import boto3

from pierhead.secrets.events.installation import Installation
from pierhead_sandbox.secret_events import install_secret_events, remove_secret_events

REGION = "us-east-1"
ACCOUNT = "123456789012"


@dataclass(frozen=True)
class EventsInAws:
    """What a test acts on."""

    url: str
    rule: str
    sqs: Any
    events: Any

    def put(self, body: Any) -> None:
        """Puts a message into the queue, past the rule: an event, or any text."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def put_all(self, bodies: Sequence[Any]) -> None:
        """The same for many, in tens."""
        for start in range(0, len(bodies), 10):
            entries = [
                {"Id": str(number), "MessageBody": json.dumps(body)}
                for number, body in enumerate(bodies[start : start + 10])
            ]
            self.sqs.send_message_batch(QueueUrl=self.url, Entries=entries)

    def count(self) -> int:
        """Messages in the queue, hidden ones included."""
        attributes = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        found = attributes["Attributes"]
        return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))

    async def until_empty(self, within: float = 45) -> None:
        """Returns once no message is there, hidden or not."""
        deadline = time.monotonic() + within
        while (count := await asyncio.to_thread(self.count)) > 0:
            assert time.monotonic() < deadline, f"{count} messages are left after {within} s"
            await asyncio.sleep(0.05)

    def quiet(self) -> None:
        """Events come to the queue no more."""
        self.events.remove_targets(Rule=self.rule, Ids=["queue"])


@contextlib.contextmanager
def events_in_aws(name: str, *, endpoint: str) -> Iterator[EventsInAws]:
    """A queue for the secrets whose names begin with `{name}/`."""
    sqs, events = boto3.client("sqs", region_name=REGION), boto3.client("events", region_name=REGION)
    wanted = Installation(name=name, prefixes=(f"{name}/",))
    made = install_secret_events(wanted, region=REGION, endpoint=endpoint)
    try:
        yield EventsInAws(made.url, name, sqs, events)
    finally:
        remove_secret_events(made, region=REGION, endpoint=endpoint)


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
