"""How a command ends.

Invariant: every end has an exit code of its own, the same for all commands; they are listed in docs/cli.md.
A command that fails says why in one line of standard error.
"""

import functools
import traceback
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any

import typer

from pierhead import __version__


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
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:  # noqa: BLE001 (its text may quote a value, and stays unsaid)
            typer.echo(
                f"error: this is a bug in pierhead {__version__}, please report it: {_place(error)}", err=True
            )
            raise typer.Exit(ExitCode.FAILED) from None

    return run


def _place(error: BaseException) -> str:
    """The class of an error and the last place in pierhead that it came through."""
    ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "pierhead" in frame.filename]
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else ""
    return f"{type(error).__qualname__}{where}"
