"""The command line's root.

Invariant: as in `pierhead.cli.group`: what a command needs is not loaded for another, nor for help.
"""

from pierhead.cli.apps.commands import app as apps
from pierhead.cli.batch.commands import app as batch
from pierhead.cli.group import group
from pierhead.cli.secrets.commands import app as secrets

app = group(
    "pierhead: applications, secrets and batch work on EKS.",
    {
        "run": "pierhead.cli.process:run",
        "version": "pierhead.cli.process:version",
        "settings": "pierhead.cli.settings:settings",
    },
)
app.add_typer(apps, name="app")
app.add_typer(secrets, name="secrets")
app.add_typer(batch, name="batch")
