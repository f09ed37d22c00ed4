"""`list` and `get`.

Invariant: they read and never write.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from pierhead.cli import options
from pierhead.cli.batch import views
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.listing import Columns, objects_of, print_list
from pierhead.cli.output import age, cell, print_fields, print_table, show
from pierhead.cli.place import Place
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS

_FAILURE_FIELDS = [
    "index",
    "round",
    "exitCode",
    "reason",
    "statusReason",
    "attempts",
    "interruptions",
    "logGroup",
    "logStream",
]
_INDEXES_SHOWN = 200


def list_(
    place: Place,
    all_namespaces: options.AllNamespacesOption = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List BatchJobs: how far they are, what failed, what runs, and for how long."""
    objects = on(place, lambda cluster: objects_of(cluster, BATCH_JOBS, all_namespaces=all_namespaces))
    now = datetime.now(UTC)
    entries = [views.summary(obj, now) for obj in objects]
    columns: Columns = {
        "STATUS": lambda entry: entry["status"],
        "COMPLETIONS": lambda entry: f"{entry['succeeded']}/{entry['size']}",
        "FAILED": lambda entry: cell(entry["failed"]),
        "ACTIVE": lambda entry: cell(entry["active"]),
        "QUEUE": lambda entry: cell(entry["queue"]),
        "ROUND": lambda entry: cell(entry["round"]),
        "DURATION": lambda entry: views.duration_text(entry["durationSeconds"]),
        "AGE": lambda entry: age(entry["created"], now),
    }
    show(entries, output, lambda: print_list(BATCH_JOBS, entries, columns, all_namespaces=all_namespaces))


def get(
    name: NameArgument,
    place: Place,
    interruptions: Annotated[
        bool,
        typer.Option(
            "--interruptions", help="Ask Batch about every index, how often it lost its host: a call for 100."
        ),
    ] = False,
    region: options.RegionOption = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show a BatchJob: progress, conditions, what failed and why, its jobs, and what it waits for."""

    async def read(cluster: Cluster) -> tuple[Object, list[int]]:
        obj = await cluster.one(BATCH_JOBS, name)
        return obj, await _interruptions(obj, region) if interruptions else []

    obj, counts = on(place, read)
    found = views.details(obj, datetime.now(UTC))
    if interruptions:
        # Of jobs that Batch has forgotten the status knows more.
        known = max(found["interruptions"]["attempts"], sum(counts))
        found["interruptions"] |= {"attempts": known, "runs": sum(1 for count in counts if count)}
    show(found, output, lambda: _print_details(found))


def _print_details(found: dict[str, Any]) -> None:
    states = ", ".join(f"{name} {count}" for name, count in found["states"].items() if count)
    lines = {
        "Name": found["name"],
        "Namespace": found["namespace"],
        "Status": f"{found['status']}: {found['message']}",
        "Queue": found["queue"],
        "Job definition": found["jobDefinition"],
        "Completions": f"{found['succeeded']}/{found['size']}",
        "Failed": cell(found["failed"]),
        "Active": f"{found['active']} ({states})" if states else cell(found["active"]),
        "Waiting": cell(found["waiting"]),
        "Waits for": found["waitsFor"],
        "Round": cell(found["round"]),
        "Duration": views.duration_text(found["durationSeconds"]),
        "Completed": _short(found["completedIndexes"]),
        "Failed for good": _short(found["failedIndexes"]),
        "Forgotten": f"{found['lost']} indexes, by Batch" if found["lost"] else "",
        "Interrupted": _interrupted(found["interruptions"]),
        "Managed by": found["managedBy"],
        "Outdated": "" if found["current"] else "the operator has not seen the newest spec yet",
    }
    print_fields(lines)
    _print_entries("Conditions", found["conditions"], ["type", "status", "reason", "message"])
    _print_entries("Failures", found["failures"], _FAILURE_FIELDS)
    _print_entries("Jobs", found["shards"], ["round", "shard", "first", "size", "state", "jobId"])


def _interrupted(found: dict[str, int]) -> str:
    if not found["attempts"]:
        return ""
    ended = f", which ended {found['indexes']} runs of indexes" if found["indexes"] else ""
    of = f", of {found['runs']} runs" if "runs" in found else ""
    return f"{'' if of else 'at least '}{found['attempts']} attempts lost their host{of}{ended}"


async def _interruptions(obj: Object, region: str | None) -> list[int]:
    """How often each run of an index lost its host, of all jobs that Batch still knows."""
    from pierhead.aws.batchsurvey import interruptions_of  # noqa: PLC0415 (AWS's library takes long to load)
    from pierhead.cli.aws import in_region  # noqa: PLC0415
    from pierhead.cli.batch import jobs  # noqa: PLC0415

    async with in_region(jobs.region(obj, region), "batch") as client:
        found = await jobs.jobs_of(client, obj)
        return [count for job in found for count in await interruptions_of(client, job)]


def _print_entries(title: str, entries: list[dict[str, Any]], fields: list[str]) -> None:
    if not entries:
        return
    typer.echo(f"\n{title}:")
    told = [field for field in fields if any(entry.get(field) is not None for entry in entries)]
    headers = ["".join(f" {sign}" if sign.isupper() else sign for sign in field).upper() for field in told]
    print_table(headers, [[cell(entry.get(field)) for field in told] for entry in entries])


def _short(text: str | None) -> str:
    if text is None or len(text) <= _INDEXES_SHOWN:
        return text or ""
    return text[: text.rindex(",", 0, _INDEXES_SHOWN)] + ",…" if "," in text[:_INDEXES_SHOWN] else text
