"""`import`: moves a .env file into Secrets Manager, and writes the SyncedSecret that takes its place.

Invariants: nothing is written without --apply, and nothing at all where one secret is refused; no value and
nothing worked out from one is printed.
"""

import asyncio
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from pierhead.aws.secretwriter import SecretWriter
from pierhead.cli import options
from pierhead.cli.aws import in_region, region_of
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.masking import MASK, without
from pierhead.cli.output import as_yaml, print_table, show
from pierhead.cli.place import Place
from pierhead.cli.progress import awaited, is_settled, judged
from pierhead.cli.secrets.migration import env_file, plan
from pierhead.cli.secrets.migration.plan import Step
from pierhead.engine.outcome import Invalid, ReconcileError
from pierhead.engine.resource import Object
from pierhead.kube.resources import SYNCED_SECRETS
from pierhead.model import seconds
from pierhead.secrets.model import RESOURCE

_NAME: Final = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


class Form(StrEnum):
    """How variables become secrets."""

    ONE = "one"
    TEXT = "text"
    EACH = "each"


_FORMS: Final[dict[Form, plan.Form]] = {Form.ONE: "json", Form.TEXT: "dotenv", Form.EACH: "each"}


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The .env file; - is standard input.")],
    name: Annotated[str, typer.Option("--name", help="Name of the secret in AWS, such as shop/env.")],
    place: Place,
    form: Annotated[
        Form,
        typer.Option(
            "--as",
            help="one: a secret that is a JSON object; text: a secret that is the file's text; "
            "each: a secret NAME/KEY for each variable.",
        ),
    ] = Form.ONE,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write to Secrets Manager; without it nothing is written.")
    ] = False,
    replace: Annotated[
        list[str] | None,
        typer.Option(
            "--replace", metavar="VERSION", help="Let this version go, though no import of ours made it."
        ),
    ] = None,
    region: options.RegionOption = None,
    kms_key: Annotated[
        str | None, typer.Option(help="KMS key of new secrets; the account's own for secrets by default.")
    ] = None,
    synced_secret: Annotated[
        str | None, typer.Option(help="Name of the SyncedSecret; made of --name by default.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="Name of the Secret; the SyncedSecret's by default.")
    ] = None,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Let the SyncedSecret take over a Secret that is there.")
    ] = False,
    filename: Annotated[
        Path | None,
        typer.Option("--filename", "-f", help="File for the SyncedSecret; standard output by default."),
    ] = None,
    create: Annotated[
        bool, typer.Option("--create", help="With --apply: apply the SyncedSecret too, and wait for it.")
    ] = False,
    timeout: options.TimeoutOption = "5m",
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Move a .env file into Secrets Manager, and write the SyncedSecret that takes its place."""
    if not _NAME.fullmatch(name):
        raise CommandError("--name has letters, digits and /_+=.@- only, at most 512")
    if create and not apply:
        raise CommandError("--create needs --apply", ExitCode.USAGE)
    chosen = region_of(region)
    found = env_file.read(file)
    wanted = plan.wanted_of(found, name, _FORMS[form])
    manifest = plan.manifest(
        wanted,
        name=synced_secret or _object_name(name),
        namespace=place.namespace,
        region=chosen,
        target=target,
        adopt=adopt,
    )
    try:
        RESOURCE.parse(manifest)
    except Invalid as error:
        raise CommandError(f"the SyncedSecret would not be valid: {error}") from None
    warnings = [*found.warnings, *_about_names(name, place.namespace)]
    steps = asyncio.run(_import(chosen, wanted, replace or (), kms_key, apply=apply))
    refused = [step for step in steps if step.refusal]
    _tell(steps, manifest, warnings, output, filename, applied=apply and not refused)
    if refused:
        raise CommandError("; ".join(f"secret {step.wanted.name} {step.refusal}" for step in refused))
    if apply and create:
        typer.echo(on(place, lambda cluster: _created(cluster, manifest, seconds(timeout))), err=True)


async def _import(
    region: str, wanted: Sequence[plan.Wanted], replace: Sequence[str], kms_key: str | None, *, apply: bool
) -> list[Step]:
    """Looks at every secret, and writes if all may be written. Raises CommandError."""
    values = {value for secret in wanted for value in (secret.text, *secret.values.values()) if value}
    try:
        async with in_region(region) as client:
            writer = SecretWriter(client)
            steps = [plan.step_of(secret, await writer.look(secret.name), replace) for secret in wanted]
            if apply and not any(step.refusal for step in steps):
                for step in steps:
                    await _put(writer, step, kms_key)
    except ReconcileError as error:
        # AWS may quote what it does not take.
        raise CommandError(without(str(error), values)) from None
    return steps


async def _put(writer: SecretWriter, step: Step, kms_key: str | None) -> None:
    if step.stored is None:
        await writer.create(step.wanted.name, step.wanted.text, kms_key_id=kms_key)
    elif step.change != "unchanged":
        await writer.put(step.stored, step.wanted.text)
    elif step.stored.imported and not step.stored.untouched:
        # A run before this one was ended between its write and its note.
        await writer.mark(step.stored, step.stored.version_id)


def _tell(
    steps: Sequence[Step],
    manifest: Object,
    warnings: Sequence[str],
    output: options.Output,
    filename: Path | None,
    *,
    applied: bool,
) -> None:
    """Prints the SyncedSecret; what becomes of the secrets goes to standard error, or into the data."""
    data: dict[str, Any] = {
        "secrets": [
            {
                "name": step.wanted.name,
                "change": step.change,
                "keys": dict(step.keys),
                "refused": step.refusal,
            }
            for step in steps
        ],
        "warnings": list(warnings),
        "applied": applied,
        "syncedSecret": manifest,
    }
    if filename is not None:
        _write(filename, as_yaml(manifest))

    def text() -> None:
        rows = [[key, MASK, change, step.wanted.name] for step in steps for key, change in step.keys.items()]
        print_table(["KEY", "VALUE", "CHANGE", "SECRET"], rows, err=True)
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)
        if filename is None:
            typer.echo(as_yaml(manifest), nl=False)
        if applied:
            typer.echo("written; once the SyncedSecret is Ready and its pods run, delete the file", err=True)
        elif not any(step.refusal for step in steps):
            typer.echo("nothing was written: --apply writes", err=True)

    show(data, output, text)


def _write(path: Path, text: str) -> None:
    """Writes a file that is not there yet. Raises CommandError for one that says something else."""
    try:
        if not path.exists():
            path.write_text(text)
        elif path.read_text() != text:
            raise CommandError(f"{path} is there and differs: give another file, or move it away")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path} is there, and is no text") from None


def _about_names(name: str, namespace: str | None) -> list[str]:
    if namespace is None or name == namespace or name.startswith((f"{namespace}/", f"{namespace}-")):
        return []
    by_default = f"only what is called {namespace}, {namespace}/… or {namespace}-…"
    advice = "choose another --name, or ask for a rule in PIERHEAD_AWS_POLICY"
    return [f"namespace {namespace} may by default read {by_default}: {advice}"]


def _object_name(name: str) -> str:
    """A name of Kubernetes that resembles the name in AWS."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:253].strip("-") or "imported"


async def _created(cluster: Cluster, manifest: Object, limit: float) -> str:
    metadata = {**manifest["metadata"], "namespace": cluster.namespace}
    await cluster.client.apply(
        SYNCED_SECRETS, {**manifest, "metadata": metadata}, field_manager="pierhead-cli"
    )
    found = await awaited(cluster, metadata["name"], is_settled, seconds=limit, resource=SYNCED_SECRETS)
    return f"SyncedSecret {metadata['name']}: {judged(found)}"
