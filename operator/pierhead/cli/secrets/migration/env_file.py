"""A .env file as the operator would read it, and what is to be known of it before it moves.

Invariant: what is said of a file names lines and variables, and never quotes it.
"""

import io
import re
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Final

import typer
from dotenv.parser import parse_stream

from pierhead.cli.failures import CommandError
from pierhead.engine.properties import Fault
from pierhead.secrets.reading.formats import dotenv_keys

LARGEST: Final = 1024 * 1024
"""Bytes of a file that are read: more than any secret of AWS holds."""

_EXPORT: Final = re.compile(r"\s*export\s")
_REFERENCE: Final = "${"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_GIT_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a file holds. No representation of it has a value."""

    text: str = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...] = ()


def read(path: Path) -> EnvFile:
    """The file; `-` is standard input. Raises CommandError where it cannot be read or is no dotenv."""
    if str(path) == "-":
        return parse(typer.get_text_stream("stdin").read(LARGEST + 1), "standard input")
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        mode = path.stat().st_mode
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise CommandError(f"{path} is not UTF-8 text") from None
    found = parse(text, str(path))
    return EnvFile(found.text, found.variables, (*found.warnings, *_exposure(path, mode)))


def parse(text: str, name: str) -> EnvFile:
    """The variables of a text, by the parser of the operator. Raises CommandError with the line at fault."""
    if len(text) > LARGEST:
        raise CommandError(f"{name} has more than {LARGEST} bytes")
    found = dotenv_keys(text)
    if isinstance(found, Fault):
        raise CommandError(f"{name}: {found.message}")
    variables = {key: value for key, value in found.items() if isinstance(value, str)}
    if not variables:
        raise CommandError(f"{name} has no variables")
    return EnvFile(text, variables, tuple(_peculiarities(text, variables)))


def _peculiarities(text: str, variables: Mapping[str, str]) -> list[str]:
    """What a program that reads the file may do, and a Secret does not."""
    found = []
    referring = [key for key, value in variables.items() if _REFERENCE in value]
    if referring:
        found.append(
            f"{_listed(referring)}: ${{…}} stays as it is written, where a .env reader may replace it; "
            "write the value out"
        )
    exported = [
        binding.key
        for binding in parse_stream(io.StringIO(text))
        if binding.key and _EXPORT.match(binding.original.string.lstrip("\n"))
    ]
    if exported:
        found.append(f"{_listed(exported)}: `export` is dropped; pods get every key they ask for")
    empty = [key for key, value in variables.items() if not value]
    if empty:
        found.append(f"{_listed(empty)}: empty")
    return found


def _exposure(path: Path, mode: int) -> list[str]:
    """Who else could have read the file."""
    found = []
    if stat.S_IMODE(mode) & _OTHERS:
        found.append(f"{path} can be read by others on this machine: chmod 600 {path}")
    if _git(path, "ls-files", "--error-unmatch", "--"):
        found.append(
            f"{path} is tracked by git, so its values are in the history: rotate them once they have moved, "
            f"and git rm --cached {path}"
        )
    elif _git(path, "rev-parse", "--is-inside-work-tree", named=False) and not _git(
        path, "check-ignore", "--quiet", "--"
    ):
        found.append(f"{path} is not ignored by git: one `git add` takes it along")
    return found


def _git(path: Path, *command: str, named: bool = True) -> bool:
    """Whether git says yes. No git, or no repository, is a no."""
    program = which("git")
    if program is None:
        return False
    where = path.absolute()
    arguments: Sequence[str] = [program, "-C", str(where.parent), *command, *([where.name] if named else [])]
    try:
        done = subprocess.run(arguments, capture_output=True, check=False, timeout=_GIT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _listed(names: Sequence[str]) -> str:
    most = 5
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
