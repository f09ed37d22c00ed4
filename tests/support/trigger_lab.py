"""EventTriggers in one namespace of the sandbox: queues, buckets and buses, and operators that read them.

Everything runs in the test's process, on its event loop; the API server and AWS are asked over HTTP.
"""

import asyncio
import json
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import boto3

from pierhead.aws.policy import Policy
from pierhead.engine.metrics import Metrics
from pierhead.kube.client import Client
from pierhead.kube.resources import BATCH_JOBS, EVENT_TRIGGERS
from pierhead.kube.watch import EventType
from pierhead.settings import Settings
from pierhead.triggers.reconcile import EventTriggerReconciler
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.mortal import Life, MortalSessions, MortalTransport
from support.objects import credentials_of
from support.seen import Controlled, Seen
from support.waiting import eventually

REGION = "us-east-1"
Object = dict[str, Any]


class Operator:
    """One operator's controller of EventTriggers."""

    def __init__(self, lab: "TriggerLab", *, grace_seconds: float, clock: Callable[[], datetime]) -> None:
        self.life = Life()
        settings = Settings(watch_namespaces=(lab.namespace,), aws_region=REGION)
        transport = MortalTransport(
            credentials_of(lab.sandbox), connections=16, streams=8, user_agent=f"triggers-{lab.namespace}"
        )
        transport.life = self.life
        self.client = Client(transport)
        metrics = Metrics("test")
        self._sessions = MortalSessions(settings, count=metrics.observe_aws_call)
        self._sessions.life = self.life
        self.reconciler = EventTriggerReconciler(
            client=self.client,
            sessions=self._sessions,
            policy=Policy((), region=REGION),
            settings=settings,
            metrics=metrics,
            clock=clock,
            grace_seconds=grace_seconds,
        )
        self._controlled = Controlled(
            self.reconciler, self.client, EVENT_TRIGGERS, lab.namespace, events=self, metrics=metrics
        )

    async def emit(self, _obj: Object, _event_type: str, _reason: str, _message: str) -> None:
        """Events are of no interest here."""

    async def stop(self) -> None:
        await self._controlled.stop()
        await self.reconciler.stop()
        await self._sessions.close()
        # What a poll that goes on in its thread receives would be hidden from the next operator.
        await asyncio.to_thread(self._sessions._threads.shutdown)
        await self.client.close()


