"""`adopt`: writes the AppRelease that equals a Helm release, a Flux object or an Argo CD Application.

Invariant: nothing is written to the cluster without --apply, and a Helm release whose takeover would restart
pods is refused unless that is asked for.
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pierhead.apps.model import RESOURCE
from pierhead.cli import options
from pierhead.cli.adopt.from_helm import Adopted, Choice, adopted
from pierhead.cli.adopt.reading import Reader
from pierhead.cli.adopt.source_options import Chart, source_of
from pierhead.cli.adopt.translation import Translation
from pierhead.cli.apps.diff import print_changes
from pierhead.cli.apps.files import documents
from pierhead.cli.apps.given import given_of
from pierhead.cli.apps.options import LocalOption
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.masking import masked
from pierhead.cli.output import as_yaml, show
from pierhead.cli.place import Place
from pierhead.cli.progress import awaited, is_settled, judged
from pierhead.engine.outcome import Invalid, ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.errors import AlreadyExists
from pierhead.kube.resources import APP_RELEASES, SECRETS
from pierhead.model import seconds


def adopt(
    place: Place,
    from_helm: Annotated[
        str | None, typer.Option("--from-helm", metavar="RELEASE", help="A Helm release of the namespace.")
    ] = None,
    from_flux: Annotated[
        str | None,
        typer.Option("--from-flux", metavar="KIND/NAME", help="HelmRelease/NAME or Kustomization/NAME."),
    ] = None,
    from_argo: Annotated[
        str | None, typer.Option("--from-argo", metavar="NAME", help="An Application; -n says where it is.")
    ] = None,
    filename: Annotated[
        list[Path] | None,
        typer.Option(
            "--filename", "-f", help="File with the Flux or Argo CD objects, instead of the cluster."
        ),
    ] = None,
    source_oci: Annotated[str | None, typer.Option(help="Where the chart is: oci://….")] = None,
    source_helm_repository: Annotated[str | None, typer.Option(help="Where the chart is: https://….")] = None,
    source_git: Annotated[str | None, typer.Option(help="Where the chart is: a Git repository.")] = None,
    source_file: Annotated[Path | None, typer.Option(help="Where the chart is: YAML of spec.source.")] = None,
    source_secret: Annotated[str | None, typer.Option(help="Secret with the source's credentials.")] = None,
    chart: Annotated[str | None, typer.Option(help="The chart's name; the release's by default.")] = None,
    chart_version: Annotated[
        str | None, typer.Option(help="Version or range; the release's by default.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="Branch of --source-git.")] = None,
    tag: Annotated[str | None, typer.Option(help="Tag of --source-git.")] = None,
    path: Annotated[str | None, typer.Option(help="Where the chart is in its source.")] = None,
    service_account: Annotated[str | None, typer.Option(help="spec.serviceAccountName.")] = None,
    values_secret: Annotated[
        str | None, typer.Option(help="Keep the release's values in a Secret of this name, not in the spec.")
    ] = None,
    local: LocalOption = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Render and dry-run a Helm release's takeover first.")
    ] = True,
    allow_restarts: Annotated[
        bool, typer.Option("--allow-restarts", help="Go on where the takeover would restart pods.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Create the AppRelease, and wait for it.")] = False,
    timeout: options.TimeoutOption = "10m",
    output: options.OutputOption = options.Output.YAML,
) -> None:
    """Write the AppRelease that equals a Helm release, a Flux object, or an Argo CD Application."""
    if sum(name is not None for name in (from_helm, from_flux, from_argo)) != 1:
        raise CommandError("give one of --from-helm, --from-flux and --from-argo", ExitCode.USAGE)
    if from_helm is not None:
        chosen = Chart(chart, chart_version, branch, tag, source_secret)
        sources = {"oci": source_oci, "helmRepository": source_helm_repository, "git": source_git}
        choice = Choice(
            source=lambda known: source_of(sources, source_file, chosen, known=known),
            path=path,
            account=service_account,
            values_secret=values_secret,
            given=given_of(local, None, None),
            check=check,
        )
        name = from_helm
        made = on(place, lambda cluster: adopted(cluster, name, choice))
    else:
        made = Adopted(_translated(place, documents(filename or []), from_flux, from_argo))
    _tell(made, output, allow_restarts=allow_restarts)
    if apply and made.translation.hold:
        raise CommandError(made.translation.hold)
    if apply:
        typer.echo(on(place, lambda cluster: _created(cluster, made.translation, seconds(timeout))), err=True)


def _translated(place: Place, objects: Sequence[Object], flux: str | None, argo: str | None) -> Translation:
    async def read(cluster: Cluster | None) -> Translation:
        reader = Reader(objects, cluster)
        if flux is not None:
            return await reader.flux(flux, place.namespace)
        return await reader.argo(argo or "", place.namespace)

    if not objects:
        return on(place, read)
    try:
        return asyncio.run(read(None))
    except ReconcileError as error:
        raise CommandError(str(error)) from None


def _tell(made: Adopted, output: options.Output, *, allow_restarts: bool) -> None:
    """Prints the AppRelease; what is to be known of it goes to standard error, or into the data."""
    translation = made.translation
    app_release = translation.app_release
    try:
        RESOURCE.parse(app_release)
    except Invalid as error:
        translation.warn(f"{error}: correct it before you apply this")
    shown = [masked(extra) for extra in translation.extras]
    if output is options.Output.TEXT:
        output = options.Output.YAML
    if output is options.Output.JSON:
        data = {"appRelease": app_release, "with": shown, "warnings": translation.warnings}
        show({**data, "steps": translation.steps, "changes": made.changes}, output, lambda: None)
    else:
        typer.echo("---\n".join(as_yaml(obj) for obj in (*shown, app_release)), nl=False)
        _tell_people(made)
    if made.restarts and not allow_restarts:
        raise CommandError(
            f"the takeover would restart pods ({'; '.join(made.restarts)}): correct what differs, or give "
            "--allow-restarts"
        )


def _tell_people(made: Adopted) -> None:
    for warning in made.translation.warnings:
        typer.echo(f"warning: {warning}", err=True)
    if made.changes is not None:
        typer.echo("What the takeover changes:", err=True)
        print_changes(made.changes, err=True)
    for number, step in enumerate(made.translation.steps, 1):
        typer.echo(f"{number}. {step}", err=True)


async def _created(cluster: Cluster, made: Translation, limit: float) -> str:
    where = Cluster(cluster.client, cluster.discovery, made.namespace)
    wanted: Sequence[tuple[Any, Mapping[str, Any]]] = [
        *((SECRETS, extra) for extra in made.extras),
        (APP_RELEASES, made.app_release),
    ]
    for resource, obj in wanted:
        try:
            await cluster.client.create(resource, dict(obj))
        except AlreadyExists:
            raise CommandError(f"there is a {obj['kind']} {obj['metadata']['name']} already") from None
    return judged(await awaited(where, made.name, is_settled, seconds=limit))
