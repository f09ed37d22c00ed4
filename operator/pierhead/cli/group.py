"""Groups of commands, such as `pierhead app`.

Invariant: a command is imported when it is called and not before, so that help and completion take no longer
for what a command needs. Every command has the options of `pierhead.cli.place` and ends as
`pierhead.cli.failures` says.
"""

import ast
import inspect
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand

from pierhead.cli.failures import ending
from pierhead.cli.place import placed


def group(help_: str, commands: Mapping[str, str]) -> typer.Typer:
    """A group of commands: where each is, as `module:function`, by its name."""
    made = typer.Typer(help=help_, no_args_is_help=True)
    for name, target in commands.items():
        made.command(name, cls=_deferred(target))(_nothing)
    return made


def _deferred(target: str) -> type[TyperCommand]:
    module, _, function = target.partition(":")

    class Deferred(TyperCommand):
        """A command that is not imported yet."""

        @property
        def help(self) -> str | None:
            """What a group tells of it."""
            return documented(module, function)

        @help.setter  # noqa: A003 (typer's name)
        def help(self, text: str | None) -> None:
            """What it is told is that of a command without a docstring."""

        def make_context(self, *arguments: Any, **options: Any) -> Any:
            """The context of the command itself."""
            alone = typer.Typer(add_completion=False)
            alone.command(self.name)(ending(placed(getattr(import_module(module), function))))
            return typer.main.get_command(alone).make_context(*arguments, **options)

    return Deferred


def documented(module: str, function: str) -> str | None:
    """The docstring of a function, from the module's text: importing it may take a second."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return None
    for statement in ast.parse(Path(spec.origin).read_text()).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == function:
            return inspect.cleandoc(ast.get_docstring(statement) or "")
    return None


def _nothing() -> None:
    """Stands for a command that is not imported yet."""
