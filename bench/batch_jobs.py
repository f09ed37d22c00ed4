"""What the benchmarks of BatchJobs share: the objects, Batch's events, and what a watch tells of them.

Invariant: the end of a job is Batch's own `stoppedAt`, and what became of its BatchJob is what a watch told,
both by the clock of the one machine; nothing is taken from the operator's word.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import boto3

from bench.lab import NAMESPACE, say
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.resources import BATCH_JOBS
from pierhead_sandbox.demo.observed import condition
from pierhead_sandbox.sandbox import Sandbox

QUEUE = f"{NAMESPACE}-work"
LARGEST_ARRAY = 10_000
DEFAULT_POLL_SECONDS = 15
"""The operator's own default."""

PATTERN = {
    "source": ["aws.batch"],
    "$or": [
        {"detail-type": ["Batch Job Queue Blocked"]},
        {
            "detail-type": ["Batch Job State Change"],
            "detail": {
                "status": ["SUCCEEDED", "FAILED"],
                "arrayProperties": {"index": [{"exists": False}]},
            },
        },
    ],
}
"""The rule that docs/batchjob.md asks for."""

CONTAINER = {
    "image": "registry.example.com/work:1",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "512"}],
}
PATIENCE_SECONDS = 600
_DESCRIBED_A_CALL = 100
_JOB_NAME = re.compile(rf"{NAMESPACE}-(?P<name>.+)-[0-9a-f]{{8}}-r\d+-s\d+")


def batch_job(name: str, completions: int) -> Object:
    """A BatchJob whose failed indexes run once more."""
    container = {
        "image": CONTAINER["image"],
        "command": CONTAINER["command"],
        "resources": {"vcpu": 0.5, "memoryMiB": 512},
    }
    spec = {
        "queue": QUEUE,
        "completions": completions,
        "backoffLimitPerIndex": 1,
        "template": {"container": container},
    }
    return {
        "apiVersion": BATCH_JOBS.api_version,
        "kind": BATCH_JOBS.kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def client_of(sandbox: Sandbox, service: str) -> Any:
    """A client of the benchmark's own."""
    environment = sandbox.environment
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="pierhead-bench",
        aws_secret_access_key="pierhead-bench",
    )


def install_batch_events(sandbox: Sandbox) -> str:
    """Makes a queue that hears the ends of jobs; its URL."""
    sqs, bus = client_of(sandbox, "sqs"), client_of(sandbox, "events")
    url = str(sqs.create_queue(QueueName="batch-events")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    bus.put_rule(Name="batch-events", EventPattern=json.dumps(PATTERN))
    bus.put_targets(Rule="batch-events", Targets=[{"Id": "queue", "Arn": arn}])
    return url


def sizes(n: int) -> Iterable[int]:
    """The arrays that N indexes make."""
    for first in range(0, n, LARGEST_ARRAY):
        yield min(LARGEST_ARRAY, n - first)


class Jobs:
    """The jobs of the operator in Batch: how many ran, and when those of a BatchJob had all ended."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._submissions = {
            entry.job_id: (match["name"], entry.array_size)
            for entry in sandbox.aws.batch.submissions()
            if (match := _JOB_NAME.fullmatch(entry.job_name))
        }
        self._client = client_of(sandbox, "batch")

    def state_changes(self, name: str) -> int:
        """Changes of the jobs of one BatchJob that Batch has an event for: four a child, two a parent."""
        arrays = [size for whose, size in self._submissions.values() if whose == name]
        return sum(4 * (size or 1) + (2 if size else 0) for size in arrays)

    def ends(self) -> dict[str, float]:
        """When the last child of each BatchJob ended, by name, in Unix seconds."""
        ids, ended = list(self._submissions), dict[str, float]()
        for start in range(0, len(ids), _DESCRIBED_A_CALL):
            jobs = self._client.describe_jobs(jobs=ids[start : start + _DESCRIBED_A_CALL])["jobs"]
            for job in jobs:
                name = self._submissions[job["jobId"]][0]
                ended[name] = max(ended.get(name, 0.0), job.get("stoppedAt", 0) / 1000)
        return ended


class Told:
    """What a watch told of the BatchJobs."""

    def __init__(self) -> None:
        self.complete: dict[str, float] = {}
        """Since when each is Complete, in Unix seconds."""
        self.objects: dict[str, Object] = {}
        """The newest version of each."""
        self.versions = 0
        self.status_bytes = 0
        """Of the largest status that was ever stored, as JSON."""
        self._moved = asyncio.Event()

    def __call__(self, event: str, obj: Object) -> None:
        """One change."""
        name, status = ObjectKey.of(obj).name, obj.get("status") or {}
        if event == "DELETED":
            return
        self.versions += 1
        self.objects[name] = obj
        self.status_bytes = max(self.status_bytes, len(json.dumps(status, separators=(",", ":")).encode()))
        if condition(obj, "Complete").get("status") == "True":
            self.complete.setdefault(name, time.time())
        self._moved.set()

    async def until(self, what: str, done: Callable[[], bool]) -> None:
        """Returns once that is so. Raises TimeoutError."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not done():
                    self._moved.clear()
                    await self._moved.wait()
        except TimeoutError:
            say(f"not in time: {what}")
            raise
        say(what)

    def count(self, what: str, number: int) -> int:
        """How many BatchJobs have this many `jobs` in Batch, or indexes in the state that is named."""
        return sum(_number(obj.get("status") or {}, what) == number for obj in self.objects.values())


def _number(status: dict[str, Any], what: str) -> int:
    if what == "jobs":
        return sum(shard["state"] == "Submitted" for shard in status.get("shards") or ())
    return int((status.get("states") or {}).get(what, 0))
