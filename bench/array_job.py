"""`python -m bench.array_job -n 100000`: one BatchJob of N indexes, some of which fail and run a second time.

It is run twice: by an operator that hears Batch's events, whose figures are the main ones, and by one that
only polls. Beside each many small BatchJobs end one after another: from the end of the last child of each,
by Batch's clock, until a watch tells that it is Complete, is the latency. The limit is a bare client that
submits the same arrays of both rounds and describes them until they have ended. Its time is for the most
part that of the stand-in's children: a fifth of a second each, a thousand at once.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.arguments import numbers
from bench.batch_jobs import (
    CONTAINER,
    DEFAULT_POLL_SECONDS,
    LARGEST_ARRAY,
    PATIENCE_SECONDS,
    QUEUE,
    Jobs,
    Told,
    batch_job,
    client_of,
    install_batch_events,
    sizes,
)
from bench.lab import NAMESPACE, Lab, Measured, following, laboratory, percentile, say
from bench.report import Result
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS
from pierhead_sandbox.operator_process import OperatorProcess
from pierhead_sandbox.sandbox import Sandbox

_LOOK_SECONDS = 0.5
"""Between two looks of the bare client."""

_SMALL = 20


def let_fail(sandbox: Sandbox, percent: int) -> None:
    """So many children of each array's first round fail, the first one always."""
    if percent:
        sandbox.aws.batch.script(job_name="*-r0-s*", share=percent / 100, exit_code=1)
        sandbox.aws.batch.script(job_name="*-r0-s*", indexes="0", exit_code=1)


def limit(sandbox: Sandbox, n: int) -> float:
    """Seconds of the bare client."""
    client = client_of(sandbox, "batch")
    began = time.monotonic()
    definition = client.register_job_definition(
        jobDefinitionName="limit", type="container", containerProperties=CONTAINER
    )["jobDefinitionArn"]
    failed, left = 0, n
    for number in range(2):
        ids = [
            client.submit_job(
                jobName=f"limit-r{number}-s{shard}",
                jobQueue=QUEUE,
                jobDefinition=definition,
                **({"arrayProperties": {"size": size}} if size > 1 else {}),
            )["jobId"]
            for shard, size in enumerate(sizes(left))
        ]
        while any(job["status"] not in {"SUCCEEDED", "FAILED"} for job in _described(client, ids)):
            time.sleep(_LOOK_SECONDS)
        failed = sum(_failed(job) for job in _described(client, ids))
        if not failed:
            break
        left = failed
    return time.monotonic() - began


