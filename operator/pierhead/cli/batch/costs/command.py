"""`cost`: what a BatchJob costs.

Invariant: it reads and never writes; AWS is not asked about a BatchJob of which nothing was sent to Batch.
What a figure leaves out is told with it.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pierhead.aws.batchsurvey import Span, SurveyedJob, spans_of_children
from pierhead.cli import options
from pierhead.cli.aws import in_region
from pierhead.cli.batch import jobs as jobs_in_batch
from pierhead.cli.batch import views
from pierhead.cli.batch.costs.estimate import Estimate, Part, Resources, estimated
from pierhead.cli.batch.costs.prices import Prices
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError
from pierhead.cli.output import print_table, show
from pierhead.cli.place import Place
from pierhead.cli.prices import prices_of
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS

MOST_PAGES: Final = 200
"""Calls that are made at most to read the times of children, a thousand each."""

_VCPUS, _MEMORY = 1.0, 2048.0


def cost(
    name: NameArgument,
    place: Place,
    seconds_each: Annotated[
        float | None,
        typer.Option(
            "--seconds-per-index",
            min=0,
            help="How long an index takes; by default the mean of those that ended.",
        ),
    ] = None,
    region: options.RegionOption = None,
    price_list: Annotated[
        Path | None, typer.Option("--prices", help="File with other prices; see docs/cli.md.")
    ] = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Estimate what a BatchJob costs, from the vCPUs and the memory it reserves and for how long."""
    prices = prices_of(Prices, price_list)

    async def read(cluster: Cluster) -> tuple[Object, list[SurveyedJob], list[Span]]:
        obj = await cluster.one(BATCH_JOBS, name)
        if not views.status_of(obj).get("startTime"):
            return obj, [], []
        return obj, *await _runs(obj, region)

    obj, jobs, spans = on(place, read)
    resources = resources_of(obj, jobs)
    now = datetime.now(UTC).timestamp() * 1000
    found = estimated(obj, spans, now=now, seconds_each=seconds_each)
    data = data_of(obj, found, resources, prices)
    show(data, output, lambda: _print(data, prices))


def resources_of(obj: Object, jobs: list[SurveyedJob]) -> Resources:
    """What each index reserves: as Batch has it, or as the template says. Raises CommandError."""
    for job in jobs:
        if job.vcpus is not None and job.memory_mib is not None:
            return Resources(job.vcpus, job.memory_mib)
    template = views.spec_of(obj).get("template") or {}
    container = template.get("container") or template.get("eks")
    if container is None:
        raise CommandError(
            f"what an index of BatchJob {obj['metadata']['name']} reserves is not known: its spec has no "
            "container or Pod of its own, and Batch knows no job of it that tells"
        )
    given = container.get("resources") or {}
    return Resources(float(given.get("vcpu") or _VCPUS), float(given.get("memoryMiB") or _MEMORY))


def data_of(obj: Object, found: Estimate, resources: Resources, prices: Prices) -> dict[str, Any]:
    """What `-o json` prints."""
    parts: dict[str, Part] = {
        "measured": found.measured, "unmeasured": found.unmeasured, "ahead": found.ahead
    }  # fmt: skip
    told = {name: part.data(resources, prices) for name, part in parts.items()}
    known = [part["cost"] for part in told.values() if part["cost"] is not None]
    return {
        "namespace": obj["metadata"]["namespace"],
        "name": obj["metadata"]["name"],
        "resources": {"vcpu": resources.vcpus, "memoryMiB": resources.memory_mib},
        **told,
        "cost": round(sum(known), 4),
        "incomplete": len(known) < len(told),
        "prices": prices.model_dump(by_alias=True),
    }


async def _runs(obj: Object, region: str | None) -> tuple[list[SurveyedJob], list[Span]]:
    spans: list[Span] = []
    left = MOST_PAGES
    async with in_region(jobs_in_batch.region(obj, region), "batch") as client:
        found = await jobs_in_batch.jobs_of(client, obj)
        for job in found:
            if job.array_size is None:
                spans += [job.span] if job.span is not None else []
                continue
            children, calls = await spans_of_children(client, job.id, pages=left)
            spans += children
            left -= calls
    return found, spans


def _print(data: dict[str, Any], prices: Prices) -> None:
    rows = []
    for name in ("measured", "unmeasured", "ahead"):
        part = data[name]
        if name == "measured" or part["runs"] or part["seconds"]:
            rows.append(
                [
                    name,
                    str(part["runs"]),
                    *("?" if part[key] is None else f"{part[key]:,.2f}" for key in ("vcpuHours", "gibHours")),
                    "?" if part["cost"] is None else f"{part['cost']:,.4f} {prices.currency}",
                ]
            )
    print_table(["", "RUNS", "VCPU-HOURS", "GIB-HOURS", "COST"], rows)
    if data["incomplete"]:
        typer.echo("no index has ended yet: --seconds-per-index says how long one takes", err=True)
    reserved = data["resources"]
    typer.echo(
        f"in all {data['cost']:,.2f} {prices.currency}; an index reserves {reserved['vcpu']:g} vCPU and "
        f"{reserved['memoryMiB']:g} MiB; prices of {prices.date}: {prices.vcpu_hour:g} for a vCPU and "
        f"{prices.gib_hour:g} for a GiB an hour. Not in it: attempts before the last one of a round, rounds "
        "to come, instances while they idle, GPUs, storage, traffic and logs",
        err=True,
    )
