"""How a command ends.

Invariant: every end has an exit code of its own, the same for all commands; they are listed in docs/cli.md.
A command that fails says why in one line of standard error.
"""

import functools
from collections.abc import Callable
from enum import IntEnum
from typing import Any

import typer


class ExitCode(IntEnum):
    """What scripts tell the ends of a command by."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    TIMED_OUT = 3
    NOT_READY = 4
    """What was waited for came to an end that is not Ready."""

    DIFFERENT = 5
    """`diff --exit-code` found differences."""


class CommandError(Exception):
    """A command that ends here, with what to do about it."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


def ending(command: Callable[..., None]) -> Callable[..., None]:
    """The command, ended by a CommandError as people and scripts are told of it."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> None:
        try:
            command(*arguments, **options)
        except CommandError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(error.code) from None

    return run
