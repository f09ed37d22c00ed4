"""`diff`: what an apply of the present source would change.

Invariant: the files are those the operator would fetch, or those the caller gives; the verdict is the API
server's.
"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pierhead.cli import options
from pierhead.cli.apps.comparison import changes, planned
from pierhead.cli.apps.files import app_release_of, documents
from pierhead.cli.apps.given import given_of
from pierhead.cli.apps.options import LocalOption, LocalOverlayOption, NameArgument, ValuesFromOption
from pierhead.cli.apps.rendering import NoCluster, Wanted, pins_of, rendered
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.output import show
from pierhead.cli.place import Place
from pierhead.engine.resource import Object
from pierhead.kube.errors import NotFound
from pierhead.kube.inventory import Entry
from pierhead.kube.resources import APP_RELEASES, ResourceType

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def diff(
    name: NameArgument,
    place: Place,
    filename: Annotated[
        list[Path] | None,
        typer.Option("--filename", "-f", help="File with the AppRelease as it is to be; - is stdin."),
    ] = None,
    local: LocalOption = None,
    local_overlay: LocalOverlayOption = None,
    values_from: ValuesFromOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Show the plan in the status, which waits for an approval.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 5 when there are differences.")
    ] = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Show what an apply of the present source would change, by a server-side dry run in your name."""
    given = given_of(local, local_overlay, values_from)
    objects = documents(filename or [])

    async def compare(cluster: Cluster) -> list[dict[str, Any]]:
        live = await _app_release(cluster, name)
        obj = app_release_of(objects, name) if filename else live
        if obj is None:
            raise CommandError(f"there is no AppRelease {name} in namespace {cluster.namespace}")
        status = (live or {}).get("status") or {}
        if plan:
            return _planned_changes(name, status)

        async def lookup(resource: ResourceType, wanted: str) -> Object | None:
            return await _referred(cluster, objects, resource, wanted)

        revision = int((status.get("release") or {}).get("revision") or 0) + 1
        pins = pins_of(status, obj.get("spec") or {})
        wanted = Wanted(obj=obj, namespace=cluster.namespace, given=given, revision=revision, pins=pins)
        found, hidden = await rendered(wanted, cluster=cluster, lookup=lookup, offline=NoCluster())
        made = await planned(cluster, name, wanted.spec, found)
        before = [Entry.parse(text) for text in status.get("inventory") or ()]
        return await changes(cluster, wanted.spec, made, before, hidden=hidden)

    found = on(place, compare)
    show(found, output, lambda: print_changes(found))
    if exit_code and found:
        raise CommandError("there are differences", ExitCode.DIFFERENT)


def print_changes(found: list[dict[str, Any]], *, err: bool = False) -> None:
    """Each object with what happens to it, and its difference."""
    console = Console(stderr=err)
    if not found:
        typer.echo("no differences", err=True)
    for change in found:
        why = f" ({change['why']})" if change.get("why") else ""
        typer.echo(f"{change['action']} {change['object']}{why}", err=err)
        for line in (change.get("diff") or "").splitlines():
            if console.is_terminal:
                console.print(Text(line, style=_STYLES.get(line[:1], "")), soft_wrap=True)
            else:
                typer.echo(line, err=err)


def _planned_changes(name: str, status: dict[str, Any]) -> list[dict[str, Any]]:
    plan = status.get("plan")
    if not plan:
        raise CommandError(f"AppRelease {name} has no plan that waits for an approval")
    return list(plan.get("objects") or ())


async def _app_release(cluster: Cluster, name: str) -> Object | None:
    try:
        return await cluster.client.get(APP_RELEASES, name, cluster.namespace)
    except NotFound:
        return None


async def _referred(
    cluster: Cluster, objects: list[Object], resource: ResourceType, name: str
) -> Object | None:
    for obj in objects:
        if (obj.get("kind"), (obj.get("metadata") or {}).get("name")) == (resource.kind, name):
            return obj
    try:
        return await cluster.client.get(resource, name, cluster.namespace)
    except NotFound:
        return None
