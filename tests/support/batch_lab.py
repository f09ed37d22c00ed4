"""BatchJobs in one namespace of the sandbox, and operators to reconcile them.

Everything runs in the test's process, on its event loop; the API server and Batch are asked over HTTP.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import boto3

from pierhead.aws.policy import Policy
from pierhead.batch.reconcile import BatchJobReconciler
from pierhead.engine.metrics import Metrics
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS, ResourceType
from pierhead.kube.tokens import service_account_token
from pierhead.kube.watch import EventType
from pierhead.settings import Settings
from pierhead_sandbox.aws.batch.settings import Submission
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.sandbox import Sandbox
from support.mortal import Life, MortalSessions, MortalTransport
from support.objects import credentials_of
from support.seen import Controlled, Seen

REGION = "us-east-1"
CONTAINER = {"image": "example.com/work:1"}
Object = dict[str, Any]


class Operator:
    """One operator's controller of BatchJobs."""

    def __init__(self, lab: "Lab", settings: Settings) -> None:
        self.life = Life()
        self.events: list[tuple[str, str, str]] = []
        transport = MortalTransport(
            credentials_of(lab.sandbox), connections=16, streams=8, user_agent="operator"
        )
        transport.life = self.life
        self._client = Client(transport)
        metrics = Metrics("test")
        self._sessions = MortalSessions(
            settings, count=metrics.observe_aws_call, tokens=partial(service_account_token, self._client)
        )
        self._sessions.life = self.life
        self.reconciler = BatchJobReconciler(
            client=self._client,
            sessions=self._sessions,
            policy=Policy(settings.aws_policy, region=settings.aws_region),
            settings=settings,
            metrics=metrics,
        )
        self.metrics = metrics
        self._controlled = Controlled(
            self.reconciler, self._client, BATCH_JOBS, lab.namespace, events=self, metrics=metrics
        )
        self.controller = self._controlled.controller

    async def emit(self, _obj: Object, event_type: str, reason: str, message: str) -> None:
        self.events.append((event_type, reason, message))

    async def crashed(self, within: float = 45) -> None:
        """Returns once it died; nothing of it is left then."""
        async with asyncio.timeout(within):
            await self.life.crashed.wait()
        await self.stop()

    async def stop(self) -> None:
        await self._controlled.stop()
        await self._sessions.close()
        await self._client.close()


class Lab:
    """What a test acts on and looks at."""

    def __init__(self, sandbox: Sandbox, kube: Client, namespace: str, aws: AwsControl) -> None:
        self.sandbox = sandbox
        self.kube = kube
        self.namespace = namespace
        self.aws = aws
        self.batch = aws.batch
        self.boto = boto3.client("batch", region_name=REGION)
        self.queue = f"{namespace}-queue"
        self._operators: list[Operator] = []
        self.history: list[Object] = []
        """Every version of every BatchJob that the watch told."""
        self._seen = Seen(self._keep)

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator["Lab"]:
        self.batch.create_queue(self.queue, region=REGION)
        async with self._seen.watching(self.kube, self.namespace, BATCH_JOBS):
            try:
                yield self
            finally:
                for operator in self._operators:
                    await operator.stop()

    def operator(self, *, dies_at: Callable[[str, str], bool] | None = None, **settings: Any) -> Operator:
        """A running operator that polls five times a second; `dies_at` is given each call and its phase."""
        given = {
            "watch_namespaces": (self.namespace,),
            "batch_poll_seconds": 0.2,
            "batch_settle_seconds": 1,
            "aws_region": REGION,
            **settings,
        }
        operator = Operator(self, Settings(**given))
        if dies_at is not None:
            operator.life.dies_at = dies_at
        self._operators.append(operator)
        return operator

    async def job(self, **spec: Any) -> str:
        """Creates a BatchJob and returns its name."""
        name = f"job-{uuid.uuid4().hex[:8]}"
        given = {"queue": self.queue, **spec}
        if "jobDefinition" not in given:
            given.setdefault("template", {"container": CONTAINER})
        obj = {
            "apiVersion": BATCH_JOBS.api_version,
            "kind": BATCH_JOBS.kind,
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": given,
        }
        await self.kube.create(BATCH_JOBS, obj)
        return name

    async def change(self, name: str, **spec: Any) -> None:
        await self.kube.merge_patch(BATCH_JOBS, name, self.namespace, {"spec": spec})

    async def poke(self, name: str, value: str) -> None:
        """Forces a reconcile."""
        annotations = {"pierhead.dev/reconcile-at": value}
        await self.kube.merge_patch(
            BATCH_JOBS, name, self.namespace, {"metadata": {"annotations": annotations}}
        )

    async def delete(self, name: str) -> None:
        await self.kube.delete(BATCH_JOBS, name, self.namespace)

    async def until(self, name: str, condition: Callable[[Object], Any], within: float = 45) -> Object:
        """The BatchJob once the condition holds of it."""

        def holds() -> Object | None:
            obj = self._seen.get(BATCH_JOBS, name)
            return obj if obj is not None and condition(obj) else None

        try:
            found: Object = await self._seen.until(holds, within)
        except TimeoutError:
            raise AssertionError(f"after {within} s: {self._seen.get(BATCH_JOBS, name)}") from None
        return found

    async def has(
        self, name: str, wanted: str, status: str = "True", *, reason: str = "", within: float = 45
    ) -> Object:
        """The BatchJob once it has a condition of this type."""

        def holds(obj: Object) -> bool:
            found = condition(obj, wanted)
            return bool(found) and found["status"] == status and reason in {"", found["reason"]}

        return await self.until(name, holds, within)

    async def gone(self, name: str, within: float = 45) -> None:
        """Returns once there is no such BatchJob."""
        await self._seen.until(lambda: self._seen.get(BATCH_JOBS, name) is None, within)

    async def is_gone(self, resource: ResourceType, name: str) -> bool:
        try:
            await self.kube.get(resource, name, self.namespace)
        except NotFound:
            return True
        return False

    def versions(self, name: str) -> list[Object]:
        """What was seen of a BatchJob, version by version."""
        return [obj for obj in self.history if obj["metadata"]["name"] == name]

    def submissions(self) -> list[Submission]:
        """Every job Batch accepted on this lab's queue."""
        return [entry for entry in self.batch.submissions() if entry.queue.endswith(self.queue)]

    def described(self, *ids: str) -> list[Object]:
        """DescribeJobs, as a bystander."""
        found: list[Object] = self.boto.describe_jobs(jobs=list(ids))["jobs"]
        return found

    async def record(self, obj: Object) -> Object:
        """The ConfigMap with a BatchJob's exact index sets."""
        name = obj["status"]["indexRecord"]["configMap"]
        return await self.kube.get(CONFIG_MAPS, name, self.namespace)

    def _keep(self, event_type: EventType, obj: Object) -> None:
        if event_type != "DELETED":
            self.history.append(obj)


def condition(obj: Object, condition_type: str) -> Object | None:
    conditions = obj.get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == condition_type), None)


def variables(job: Object) -> dict[str, str]:
    """The environment of a described job."""
    return {entry["name"]: entry["value"] for entry in job["container"]["environment"]}
