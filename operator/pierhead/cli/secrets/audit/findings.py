"""What an audit finds, and where.

Invariant: a finding holds no value and nothing worked out from one; what identifies it stays the same when
lines move.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pierhead.cli.secrets.audit.shapes import Verdict


@dataclass(frozen=True, slots=True)
class Holder:
    """An object, or a file that is none, with values in it."""

    file: str | None = None
    """Path as it was given; None for an object of the cluster."""

    kind: str = ""
    """Kind of the object; empty for a file."""

    namespace: str | None = None
    name: str = ""

    @property
    def label(self) -> str:
        """How it is shown."""
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}" if self.kind else (self.file or "")


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that looks like a secret."""

    holder: Holder
    field: str
    """Path in the object, such as `spec.template.spec.containers.0.env.1.value`."""

    key: str
    """What it is called."""

    verdict: Verdict
    line: int | None = None
    """Line of the file, from 1."""

    @property
    def where(self) -> str:
        """How the place is shown."""
        if self.holder.file is None:
            return f"{self.holder.label}: {self.field}"
        return f"{self.holder.file}:{self.line}" if self.line else self.holder.file

    @property
    def identity(self) -> dict[str, str]:
        """What a baseline knows it by."""
        return {"in": self.holder.file or self.holder.label, "field": self.field, "rule": self.verdict.rule}

    def data(self) -> dict[str, Any]:
        """It as `-o json` prints it."""
        found: Mapping[str, Any] = {
            "where": self.where,
            "file": self.holder.file,
            "line": self.line,
            "kind": self.holder.kind or None,
            "namespace": self.holder.namespace,
            "name": self.holder.name or None,
            "field": self.field,
            "key": self.key,
            "rule": self.verdict.rule,
            "why": self.verdict.why,
        }
        return {name: value for name, value in found.items() if value is not None}
