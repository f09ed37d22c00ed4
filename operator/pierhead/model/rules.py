"""Checks across fields, each said once for the API server and once for Python.

Invariant: the two halves of a rule give the same verdict on every object; `tests/component/crds` feeds
both the same table.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One check across fields, said twice: in CEL for the API server, and in Python for the model.

    `expression` sees the object as `self` (and `oldSelf`, where it judges a change); `holds` is given the
    validated model and returns whether the same is true. Only a rule about a change has no `holds`.
    """

    expression: str
    message: str
    holds: Callable[[Any], bool] | None = None


def exactly_one(*names: str) -> Rule:
    """Of these fields, named as in YAML, one is given and no other."""
    return Rule(
        f"{_count_of(names)} == 1",
        f"exactly one of {', '.join(names)} must be given",
        lambda model: len(model.given() & set(names)) == 1,
    )


def at_most_one(*names: str) -> Rule:
    """Of these fields, named as in YAML, none or one is given."""
    return Rule(
        f"{_count_of(names)} <= 1",
        f"at most one of {', '.join(names)} may be given",
        lambda model: len(model.given() & set(names)) <= 1,
    )


def at_least_one(*names: str) -> Rule:
    """Of these fields, named as in YAML, one or more are given."""
    return Rule(
        f"{_count_of(names)} >= 1",
        f"at least one of {', '.join(names)} must be given",
        lambda model: len(model.given() & set(names)) >= 1,
    )


def immutable(*names: str) -> tuple[Rule, ...]:
    """These fields, named as in YAML, stay as they were when the object was created."""
    return tuple(
        Rule(
            f"has(self.{cel_name(name)}) == has(oldSelf.{cel_name(name)})"
            f" && (!has(self.{cel_name(name)}) || self.{cel_name(name)} == oldSelf.{cel_name(name)})",
            f"{name} cannot be changed; delete the object and create it anew",
        )
        for name in names
    )


def _count_of(names: Iterable[str]) -> str:
    given = ", ".join(f"has(self.{cel_name(name)})" for name in names)
    return f"[{given}].filter(given, given).size()"


# Kubernetes API reference, "Validation rules": words CEL keeps for itself are written between underscores.
_CEL_WORDS = frozenset(
    {
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    }
)


def cel_name(name: str) -> str:
    """How CEL in a CRD writes the field `name`."""
    if name in _CEL_WORDS:
        return f"__{name}__"
    return (
        name.replace("__", "__underscores__")
        .replace(".", "__dot__")
        .replace("-", "__dash__")
        .replace("/", "__slash__")
    )
