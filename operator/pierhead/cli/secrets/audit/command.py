"""`audit`: finds values that look like secrets where none should be.

Invariant: it reads and never writes, but for a baseline that is asked for; no value is printed, nor anything
worked out from one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from pierhead.cli import options
from pierhead.cli.cluster import Cluster, on
from pierhead.cli.failures import CommandError, ExitCode
from pierhead.cli.masking import MASK
from pierhead.cli.output import as_yaml, print_table, show
from pierhead.cli.place import Place
from pierhead.cli.secrets.audit import baseline, files
from pierhead.cli.secrets.audit.cluster import scan as scan_cluster
from pierhead.cli.secrets.audit.findings import Finding
from pierhead.cli.secrets.audit.replacement import name_of, synced_secrets


def audit(
    place: Place,
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Folder or file; the present folder by default.")
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Look at ConfigMaps and workloads of the cluster instead.")
    ] = False,
    fail: Annotated[bool, typer.Option("--fail", help="Exit with 1 when something is found.")] = False,
    known: Annotated[
        Path | None, typer.Option("--baseline", help="File of findings that are let stand.")
    ] = None,
    write_baseline: Annotated[
        Path | None, typer.Option(help="Write what is found into this file, as a baseline.")
    ] = None,
    all_namespaces: options.AllNamespacesOption = False,
    output: options.OutputOption = options.Output.TEXT,
) -> None:
    """Find values that look like secrets in files or in the cluster, and what would take their place."""
    if cluster and folder is not None:
        raise CommandError("give a folder or --cluster", ExitCode.USAGE)
    accepted = baseline.known(known) if known is not None else []
    if cluster:

        async def look(connected: Cluster) -> tuple[list[Finding], list[str]]:
            return await scan_cluster(connected, all_namespaces=all_namespaces)

        found, warnings = on(place, look)
    else:
        scanned = files.scan(folder or Path(), place.namespace)
        found, warnings = scanned.findings, scanned.warnings
        warnings.append(f"{scanned.files} files were looked at")
    if write_baseline is not None:
        baseline.write(write_baseline, found)
    fresh = [finding for finding in found if finding.identity not in accepted]
    _tell(fresh, warnings, output)
    if fail and fresh:
        raise CommandError(f"{len(fresh)} values look like secrets")


def _tell(found: Sequence[Finding], warnings: Sequence[str], output: options.Output) -> None:
    """The findings as a table or as data; as YAML, the SyncedSecrets that would take their place."""
    replacements = synced_secrets(found)

    def text() -> None:
        if found:
            rows = [[one.where, one.key, MASK, one.verdict.why, name_of(one.holder)] for one in found]
            print_table(["WHERE", "KEY", "VALUE", "WHY", "SYNCEDSECRET"], rows)

    if output is options.Output.YAML:
        typer.echo("---\n".join(as_yaml(obj) for obj in replacements), nl=False)
    else:
        data = {"findings": [one.data() for one in found], "syncedSecrets": replacements}
        show(data, output, text)
    for warning in warnings:
        typer.echo(warning, err=True)
    if found and output is options.Output.TEXT:
        typer.echo(
            f"{len(found)} values look like secrets; -o yaml prints the SyncedSecrets that would take their "
            "place, once the values are in AWS. A comment `pierhead:allow` on a line lets it stand",
            err=True,
        )
