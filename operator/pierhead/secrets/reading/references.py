"""What a spec names in AWS, and what AWS answered. Pure.

Invariants: a name that a spec has twice is asked for once; a value is in no representation of anything here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.sources import SourceReference

Kind = Literal["secret", "parameter"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What to read: one version of one secret or parameter. A parameter's version is in its name."""

    name: str
    version_stage: str | None = None
    version_id: str | None = None
    kind: Kind = "secret"

    @classmethod
    def of(cls, reference: SourceReference) -> "Reference":
        """The reference in a field of the spec."""
        if reference.parameter is not None:
            return cls(reference.parameter, kind="parameter")
        assert reference.secret is not None, "the model holds exactly one"  # noqa: S101
        return cls(reference.secret, reference.version_stage, reference.version_id)


@dataclass(frozen=True, slots=True)
class Version:
    """What was read: text or bytes."""

    version_id: str
    """Names this value and no other that its source had or will have. Of a parameter: its number, which
    counts from 1 again when it is deleted and made anew, `@`, and when it was made."""

    string: str | None = field(default=None, repr=False)
    binary: bytes | None = field(default=None, repr=False)
    listed: bool = False
    """Whether the text is a StringList: elements with commas between them."""


Answers = Mapping[Reference, Version | Fault]


def references(spec: SyncedSecretSpec) -> dict[Reference, str]:
    """All that is named and to be read, each once, with the field that names it first."""
    found: dict[Reference, str] = {}
    for index, entry in enumerate(spec.data or ()):
        reference = Reference.of(entry.source)
        found.setdefault(reference, f"spec.data[{index}].from.{reference.kind}")
    for index, many in enumerate(spec.data_from or ()):
        reference = Reference.of(many.extract)
        found.setdefault(reference, f"spec.dataFrom[{index}].extract.{reference.kind}")
    return found
