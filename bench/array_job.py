"""`python -m bench.array_job -n 10000`: one BatchJob of N indexes.

The limit is the same array job registered, submitted and described by a bare client until it has ended. Its
time is for the most part that of the stand-in's children: a fifth of a second each, a thousand at once.
"""

import asyncio
import time
from typing import Any

import boto3

from bench.arguments import number
from bench.lab import NAMESPACE, laboratory, say
from bench.report import Result
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS
from pierhead_sandbox.sandbox import Sandbox

POLL_SECONDS = 0.5
"""Between two looks at the job, of the operator and of the bare client. With the operator's default of 15 s
there would be nothing else to see."""

LARGEST_ARRAY = 10_000
CONTAINER = {
    "image": "registry.example.com/work:1",
    "command": ["true"],
    "resourceRequirements": [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "512"}],
}


def batch_job(n: int, queue: str) -> Object:
    """The BatchJob."""
    container = {
        "image": CONTAINER["image"],
        "command": CONTAINER["command"],
        "resources": {"vcpu": 0.5, "memoryMiB": 512},
    }
    return {
        "apiVersion": BATCH_JOBS.api_version,
        "kind": BATCH_JOBS.kind,
        "metadata": {"name": "work", "namespace": NAMESPACE},
        "spec": {"queue": queue, "completions": n, "template": {"container": container}},
    }


def limit(sandbox: Sandbox, n: int, queue: str) -> float:
    """Seconds of the bare client."""
    environment = sandbox.environment
    client: Any = boto3.client(
        "batch",
        region_name=environment["AWS_REGION"],
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id="pierhead-bench",
        aws_secret_access_key="pierhead-bench",
    )
    began = time.monotonic()
    definition = client.register_job_definition(
        jobDefinitionName="limit", type="container", containerProperties=CONTAINER
    )
    jobs = [
        client.submit_job(
            jobName=f"limit-{first}",
            jobQueue=queue,
            jobDefinition=definition["jobDefinitionArn"],
            **({"arrayProperties": {"size": size}} if size > 1 else {}),
        )["jobId"]
        for first in range(0, n, LARGEST_ARRAY)
        if (size := min(LARGEST_ARRAY, n - first))
    ]
    while any(job["status"] != "SUCCEEDED" for job in client.describe_jobs(jobs=jobs)["jobs"]):
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


async def main(n: int) -> Result:
    """One run."""
    queue = f"{NAMESPACE}-work"
    async with laboratory({"batch_poll_seconds": POLL_SECONDS}) as lab:
        lab.sandbox.aws.batch.create_queue(queue, region=lab.sandbox.environment["AWS_REGION"])
        limit_seconds = await asyncio.to_thread(limit, lab.sandbox, n, queue)
        say(f"the bare client's job ended after {limit_seconds:.1f} s")
        await lab.quiet()
        await asyncio.to_thread(lab.operator.start)
        measured = await lab.measure(BATCH_JOBS, [batch_job(n, queue)])
    return Result.of("array_job", measured, n=n, limit_seconds=limit_seconds, objects=1)


if __name__ == "__main__":
    asyncio.run(main(number(__doc__, 10_000, "indexes"))).show()
