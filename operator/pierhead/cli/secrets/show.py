"""`status` and `why`.

Invariant: they read and never write; of a Secret they ask for the metadata only.
"""

from datetime import UTC, datetime
from typing import Any, Final

import typer

from pierhead.cli import options
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.listing import Columns, objects_of, print_list
from pierhead.cli.output import cell, print_marked, show
from pierhead.cli.place import Place
from pierhead.cli.secrets import views
from pierhead.cli.secrets.options import (
    EventsIntervalOption,
    IntervalOption,
    NameArgument,
    OptionalNameArgument,
)
from pierhead.cli.secrets.reasons import Around, Finding, explain
from pierhead.engine.resource import Object
from pierhead.kube.errors import Forbidden, NotFound
from pierhead.kube.resources import SECRETS, SYNCED_SECRETS, ResourceType

# As the core group has them: only there the API server selects by the object they are about.
_EVENTS: Final = ResourceType("", "v1", "events", "Event")

_MARKS: Final = {"good": "ok", "bad": "!!", "note": "--"}


def status(
    place: Place,
    name: OptionalNameArgument = None,
    all_namespaces: options.AllNamespacesOption = False,
    interval: IntervalOption = "1h",
    events_interval: EventsIntervalOption = "12h",
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show how SyncedSecrets fare: readiness, Secret, versions, last and next read."""
    objects = on(place, lambda cluster: listed(cluster, name, all_namespaces=all_namespaces))
    cadence = views.Cadence(interval, events_interval)
    entries = [views.summary(obj, cadence=cadence, now=datetime.now(UTC)) for obj in objects]
    columns: Columns = {
        "READY": lambda entry: entry["ready"],
        "SECRET": lambda entry: cell(entry["secret"]),
        "KEYS": lambda entry: cell(entry["keys"]),
        "VERSIONS": views.versions_cell,
        "READ": views.read_cell,
        "NEXT": views.next_cell,
        "MODE": lambda entry: entry["mode"],
        "REASON": lambda entry: (
            f"{entry['reason']}{' (stale)' if entry['stale'] else ''}: {entry['message']}"
        ),
    }
    show(
        entries,
        output,
        lambda: print_list(SYNCED_SECRETS, entries, columns, all_namespaces=all_namespaces),
    )


def why(
    name: NameArgument,
    place: Place,
    interval: IntervalOption = "1h",
    events_interval: EventsIntervalOption = "12h",
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Say why a SyncedSecret is Ready or not, and what to do: policy, keys, Secret, restarts, age, events."""

    async def read(cluster: Cluster) -> list[Finding]:
        obj = await cluster.one(SYNCED_SECRETS, name)
        around = Around(
            secret=await _secret(cluster, obj),
            event=await _last_event(cluster, obj),
            cadence=views.Cadence(interval, events_interval),
            now=datetime.now(UTC),
        )
        return explain(obj, around)

    findings = on(place, read)
    data = [{"about": one.about, "state": one.state, "text": one.text, "do": one.advice} for one in findings]

    def text() -> None:
        width = max(len(one.about) for one in findings)
        for one in findings:
            print_marked(_MARKS[one.state], f"{one.about:<{width}}  {one.text}")
            if one.advice:
                typer.echo(f"   {'':<{width}}  -> {one.advice}")

    show(data, output, text)


async def listed(cluster: Cluster, name: str | None, *, all_namespaces: bool) -> list[Object]:
    """One SyncedSecret, or all of the namespace, or all there are."""
    if name is not None:
        return [await cluster.one(SYNCED_SECRETS, name)]
    return await objects_of(cluster, SYNCED_SECRETS, all_namespaces=all_namespaces)


async def _secret(cluster: Cluster, obj: Object) -> Object | str | None:
    """The target's metadata, None where there is none, or why it cannot be told."""
    target: Any = (obj.get("spec") or {}).get("target") or {}
    try:
        return await cluster.client.get(
            SECRETS, target.get("name") or obj["metadata"]["name"], cluster.namespace, metadata_only=True
        )
    except NotFound:
        return None
    except Forbidden:
        return "you may not read Secrets in this namespace"


async def _last_event(cluster: Cluster, obj: Object) -> Object | None:
    selector = f"involvedObject.kind={SYNCED_SECRETS.kind},involvedObject.name={obj['metadata']['name']}"
    try:
        found = [
            event
            async for page in cluster.client.pages(_EVENTS, cluster.namespace, field_selector=selector)
            for event in page.items
        ]
    except Forbidden:
        return None
    return max(
        found, key=lambda event: str(event.get("eventTime") or event.get("lastTimestamp")), default=None
    )
