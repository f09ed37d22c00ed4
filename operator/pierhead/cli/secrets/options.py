"""The options that commands about SyncedSecrets have in common."""

from typing import Annotated

import typer

from pierhead.cli.options import checked_duration

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the SyncedSecret.")]
OptionalNameArgument = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Name of the SyncedSecret; all by default.", show_default=False),
]
NamesArgument = Annotated[list[str], typer.Argument(metavar="NAME", help="Names of SyncedSecrets.")]
IntervalOption = Annotated[
    str,
    typer.Option(
        "--interval",
        callback=checked_duration,
        metavar="DURATION",
        help="The operator's setting secretPollSeconds, for SyncedSecrets without an interval.",
    ),
]
EventsIntervalOption = Annotated[
    str,
    typer.Option(
        "--events-interval",
        callback=checked_duration,
        metavar="DURATION",
        help="The operator's setting secretEventsPollSeconds; 0s where it has no queue of events.",
    ),
]
