"""What a caller gives in place of what the operator would read.

Invariant: plain data; no file is read here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pierhead.cli.failures import CommandError, ExitCode
from pierhead.engine.resource import Object
from pierhead.kube.resources import ResourceType

Lookup = Callable[[ResourceType, str], Awaitable[Object | None]]
"""Finds a ConfigMap or Secret of the AppRelease's namespace; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the caller gives on the command line."""

    source: Path | None = None
    """Stands for `spec.source`: a directory, or a packaged chart."""

    overlay: Path | None = None
    """Stands for `spec.kustomize.source`."""

    values: Mapping[int, Path] = field(default_factory=dict)
    """Files that stand for entries of `spec.helm.valuesFrom`, by their place in it."""


def given_of(local: Path | None, overlay: Path | None, values_from: list[str] | None) -> Given:
    """The files of the options. Raises CommandError for an entry that is none."""
    values: dict[int, Path] = {}
    for text in values_from or ():
        index, sign, path = text.partition("=")
        if not sign or not index.isdecimal():
            raise CommandError(f"--values-from {text}: not of the form INDEX=FILE", ExitCode.USAGE)
        if not Path(path).is_file():
            raise CommandError(f"--values-from {text}: there is no {path}")
        values[int(index)] = Path(path)
    return Given(source=local, overlay=overlay, values=values)
