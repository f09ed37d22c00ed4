"""Asking before something that cannot be taken back.

Invariant: nothing is done without a yes, typed or given as an option; who cannot be asked has to give it.
"""

import sys

import typer

from pierhead.cli.failures import CommandError


def agreed(question: str, *, yes: bool) -> None:
    """Returns when the answer is yes. Raises CommandError for any other, and where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError(f"{question} Give --yes to do it: nobody can be asked here")
    if not typer.confirm(question, err=True):
        raise CommandError("nothing was done")
