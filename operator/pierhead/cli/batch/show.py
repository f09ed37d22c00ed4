"""`list` and `get`.

Invariant: they read and never write.
"""

from datetime import UTC, datetime
from typing import Any

import typer

from pierhead.cli import options
from pierhead.cli.batch import views
from pierhead.cli.batch.options import NameArgument
from pierhead.cli.cluster import Cluster, Place, on
from pierhead.cli.output import age, cell, print_table, show
from pierhead.engine.resource import Object
from pierhead.kube.resources import BATCH_JOBS

_HEADERS = [
    "NAMESPACE",
    "NAME",
    "STATUS",
    "COMPLETIONS",
    "FAILED",
    "ACTIVE",
    "QUEUE",
    "ROUND",
    "DURATION",
    "AGE",
]
_FAILURE_FIELDS = [
    "index",
    "round",
    "exitCode",
    "reason",
    "statusReason",
    "attempts",
    "logGroup",
    "logStream",
]
_INDEXES_SHOWN = 200


def list_(
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    all_namespaces: options.AllNamespacesOption = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List BatchJobs: how far they are, what failed, what runs, and for how long."""

    async def read(cluster: Cluster) -> list[Object]:
        where = None if all_namespaces else cluster.namespace
        return [item async for page in cluster.client.pages(BATCH_JOBS, where) for item in page.items]

    found = on(Place(kubeconfig=kubeconfig, context=context, namespace=namespace), read)
    now = datetime.now(UTC)
    entries = [views.summary(obj, now) for obj in found]

    def text() -> None:
        if not entries:
            typer.echo("no BatchJobs found", err=True)
            return
        skip = 0 if all_namespaces else 1
        print_table(_HEADERS[skip:], [_row(entry, now)[skip:] for entry in entries])

    show(entries, output, text)


def get(
    name: NameArgument,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show a BatchJob: progress, conditions, what failed and why, its jobs, and what it waits for."""
    place = Place(kubeconfig=kubeconfig, context=context, namespace=namespace)
    obj = on(place, lambda cluster: cluster.one(BATCH_JOBS, name))
    found = views.details(obj, datetime.now(UTC))
    show(found, output, lambda: _print_details(found))


def _row(entry: dict[str, Any], now: datetime) -> list[str]:
    return [
        entry["namespace"],
        entry["name"],
        entry["status"],
        f"{entry['succeeded']}/{entry['size']}",
        cell(entry["failed"]),
        cell(entry["active"]),
        cell(entry["queue"]),
        cell(entry["round"]),
        views.duration_text(entry["durationSeconds"]),
        age(entry["created"], now),
    ]


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
        "Managed by": found["managedBy"],
        "Outdated": "" if found["current"] else "the operator has not seen the newest spec yet",
    }
    width = max(map(len, lines)) + 1
    for label, value in lines.items():
        if value:
            typer.echo(f"{label + ':':<{width}} {value}")
    _print_entries("Conditions", found["conditions"], ["type", "status", "reason", "message"])
    _print_entries("Failures", found["failures"], _FAILURE_FIELDS)
    _print_entries("Jobs", found["shards"], ["round", "shard", "first", "size", "state", "jobId"])


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
