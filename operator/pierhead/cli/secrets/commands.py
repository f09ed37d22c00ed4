"""The group `pierhead secrets`.

Invariant: no command prints a value.
"""

from pierhead.cli.group import group

app = group(
    "SyncedSecrets: bring values into AWS, find what should be there, and see how each Secret fares.",
    {
        "import": "pierhead.cli.secrets.migration.command:import_",
        "adopt": "pierhead.cli.secrets.migration.adoption:adopt",
        "audit": "pierhead.cli.secrets.audit.command:audit",
        "status": "pierhead.cli.secrets.show:status",
        "why": "pierhead.cli.secrets.show:why",
        "refresh": "pierhead.cli.secrets.refresh:refresh",
        "cost": "pierhead.cli.secrets.costs.command:cost",
    },
)

app.add_typer(
    group(
        "What SyncedSecrets need in AWS to hear of changes at once.",
        {"install": "pierhead.cli.secrets.events:install"},
    ),
    name="events",
)
