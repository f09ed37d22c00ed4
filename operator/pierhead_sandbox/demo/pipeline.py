"""The image pipeline of `examples/pipeline`: what it needs in AWS, its EventTriggers, and pictures for it.

Invariant: what is applied is the committed example; only the places are replaced that a sandbox cannot have:
the path of the containers' program, and the names, which begin with the namespace's.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from random import Random
from types import MappingProxyType
from typing import Any, Final

import yaml
from PIL import Image

from pierhead_sandbox.aws_process import REGION
from pierhead_sandbox.paths import repository
from pierhead_sandbox.sandbox import Sandbox

Object = dict[str, Any]

RUN: Final = "holiday-2026"
EVERY: Final = 50
"""Of so many pictures five are no good."""

_TOLD: Final = ("incoming/", "work/")
"""What the bucket's notifications are limited to: nobody waits for the pictures that are made."""

_UPLOADS_AT_ONCE: Final = 8
_TOO_LARGE: Final = 200_000
_TROUBLES: Final[Mapping[int, tuple[str, str, str, Callable[[bytes], bytes]]]] = MappingProxyType(
    {
        7: ("corrupt", "JPEG", "jpg", lambda content: content[: len(content) // 2]),
        8: ("wrong type: PNG in a .jpg", "PNG", "jpg", lambda content: content),
        9: ("wrong type: .txt", "PNG", "txt", lambda _content: b"a note"),
        10: ("too large", "PNG", "png", lambda content: content + bytes(_TOO_LARGE)),
        11: ("corrupt", "JPEG", "jpg", lambda _content: b""),
    }
)
"""Picture number, and why it is rejected, how it is made, what it is called, and what is done to it."""


class Pipeline:
    """One team's pipeline, as people see it."""

    def __init__(self, sandbox: Sandbox, namespace: str, aws: Callable[[str], Any]) -> None:
        """`aws` gives a boto3 client of a service."""
        self._sandbox = sandbox
        self._aws = aws
        self.namespace = namespace
        self._name = f"{namespace}-media"
        self.bucket = f"{self._name}-pictures"
        self._notified = ""

    def furnish(self) -> None:
        """Makes the bucket, the queues, the table, the bus and the topic."""
        self._sandbox.aws.batch.create_queue(f"{self._name}-queue", region=REGION)
        self._aws("s3").create_bucket(Bucket=self.bucket)
        told = {"QueueArn": self._queue("uploads"), "Events": ["s3:ObjectCreated:*"]}
        told_of = [
            {**told, "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}}
            for prefix in _TOLD
        ]
        self._aws("s3").put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": told_of}
        )
        names = (("run", "HASH"), ("picture", "RANGE"))
        self._aws("dynamodb").create_table(
            TableName=self.bucket,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in names],
            BillingMode="PAY_PER_REQUEST",
        )
        bus, target = f"{self._name}-bus", {"Id": "queue", "Arn": self._queue("events")}
        self._aws("events").create_event_bus(Name=bus)
        pattern = json.dumps({"source": ["pierhead.dev"]})
        self._aws("events").put_rule(Name="ends", EventBusName=bus, EventPattern=pattern)
        self._aws("events").put_targets(Rule="ends", EventBusName=bus, Targets=[target])
        topic = self._aws("sns").create_topic(Name=f"{self._name}-notifications")["TopicArn"]
        self._aws("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=self._queue("notified"))

    def objects(self) -> list[Object]:
        """The EventTriggers."""
        folder = repository() / "examples" / "pipeline"
        text = (folder / "eventtriggers.yaml").read_text().replace("media-", f"{self._name}-")
        text = text.replace("namespace: media", f"namespace: {self.namespace}")
        text = text.replace("/app/pipeline.py", str(folder / "pipeline.py")).replace("python", sys.executable)
        return list(yaml.safe_load_all(text))

    def upload(self, count: int) -> dict[str, str]:
        """Uploads so many pictures and then their list, on which one is that is missing.

        Why pierhead is to reject which, by key.
        """
        content = {kind: _picture(kind) for kind in ("PNG", "JPEG")}
        bodies: dict[str, bytes] = {}
        wrong: dict[str, str] = {}
        for number in range(count):
            usual = ("JPEG", "jpg") if number % 2 else ("PNG", "png")
            reason, kind, ending, spoilt = _TROUBLES.get(
                number % EVERY, ("", *usual, lambda content: content)
            )
            key = f"incoming/{RUN}/Bild {number:03} ä.{ending}"
            bodies[key] = spoilt(content[kind])
            if reason:
                wrong[key] = reason
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
            list(pool.map(self._put, bodies, bodies.values()))
        missing = f"incoming/{RUN}/forgotten.png"
        self._put(f"incoming/{RUN}.manifest", "\n".join([*bodies, missing]).encode())
        return {**wrong, missing: "missing"}

    def manifest(self) -> Object:
        """What the pipeline wrote about the run in the end."""
        answer = self._aws("s3").get_object(Bucket=self.bucket, Key=f"finished/{RUN}/manifest.json")
        found: Object = json.loads(answer["Body"].read())
        return found

    def keys(self, prefix: str) -> list[str]:
        """What is in a folder of the bucket."""
        pages = self._aws("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def notifications(self) -> list[Object]:
        """What was told to the topic since this was last asked."""
        answer = self._aws("sqs").receive_message(QueueUrl=self._notified, MaxNumberOfMessages=10)
        return [json.loads(json.loads(one["Body"])["Message"]) for one in answer.get("Messages", ())]

    def _put(self, key: str, content: bytes) -> None:
        self._aws("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def _queue(self, name: str) -> str:
        """A new queue's ARN."""
        sqs = self._aws("sqs")
        url = str(sqs.create_queue(QueueName=f"{self._name}-{name}")["QueueUrl"])
        if name == "notified":
            self._notified = url
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
        return str(attributes["QueueArn"])


def _picture(kind: str) -> bytes:
    made = io.BytesIO()
    noise = Random(kind).randbytes(64 * 40 * 3)  # the same picture every time
    Image.frombytes("RGB", (64, 40), noise).save(made, kind)
    return made.getvalue()
