"""The group `pierhead secrets`.

Invariant: a command that fails ends as `pierhead.cli.failures` says, and no command prints a value.
"""

from collections.abc import Callable, Mapping

import typer

from pierhead.cli.failures import ending
from pierhead.cli.secrets import events, refresh, show
from pierhead.cli.secrets.audit import command as auditing
from pierhead.cli.secrets.costs import command as costing
from pierhead.cli.secrets.migration import adoption
from pierhead.cli.secrets.migration import command as importing

app = typer.Typer(
    help="SyncedSecrets: bring values into AWS, find what should be there, and see how each Secret fares.",
    no_args_is_help=True,
)

_COMMANDS: Mapping[str, Callable[..., None]] = {
    "import": importing.import_,
    "adopt": adoption.adopt,
    "audit": auditing.audit,
    "status": show.status,
    "why": show.why,
    "refresh": refresh.refresh,
    "cost": costing.cost,
}

for _name, _command in _COMMANDS.items():
    app.command(_name)(ending(_command))

app.add_typer(events.app, name="events")
