"""A queue of secret events in the AWS stand-in, as `pierhead secrets events install` makes one in AWS.

Invariant: the rule's pattern is the very one that is installed in AWS, so what the sandbox hears is what AWS
would tell.
"""

import json
from dataclasses import dataclass
from typing import Any

import boto3

from pierhead.secrets.events.installation import RECEIVES, Installation, pattern


@dataclass(frozen=True, slots=True)
class SecretEventsQueue:
    """What was made."""

    name: str
    url: str
    dead_url: str


def install_secret_events(
    wanted: Installation, *, region: str, endpoint: str, receives: int = RECEIVES
) -> SecretEventsQueue:
    """Makes the queue, its dead-letter queue and the rule."""
    sqs, events = (_client(service, region, endpoint) for service in ("sqs", "events"))
    dead = sqs.create_queue(QueueName=f"{wanted.name}-dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": _arn(sqs, dead), "maxReceiveCount": receives})
    url = sqs.create_queue(QueueName=wanted.name, Attributes={"RedrivePolicy": redrive})["QueueUrl"]
    events.put_rule(Name=wanted.name, EventPattern=json.dumps(pattern(wanted)))
    events.put_targets(Rule=wanted.name, Targets=[{"Id": "queue", "Arn": _arn(sqs, url)}])
    return SecretEventsQueue(wanted.name, str(url), str(dead))


def remove_secret_events(queue: SecretEventsQueue, *, region: str, endpoint: str) -> None:
    """Takes all of it away."""
    sqs, events = (_client(service, region, endpoint) for service in ("sqs", "events"))
    events.remove_targets(Rule=queue.name, Ids=["queue"])
    events.delete_rule(Name=queue.name)
    for url in (queue.url, queue.dead_url):
        sqs.delete_queue(QueueUrl=url)


def _client(service: str, region: str, endpoint: str) -> Any:
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id="pierhead-sandbox",
        aws_secret_access_key="pierhead-sandbox",
    )


def _arn(sqs: Any, url: str) -> str:
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