def _described(client: Any, ids: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.describe_jobs(jobs=ids)["jobs"]
    return found


def _failed(job: Mapping[str, Any]) -> int:
    summary = (job.get("arrayProperties") or {}).get("statusSummary")
    return int(summary["FAILED"]) if summary else int(job["status"] == "FAILED")


@dataclass(frozen=True, slots=True)
class Found:
    """What one operator took for the large BatchJob, and how late it told of ends."""

    measured: Measured
    latency: float
    """Of the large one."""
    latencies: list[float]
    """Of all."""
    status: Mapping[str, Any]
    status_bytes: int
    record_bytes: int
    versions: int
    state_changes: int

    def latest(self, suffix: str) -> dict[str, Any]:
        """The latencies as figures."""
        return {
            f"complete_after_seconds{suffix}": round(self.latency, 3),
            f"complete_after_p50_seconds{suffix}": percentile(self.latencies, 50),
            f"complete_after_p99_seconds{suffix}": percentile(self.latencies, 99),
            f"complete_after_most_seconds{suffix}": round(max(self.latencies), 3),
        }


async def run(lab: Lab, name: str, n: int, runs: int, spread: float, settings: Mapping[str, Any]) -> Found:
    """The large BatchJob, then small ones within `spread` seconds, by an operator of these settings."""
    lab.operator = OperatorProcess(lab.sandbox, name=name, settings=settings)
    await asyncio.to_thread(lab.operator.start)
    told, record_bytes = Told(), 0

    def saved(_event: str, obj: Mapping[str, Any]) -> None:
        nonlocal record_bytes
        record = (obj.get("binaryData") or {}).get("indexes", "")
        record_bytes = max(record_bytes, len(record))

    async with following(lab.client, BATCH_JOBS, NAMESPACE, told):
        async with following(lab.client, CONFIG_MAPS, NAMESPACE, saved):
            measured = await lab.measure(BATCH_JOBS, [batch_job(name, n)], patience=PATIENCE_SECONDS)
        versions, status = told.versions, told.objects[name]["status"]
        say(f"{name}: {n} indexes took {measured.seconds:.1f} s, {measured.aws_calls.total()} AWS calls")
        small = [f"{name}-{number:04}" for number in range(runs)]
        for one in small:
            await lab.client.apply(BATCH_JOBS, batch_job(one, _SMALL), field_manager="bench")
            await asyncio.sleep(spread / runs)
        everyone = {name, *small}
        await told.until(
            f"{name} and {runs} small ones are Complete", lambda: everyone <= told.complete.keys()
        )
    jobs = await asyncio.to_thread(Jobs, lab.sandbox)
    ends = await asyncio.to_thread(jobs.ends)
    latencies = {one: told.complete[one] - ends[one] for one in (name, *small)}
    say(f"{name}: Complete {max(latencies.values()):.2f} s after its last child at the latest")
    await asyncio.to_thread(lab.operator.terminate)
    return Found(
        measured=measured,
        latency=latencies[name],
        latencies=list(latencies.values()),
        status=status,
        status_bytes=told.status_bytes,
        record_bytes=record_bytes,
        versions=versions,
        state_changes=jobs.state_changes(name),
    )


async def main(n: int, failing: int, runs: int, poll: int) -> Result:
    """One run."""
    async with laboratory() as lab:
        sandbox = lab.sandbox
        sandbox.aws.batch.create_queue(QUEUE, region=sandbox.environment["AWS_REGION"])
        let_fail(sandbox, failing)
        limit_seconds = await asyncio.to_thread(limit, sandbox, n)
        say(f"the bare client's jobs ended after {limit_seconds:.1f} s")
        await lab.quiet()
        url = await asyncio.to_thread(install_batch_events, sandbox)
        heard = {"batch_poll_seconds": DEFAULT_POLL_SECONDS, "batch_events_queue_url": url}
        # Spread over a poll, so that ends come at any moment of it.
        events = await run(lab, "events", n, runs, poll, heard)
        polls = await run(lab, "polls", n, runs, poll, {"batch_poll_seconds": poll})
    calls = events.measured.aws_calls.total()
    figures = {
        "failing_percent": failing,
        "rounds": events.status["round"] + 1,
        "arrays": -(-n // LARGEST_ARRAY),
        "aws_calls_in_all": calls,
        "state_changes": events.state_changes,
        "aws_calls_per_state_change": round(calls / events.state_changes, 6),
        "status_bytes": max(events.status_bytes, polls.status_bytes),
        "status_versions": events.versions,
        "index_record_bytes": max(events.record_bytes, polls.record_bytes),
        "poll_seconds": DEFAULT_POLL_SECONDS,
        "small_batch_jobs": runs,
        **events.latest(""),
        "poll_seconds_without_events": poll,
        "seconds_without_events": round(polls.measured.seconds, 3),
        "aws_calls_without_events": polls.measured.aws_calls.total(),
        "peak_rss_mib_without_events": round(polls.measured.after.peak_rss_mib, 1),
        **polls.latest("_without_events"),
    }
    return Result.of(
        "array_job", events.measured, n=n, limit_seconds=limit_seconds, objects=1, figures=figures
    )


if __name__ == "__main__":
    defaults = {"failing": 5, "runs": 100, "poll": DEFAULT_POLL_SECONDS}
    given = numbers(__doc__, 10_000, "indexes", ("failing", "runs"), **defaults)
    asyncio.run(main(*given)).show()
