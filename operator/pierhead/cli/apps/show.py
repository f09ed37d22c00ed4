"""`list`, `get` and `history`.

Invariant: they read and never write.
"""

from datetime import UTC, datetime
from typing import Any

import typer
import yaml

from pierhead.apps.history.release import Release
from pierhead.apps.names import release_name
from pierhead.cli import options
from pierhead.cli.apps import releases, views
from pierhead.cli.apps.options import NameArgument
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.listing import Columns, objects_of, print_list
from pierhead.cli.masking import values_of
from pierhead.cli.output import age, cell, columns_of, print_fields, print_table, show
from pierhead.cli.place import Place
from pierhead.engine.resource import Object
from pierhead.kube.errors import Forbidden
from pierhead.kube.resources import APP_RELEASES


def list_(
    place: Place,
    all_namespaces: options.AllNamespacesOption = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List AppReleases: whether they are ready, their revision, chart and source, and what they say."""
    objects = on(place, lambda cluster: objects_of(cluster, APP_RELEASES, all_namespaces=all_namespaces))
    entries = [views.summary(obj) for obj in objects]
    now = datetime.now(UTC)
    columns: Columns = {
        "READY": lambda entry: entry["ready"],
        "REVISION": lambda entry: cell(entry["revision"]),
        "CHART": lambda entry: cell(entry["chart"]),
        "SOURCE": lambda entry: views.short_revision(entry["source"]),
        "AGE": lambda entry: age(entry["created"], now),
        "MESSAGE": lambda entry: f"{entry['reason']}: {entry['message']}",
    }
    show(
        entries,
        output,
        lambda: print_list(APP_RELEASES, entries, columns, all_namespaces=all_namespaces),
    )


def get(
    name: NameArgument,
    place: Place,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show an AppRelease: conditions, source, images, plan, drift, and the chart's notes."""

    async def read(cluster: Cluster) -> tuple[Object, Release | None, str]:
        obj = await cluster.app_release(name)
        number = ((obj.get("status") or {}).get("release") or {}).get("revision")
        if not number:
            return obj, None, ""
        try:
            return obj, await releases.revision(cluster, name, number), ""
        except Forbidden as error:
            return obj, None, f"not readable: {error.message}"

    obj, release, trouble = on(place, read)
    hidden = values_of(documents_of(release.manifest)) if release is not None else frozenset()
    found = views.details(obj, release, hidden)
    show(found, output, lambda: _print_details(found, trouble))


def history(
    name: NameArgument,
    place: Place,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List the revisions that can be gone back to, as `helm history` does."""

    async def read(cluster: Cluster) -> list[Release]:
        await cluster.app_release(name)
        return await releases.revisions(cluster, release_name(name))

    found = on(place, read)
    entries = [views.revision_line(release) for release in found]

    def text() -> None:
        fields = ["revision", "updated", "status", "chart", "appVersion", "by", "description"]
        headers = ["REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION", "BY", "DESCRIPTION"]
        print_table(headers, [[cell(entry[field]) for field in fields] for entry in entries])

    show(entries, output, text)


def documents_of(manifest: str) -> list[Object]:
    """The objects of a stored manifest; none where it is no YAML any more."""
    try:
        found = list(yaml.load_all(manifest, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return []
    return [document for document in found if isinstance(document, dict)]


def _print_details(found: dict[str, Any], trouble: str) -> None:
    release, source = found["release"] or {}, found["source"] or {}
    lines = {
        "Name": found["name"],
        "Namespace": found["namespace"],
        "Ready": f"{found['ready']} ({found['reason']}): {found['message']}",
        "Suspended": "true" if found["suspended"] else "",
        "Release": f"{release['name']} revision {release['revision']}, {release['status']}"
        if release
        else "",
        "Chart": found["chart"],
        "Source": f"{source['revision']} ({source['digest']})" if source else "",
        "Overlay": f"{found['overlay']['revision']} ({found['overlay']['digest']})"
        if found["overlay"]
        else "",
        "Objects": cell(found["objects"]),
        "Acts as": found["serviceAccountName"],
        "Outdated": "" if found["current"] else "the operator has not seen the newest spec yet",
    }
    print_fields(lines)
    _print_entries("Conditions", found["conditions"])
    _print_entries("Images", found["images"])
    _print_entries("Drift", found["drift"])
    _print_plan(found["plan"])
    if found["notes"] or trouble:
        typer.echo("\nNotes:")
        typer.echo((found["notes"] or trouble).rstrip())


def _print_plan(plan: dict[str, Any] | None) -> None:
    if not plan:
        return
    typer.echo("\nPlan, which waits for `pierhead app approve`:")
    for label, value in plan.items():
        if not isinstance(value, list | dict):
            typer.echo(f"{label}: {cell(value)}")
    for value in plan.values():
        if isinstance(value, list) and value:
            _print_rows(value)


def _print_entries(title: str, entries: Any) -> None:
    if entries:
        typer.echo(f"\n{title}:")
        _print_rows(entries)


def _print_rows(entries: list[Any]) -> None:
    rows = [entry if isinstance(entry, dict) else {"": entry} for entry in entries]
    fields = [field for field in columns_of(rows) if field != "diff"]
    print_table(
        [field.upper() for field in fields], [[cell(row.get(field)) for field in fields] for row in rows]
    )
    for row in rows:
        if row.get("diff"):
            typer.echo(str(row["diff"]).rstrip())
