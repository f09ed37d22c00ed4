"""`kubectl_complete-pierhead`, which kubectl asks how `kubectl pierhead …` may go on.

Invariant: it answers as the shell's own completion of `pierhead` does, and asks no cluster. Source of the
protocol: kubectl's documentation, "Extend kubectl with plugins", section on completion.
"""

import os
import shlex
import sys

import typer

from pierhead.cli.main import app

_NO_FILES = ":4"
"""What kubectl is told last: where nothing is known, names of files are no help."""


def main() -> None:
    """Prints what may stand for the last argument, a line each, and kubectl's directive."""
    words = ["pierhead", *sys.argv[1:]]
    os.environ |= {
        "_PIERHEAD_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    try:
        app(prog_name="pierhead")
    except SystemExit:
        typer.echo(_NO_FILES)
