"""The group `pierhead batch`.

Invariant: a command that fails ends as `pierhead.cli.failures` says.
"""

from collections.abc import Callable, Mapping

import typer

from pierhead.cli.batch import logs, orphans, retry, show, stop, watch
from pierhead.cli.batch.costs import command as costing
from pierhead.cli.failures import ending

app = typer.Typer(
    help="BatchJobs: see how they get on and why they fail, stop them, and find what outlived them.",
    no_args_is_help=True,
)

_COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": show.list_,
    "get": show.get,
    "watch": watch.watch,
    "logs": logs.logs,
    "retry": retry.retry,
    "stop": stop.stop,
    "orphans": orphans.orphans,
    "cost": costing.cost,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(ending(_command))
