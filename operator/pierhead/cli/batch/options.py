"""The options that commands about BatchJobs have in common.

Invariant: as in `pierhead.cli.options`.
"""

from typing import Annotated

import typer

from pierhead.cli.options import checked_duration

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the BatchJob.")]


def _checked(text: str | None) -> str | None:
    return None if text is None else checked_duration(text)


PatienceOption = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        callback=_checked,
        metavar="DURATION",
        help="How long to wait; exit code 3 after that. As long as it takes by default.",
    ),
]
