"""The options that commands about AppReleases have in common.

Invariant: as in `pierhead.cli.options`.
"""

from pathlib import Path
from typing import Annotated

import typer

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the AppRelease.")]
LocalOption = Annotated[
    Path | None, typer.Option("--local", help="Directory or packaged chart that stands for spec.source.")
]
LocalOverlayOption = Annotated[
    Path | None, typer.Option("--local-overlay", help="Directory that stands for spec.kustomize.source.")
]
ValuesFromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--values-from",
        metavar="INDEX=FILE",
        help="File that stands for that entry of spec.helm.valuesFrom, counted from 0.",
    ),
]
