"""Findings that somebody has looked at and lets stand.

Invariant: a baseline names places and rules. It has no value, and no digest of one: that a value in a known
place has changed is not told, which is the price.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pierhead.cli.failures import CommandError
from pierhead.cli.output import as_yaml
from pierhead.cli.secrets.audit.findings import Finding


def known(path: Path) -> list[dict[str, str]]:
    """The entries of a file. Raises CommandError where it is no baseline."""
    try:
        found: Any = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise CommandError(f"{path} is not YAML") from None
    if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
        raise CommandError(f"{path} is no baseline: a list of entries with in, field and rule")
    return found


def write(path: Path, found: Iterable[Finding]) -> None:
    """Lets these findings stand."""
    entries = [finding.identity for finding in found]
    try:
        path.write_text(as_yaml(entries))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from None
