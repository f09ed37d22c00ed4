"""The group `pierhead app`.

Invariant: a command that fails ends as `pierhead.cli.failures` says.
"""

from collections.abc import Callable, Mapping

import typer

from pierhead.cli.adopt import command
from pierhead.cli.apps import act, diff, render, show, tree
from pierhead.cli.failures import ending

app = typer.Typer(
    help="AppReleases: look at them, compare them, approve, roll back, and take applications over.",
    no_args_is_help=True,
)

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
    app.command(_name)(ending(_command))
