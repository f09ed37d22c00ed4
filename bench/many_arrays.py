"""`python -m bench.many_arrays -n 300`: N BatchJobs of 1,000 indexes each that run for long.

The operator has its default poll and hears Batch's events. The cold phase lasts from the first apply until
Batch has accepted the array of each; its limit is a bare client that submits as many, without a limit on
its calls. Then, in real time, follow two windows once the children of all run: in the first nothing
changes, in the second a child ends every second, each in another array.
"""

import asyncio
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.arguments import numbers
from bench.batch_jobs import (
    CONTAINER,
    DEFAULT_POLL_SECONDS,
    QUEUE,
    Told,
    batch_job,
    client_of,
    install_batch_events,
)
from bench.lab import CONNECTIONS, NAMESPACE, Lab, following, laboratory, say
from bench.report import Result
from bench.usage import usage_of
from pierhead.kube.resources import BATCH_JOBS
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox

_LEASES = "leases"
_EVERY_CHILD = 10_000_000


def limit(sandbox: Sandbox, n: int, children: int) -> float:
    """Seconds in which the bare client submits as many arrays; they end at once."""
    client = client_of(sandbox, "batch")
    began = time.monotonic()
    definition = client.register_job_definition(
        jobDefinitionName="limit", type="container", containerProperties=CONTAINER
    )["jobDefinitionArn"]

    def submit(number: int) -> None:
        client.submit_job(
            jobName=f"limit-{number}",
            jobQueue=QUEUE,
            jobDefinition=definition,
            arrayProperties={"size": children},
        )

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(submit, range(n)))
    seconds = time.monotonic() - began
    for job in sandbox.aws.batch.jobs():
        client.terminate_job(jobId=job["job_id"], reason="over")
    return seconds


class Window:
    """What is asked of AWS and written into the cluster between its beginning and its end."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._began = time.monotonic()
        self._calls = _calls(lab)
        self._writes = _writes(lab)

    def figures(self, name: str) -> dict[str, Any]:
        """As of now."""
        seconds = time.monotonic() - self._began
        calls, writes = _calls(self._lab) - self._calls, _writes(self._lab) - self._writes
        return {
            f"{name}_seconds": round(seconds, 1),
            f"{name}_aws_calls_per_second": round(calls.total() / seconds, 3),
            f"{name}_aws_calls": dict(calls),
            f"{name}_api_writes": writes.total(),
            f"{name}_writes": dict(writes),
        }


def _calls(lab: Lab) -> Counter[str]:
    calls = lab.sandbox.aws.calls()
    return Counter({name: sum(outcomes.values()) for name, outcomes in calls.items()})


def _writes(lab: Lab) -> Counter[str]:
    """Everybody's writes, by resource, but for the Leases that the whole control plane renews."""
    found: Counter[str] = Counter()
    for kind, count in lab.sandbox.request_counts().items():
        if kind.writes and kind.resource != _LEASES:
            found["/".join(part for part in (kind.resource, kind.subresource) if part)] += count
    return found


async def trickle(lab: Lab, seconds: int) -> None:
    """Ends a child every second, each in another array."""
    batch = lab.sandbox.aws.batch
    # One index of each array ends when the array is released; all others go on.
    batch.script(indexes="0")
    ids = [entry.job_id for entry in batch.submissions() if entry.job_name.startswith(NAMESPACE)]
    began = time.monotonic()
    for number in range(seconds):
        await asyncio.to_thread(batch.release, ids[number % len(ids)])
        await asyncio.sleep(max(0.0, began + number + 1 - time.monotonic()))


async def main(n: int, children: int, window: int, poll: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        sandbox = lab.sandbox
        batch = sandbox.aws.batch
        batch.create_queue(QUEUE, region=sandbox.environment["AWS_REGION"])
        batch.configure(queue_concurrency=_EVERY_CHILD)
        batch.script(stays="RUNNING")
        limit_seconds = await asyncio.to_thread(limit, sandbox, n, children)
        say(f"the bare client submitted {n} arrays in {limit_seconds:.1f} s")
        await lab.quiet()
        url = await asyncio.to_thread(install_batch_events, sandbox)
        settings = {"batch_poll_seconds": poll, "batch_events_queue_url": url}
        lab.operator = OperatorProcess(sandbox, settings=settings)
        await asyncio.to_thread(lab.operator.start)
        told = Told()
        async with following(lab.client, BATCH_JOBS, NAMESPACE, told):
            counting, began = lab.counting(), time.monotonic()
            await lab.apply_all((BATCH_JOBS, batch_job(f"job-{number:05}", children)) for number in range(n))
            await told.until(f"{n} arrays are submitted", lambda: told.count("jobs", 1) == n)
            cold = counting(seconds=time.monotonic() - began)
            await told.until(f"{n * children} children run", lambda: told.count("running", children) == n)
            all_run = time.monotonic() - began
            await lab.quiet()
            steady, versions = Window(lab), told.versions
            await asyncio.sleep(window)
            idle = steady.figures("idle")
            idle["idle_object_versions"] = told.versions - versions
            say(f"{idle['idle_aws_calls_per_second']} AWS calls a second while nothing changes")
            slow = Window(lab)
            await trickle(lab, window)
            trickled = slow.figures("trickle")
            usage = usage_of(lab.operator.pid)
            say(f"{trickled['trickle_aws_calls_per_second']} AWS calls a second while a child ends a second")
    figures = {
        "children": n * children,
        "poll_seconds": poll,
        "seconds_until_all_run": round(all_run, 3),
        "aws_calls_per_second": idle["idle_aws_calls_per_second"],
        **idle,
        **trickled,
        "status_bytes": told.status_bytes,
        "peak_rss_mib_at_the_end": round(usage.peak_rss_mib, 1),
    }
    return Result.of("many_arrays", cold, n=n, limit_seconds=limit_seconds, figures=figures)


if __name__ == "__main__":
    defaults = {"children": 1000, "window": 60, "poll": DEFAULT_POLL_SECONDS}
    asyncio.run(main(*numbers(__doc__, 300, "BatchJobs", **defaults))).show()
