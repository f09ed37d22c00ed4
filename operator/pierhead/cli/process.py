"""`run` and `version`.

Invariant: `pierhead.__main__` serves a bare `pierhead run` by itself; the command here is its help.
"""

import typer

from pierhead import __version__


def run() -> None:
    """Run the operator until it is told to stop; its settings are PIERHEAD_* variables (see `settings`)."""
    from pierhead.run import run as run_operator  # noqa: PLC0415 (only this command is a process of its own)

    run_operator()


def version() -> None:
    """Print the version."""
    typer.echo(__version__)