class TriggerLab:
    """What a test acts on and looks at."""

    def __init__(self, sandbox: Sandbox, kube: Client, namespace: str, aws: AwsControl) -> None:
        self.sandbox = sandbox
        self.kube = kube
        self.namespace = namespace
        self.aws = aws
        self.bucket = f"{namespace}-pictures"
        self.queue = f"{namespace}-uploads"
        self.sqs, self.s3, self.bus, self.sns = (
            boto3.client(name, region_name=REGION) for name in ("sqs", "s3", "events", "sns")
        )
        self.url = self.sqs.create_queue(QueueName=self.queue)["QueueUrl"]
        self.arn = self.arn_of(self.url)
        self._operators: list[Operator] = []
        self._seen = Seen(self._told)
        self._watching = AsyncExitStack()
        self.look: Callable[[EventType, Object], None] = lambda _event_type, _obj: None
        """Told what the watches tell, before it is seen."""

    def _told(self, event_type: EventType, obj: Object) -> None:
        self.look(event_type, obj)

    async def open(self) -> None:
        watching = self._seen.watching(self.kube, self.namespace, EVENT_TRIGGERS, BATCH_JOBS)
        await self._watching.enter_async_context(watching)

    async def close(self) -> None:
        for operator in self._operators:
            await operator.stop()
        await self._watching.aclose()

    def operator(
        self, *, grace_seconds: float = 0.0, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> Operator:
        operator = Operator(self, grace_seconds=grace_seconds, clock=clock)
        self._operators.append(operator)
        return operator

    # What a person does.

    def buckets_notify(self) -> None:
        """A bucket whose uploads are told to the queue."""
        self.s3.create_bucket(Bucket=self.bucket)
        told = {"QueueArn": self.arn, "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
        self.s3.put_bucket_notification_configuration(
            Bucket=self.bucket, NotificationConfiguration={"QueueConfigurations": [told]}
        )

    def upload(self, key: str, content: bytes = b"picture") -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)

    def send(self, body: str | Object) -> None:
        """Puts a message into the queue."""
        text = body if isinstance(body, str) else json.dumps(body)
        self.sqs.send_message(QueueUrl=self.url, MessageBody=text)

    def event(self, **detail: Any) -> Object:
        """An event as EventBridge delivers it."""
        return {
            "version": "0", "id": str(uuid.uuid4()), "source": "team.app", "detail-type": "Order Placed",
            "account": "123456789012", "time": "2026-01-01T00:00:00Z", "region": REGION, "resources": [],
            "detail": detail,
        }  # fmt: skip

    def bus_that_tells(self) -> tuple[str, str]:
        """A bus whose events of pierhead go to a queue: its name, and the queue's URL."""
        name, url = (
            f"{self.namespace}-bus",
            self.sqs.create_queue(QueueName=f"{self.namespace}-told")["QueueUrl"],
        )
        self.bus.create_event_bus(Name=name)
        pattern = json.dumps({"source": ["pierhead.dev"]})
        self.bus.put_rule(Name="ends", EventBusName=name, EventPattern=pattern)
        target = {"Id": "queue", "Arn": self.arn_of(url)}
        self.bus.put_targets(Rule="ends", EventBusName=name, Targets=[target])
        return name, url

    def dead_letters(self, *, receives: int) -> str:
        """The URL of a dead-letter queue for what was received so often."""
        url = str(self.sqs.create_queue(QueueName=f"{self.queue}-dead")["QueueUrl"])
        policy = {"deadLetterTargetArn": self.arn_of(url), "maxReceiveCount": str(receives)}
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"RedrivePolicy": json.dumps(policy)})
        return url

    async def told(self, url: str, count: int) -> list[Object]:
        """The events in a queue, once there are so many; they stay in it."""
        await eventually(lambda: self.waiting(url) >= count)
        answer = self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return [json.loads(message["Body"]) for message in answer["Messages"]]

    async def poke(self, name: str) -> None:
        """Forces a reconcile."""
        annotations = {"pierhead.dev/reconcile-at": str(uuid.uuid4())}
        await self.kube.merge_patch(
            EVENT_TRIGGERS, name, self.namespace, {"metadata": {"annotations": annotations}}
        )

    async def trigger(self, name: str = "thumbs", /, **spec: Any) -> Object:
        """Creates or changes an EventTrigger."""
        template = {
            "kind": "BatchJob",
            "spec": {"queue": f"{self.namespace}-batch", "jobDefinition": "work:1"},
        }
        given: Object = {"template": template, **spec}
        if "schedule" not in given:
            given.setdefault("queue", self.queue)
        obj = {
            "apiVersion": EVENT_TRIGGERS.api_version,
            "kind": EVENT_TRIGGERS.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": given,
        }
        return await self.kube.apply(EVENT_TRIGGERS, obj, field_manager="person")

    async def end(self, name: str, *, succeeded: bool = True) -> None:
        """Ends a BatchJob as its controller would."""
        kind = "Complete" if succeeded else "Failed"
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        entry = {"type": kind, "status": "True", "reason": "Done", "message": "", "lastTransitionTime": now}
        await self.kube.merge_patch(
            BATCH_JOBS,
            name,
            self.namespace,
            {"status": {"conditions": [entry], "size": 1}},
            subresource="status",
        )

    # What a person sees.

    def jobs(self) -> list[Object]:
        """The BatchJobs, oldest first."""
        return sorted(
            self._seen.of(BATCH_JOBS),
            key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]),
        )

    async def until(self, holds: Callable[[], Any], within: float = 45) -> Any:
        """The first true answer, asked whenever something was seen to change."""
        try:
            return await self._seen.until(holds, within)
        except TimeoutError:
            seen = [*self._seen.of(EVENT_TRIGGERS), *self.jobs()]
            raise AssertionError(f"after {within} s: {seen}") from None

    async def started(self, count: int) -> list[Object]:
        """So many BatchJobs, once they are there."""
        return list(await self.until(lambda: len(self.jobs()) >= count and self.jobs()))

    async def has(
        self, condition_type: str, status: str = "True", *, name: str = "thumbs", reason: str = ""
    ) -> Object:
        """The condition of an EventTrigger, once it says so."""

        def holds() -> Object | None:
            obj = self._seen.get(EVENT_TRIGGERS, name) or {}
            for entry in obj.get("status", {}).get("conditions", []):
                if (entry["type"], entry["status"]) == (condition_type, status) and reason in {
                    "",
                    entry["reason"],
                }:
                    return dict(entry)
            return None

        return dict(await self.until(holds))

    def status(self, name: str = "thumbs") -> Object:
        return dict((self._seen.get(EVENT_TRIGGERS, name) or {}).get("status", {}))

    def waiting(self, url: str = "") -> int:
        """Messages in the queue, hidden ones too."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    async def left(self, count: int) -> None:
        """Returns once so many messages are in the queue."""
        await eventually(lambda: self.waiting() == count)

    def arn_of(self, url: str) -> str:
        return str(
            self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        )
