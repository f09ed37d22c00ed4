"""The command line's root.

Invariant: nothing here is loaded by a bare `pierhead run`, which `pierhead.__main__` serves by itself; the
command here is its help.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer
from pydantic_core import PydanticUndefined, to_jsonable_python
from rich import box
from rich.console import Console
from rich.table import Table

from pierhead import __version__
from pierhead.cli.apps.commands import app as apps
from pierhead.cli.batch.commands import app as batch
from pierhead.cli.secrets.commands import app as secrets
from pierhead.settings import Settings

app = typer.Typer(
    help="pierhead: applications, secrets and batch work on EKS.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(apps, name="app")
app.add_typer(secrets, name="secrets")
app.add_typer(batch, name="batch")


class SettingLine(NamedTuple):
    """One setting as people set it."""

    variable: str
    default: str
    description: str


def setting_lines() -> Iterator[SettingLine]:
    """Every setting: its variable, its default as the variable's text would be, and what it does."""
    for name, field in Settings.model_fields.items():
        yield SettingLine(
            variable=f"PIERHEAD_{name.upper()}",
            default="" if field.default is PydanticUndefined else _text(field.default),
            description=" ".join((field.description or "").split()),
        )


@app.command()
def run() -> None:
    """Run the operator until it is told to stop; its settings are PIERHEAD_* variables (see `settings`)."""
    from pierhead.run import run as run_operator  # noqa: PLC0415 (only this command is a process of its own)

    run_operator()


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


@app.command()
def settings() -> None:
    """List every setting of the operator, its default and what it does."""
    console = Console()
    table = Table("variable", "default", "", box=box.SIMPLE_HEAD, pad_edge=False)
    if not console.is_terminal:
        for line in setting_lines():
            typer.echo("\t".join(line))
        return
    for line in setting_lines():
        table.add_row(line.variable, line.default, line.description)
    console.print(table)


def _text(value: Any) -> str:
    jsonable = to_jsonable_python(value)
    return jsonable if isinstance(jsonable, str) else json.dumps(jsonable)
