"""The group `pierhead app`.

Invariant: a command that fails says why in one line of standard error, and ends with its exit code.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import typer

from pierhead.cli.adopt import command
from pierhead.cli.apps import act, diff, render, show, tree
from pierhead.cli.failures import CommandError

app = typer.Typer(
    help="AppReleases: look at them, compare them, approve, roll back, and take applications over.",
    no_args_is_help=True,
)


def _ending(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except CommandError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.code) from None

    return run


_COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": show.list_,
    "get": show.get,
    "tree": tree.tree,
    "render": render.render,
    "diff": diff.diff,
    "history": show.history,
    "rollback": act.rollback,
    "approve": act.approve,
    "reconcile": act.reconcile,
    "suspend": act.suspend,
    "resume": act.resume,
    "adopt": command.adopt,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(_ending(_command))
