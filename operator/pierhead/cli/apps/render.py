"""`render`: what a manifest and local files render to.

Invariant: needs no cluster and asks none.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pierhead.cli import options
from pierhead.cli.apps.files import app_release_of, documents
from pierhead.cli.apps.given import given_of
from pierhead.cli.apps.options import LocalOption, LocalOverlayOption, ValuesFromOption
from pierhead.cli.apps.rendering import NoCluster, Wanted, hooks_of, rendered
from pierhead.cli.failures import CommandError
from pierhead.cli.masking import masked, scrubbed, values_of
from pierhead.cli.output import as_yaml, show
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.resources import ResourceType

FilesOption = Annotated[
    list[Path],
    typer.Option(
        "--filename",
        "-f",
        help="File with the AppRelease, and with ConfigMaps and Secrets it names; - is standard input.",
    ),
]


def render(
    filename: FilesOption,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which AppRelease, if the files hold several.")
    ] = None,
    local: LocalOption = None,
    local_overlay: LocalOverlayOption = None,
    values_from: ValuesFromOption = None,
    namespace: options.NamespaceOption = None,
    kube_version: Annotated[
        str, typer.Option("--kube-version", help="Kubernetes version that templates see.")
    ] = "",
    api_versions: Annotated[
        list[str] | None,
        typer.Option(
            "--api-versions", "-a", help="API version that templates see, such as apps/v1/Deployment."
        ),
    ] = None,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Print what an AppRelease renders to, from files alone; values of Secrets are masked."""
    objects = documents(filename)
    obj = app_release_of(objects, name)
    where = namespace or obj["metadata"].get("namespace") or "default"

    async def lookup(resource: ResourceType, wanted: str) -> Object | None:
        return next((item for item in objects if _is(item, resource, wanted)), None)

    given = given_of(local, local_overlay, values_from)
    offline = NoCluster(kube_version=kube_version, api_versions=api_versions or ())
    try:
        found, hidden = asyncio.run(
            rendered(
                Wanted(obj=obj, namespace=where, given=given), cluster=None, lookup=lookup, offline=offline
            )
        )
    except ReconcileError as error:
        raise CommandError(str(error)) from None
    if (obj.get("spec") or {}).get("images"):
        typer.echo("warning: images are not pinned: only the operator knows what spec.images chose", err=True)
    everything = [*found.crds, *found.objects, *hooks_of(found)]
    shown = [masked(item) for item in everything]
    hidden |= values_of(everything)
    if hidden:
        shown = [scrubbed(item, hidden) for item in shown]

    def text() -> None:
        for item in shown:
            typer.echo(f"---\n{as_yaml(item)}", nl=False)

    show(shown, output, text)


def _is(obj: Object, resource: ResourceType, name: str) -> bool:
    told = (obj.get("apiVersion"), obj.get("kind"), (obj.get("metadata") or {}).get("name"))
    return told == (resource.api_version, resource.kind, name)
