"""`adopt`: writes the SyncedSecrets that equal ExternalSecrets.

Invariant: files are read and nothing is written; what has no equal is told.
"""

from pathlib import Path
from typing import Annotated

import typer

from pierhead.cli import options
from pierhead.cli.apps.files import documents
from pierhead.cli.output import as_yaml, show
from pierhead.cli.secrets.migration.external_secrets import translated
from pierhead.engine.outcome import Invalid
from pierhead.secrets.model import RESOURCE


def adopt(
    from_external_secrets: Annotated[
        list[Path],
        typer.Option(
            "--from-external-secrets",
            metavar="FILE",
            help="File of ExternalSecrets and their stores, as kubectl prints them; - is standard input.",
        ),
    ],
    output: options.OutputOption = options.Output.YAML,
) -> None:
    """Write the SyncedSecrets that equal ExternalSecrets of external-secrets."""
    found = translated(documents(from_external_secrets))
    for made in found:
        try:
            RESOURCE.parse(made.synced_secret)
        except Invalid as error:
            made.warn(f"{error}: correct it before you apply this")
    objects = [made.synced_secret for made in found]
    data = [
        {"syncedSecret": made.synced_secret, "warnings": made.warnings, "steps": made.steps} for made in found
    ]

    if output is options.Output.JSON:
        show(data, output, lambda: None)
        return
    typer.echo("---\n".join(as_yaml(obj) for obj in objects), nl=False)
    for made in found:
        for warning in made.warnings:
            typer.echo(f"warning: {made.name}: {warning}", err=True)
        for number, step in enumerate(made.steps, 1):
            typer.echo(f"{number}. {step}", err=True)
