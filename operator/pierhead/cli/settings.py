"""`settings`: what the operator can be told.

Invariant: what is listed is what the process reads.
"""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import typer
from pydantic_core import PydanticUndefined, to_jsonable_python
from rich import box
from rich.console import Console
from rich.table import Table

from pierhead.settings import Settings


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
