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
from pierhead.cli.cluster import Cluster, Place, on
from pierhead.cli.masking import values_of
from pierhead.cli.output import age, cell, columns_of, print_table, show
from pierhead.engine.resource import Object
from pierhead.kube.errors import Forbidden
from pierhead.kube.resources import APP_RELEASES


def list_(
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    all_namespaces: options.AllNamespacesOption = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List AppReleases: whether they are ready, their revision, chart and source, and what they say."""

    async def read(cluster: Cluster) -> list[Object]:
        where = None if all_namespaces else cluster.namespace
        return [item async for page in cluster.client.pages(APP_RELEASES, where) for item in page.items]

    found = on(Place(kubeconfig=kubeconfig, context=context, namespace=namespace), read)
    entries = [views.summary(obj) for obj in found]

    def text() -> None:
        if not entries:
            typer.echo("no AppReleases found", err=True)
            return
        now = datetime.now(UTC)
        headers = ["NAMESPACE", "NAME", "READY", "REVISION", "CHART", "SOURCE", "AGE", "MESSAGE"]
        rows = [
            [
                entry["namespace"],
                entry["name"],
                entry["ready"],
                cell(entry["revision"]),
                cell(entry["chart"]),
                views.short_revision(entry["source"]),
                age(entry["created"], now),
                f"{entry['reason']}: {entry['message']}",
            ]
            for entry in entries
        ]
        skip = 0 if all_namespaces else 1
        print_table(headers[skip:], [row[skip:] for row in rows])

    show(entries, output, text)


def get(
    name: options.NameArgument,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
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

    obj, release, trouble = on(Place(kubeconfig=kubeconfig, context=context, namespace=namespace), read)
    hidden = values_of(documents_of(release.manifest)) if release is not None else frozenset()
    found = views.details(obj, release, hidden)
    show(found, output, lambda: _print_details(found, trouble))


def history(
    name: options.NameArgument,
    namespace: options.NamespaceOption = None,
    context: options.ContextOption = None,
    kubeconfig: options.KubeconfigOption = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """List the revisions that can be gone back to, as `helm history` does."""

    async def read(cluster: Cluster) -> list[Release]:
        await cluster.app_release(name)
        return await releases.revisions(cluster, release_name(name))

    found = on(Place(kubeconfig=kubeconfig, context=context, namespace=namespace), read)
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
    width = max(map(len, lines)) + 1
    for label, value in lines.items():
        if value:
            typer.echo(f"{label + ':':<{width}} {value}")
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
