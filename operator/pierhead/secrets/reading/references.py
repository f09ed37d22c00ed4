"""What a spec names in AWS, and what AWS answered. Pure.

Invariants: a name that a spec has twice is asked for once; a value is in no representation of anything here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.sources import KeySource, SourceReference

Kind = Literal["secret", "parameter", "ecr"]
Findable = Literal["secret", "parameter"]


@dataclass(frozen=True, slots=True)
class Reference:
    """What to read: one version of one secret or parameter, or the password of a registry. A parameter's
    version is in its name; the name of a registry is its account, empty for that of who reads.
    """

    name: str
    version_stage: str | None = None
    version_id: str | None = None
    kind: Kind = "secret"
    region: str | None = None
    """Region of a registry, if it is another than that of all else."""

    @classmethod
    def of(cls, reference: SourceReference) -> "Reference":
        """The reference in a field of the spec."""
        ecr = reference.ecr if isinstance(reference, KeySource) else None
        if ecr is not None:
            return cls(ecr.registry_id or "", kind="ecr", region=ecr.region)
        if reference.parameter is not None:
            return cls(reference.parameter, kind="parameter")
        assert reference.secret is not None, "the model holds exactly one"  # noqa: S101
        return cls(reference.secret, reference.version_stage, reference.version_id)


@dataclass(frozen=True, slots=True)
class Renewal:
    """When something that ends has to be had anew."""

    renew_at: datetime
    expires_at: datetime


def moment(text: str | None) -> datetime | None:
    """A moment of the status; None for none, and for what nobody here has written."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


@dataclass(frozen=True, slots=True)
class Version:
    """What was read: text or bytes."""

    version_id: str
    """Names this value and no other that its source had or will have. Of a parameter: its number, which
    counts from 1 again when it is deleted and made anew, `@`, and when it was made. Of a registry, whose
    passwords are as good as each other: its host."""

    string: str | None = field(default=None, repr=False)
    binary: bytes | None = field(default=None, repr=False)
    listed: bool = False
    """Whether the text is a StringList: elements with commas between them."""

    renewal: Renewal | None = None


Answers = Mapping[Reference, Version | Fault]


def references(spec: SyncedSecretSpec) -> dict[Reference, str]:
    """All that is named and to be read, each once, with the field that names it first."""
    found: dict[Reference, str] = {}
    for index, entry in enumerate(spec.data or ()):
        reference = Reference.of(entry.source)
        found.setdefault(reference, f"spec.data[{index}].from.{reference.kind}")
    for index, many in enumerate(spec.data_from or ()):
        if many.extract is not None:
            reference = Reference.of(many.extract)
            found.setdefault(reference, f"spec.dataFrom[{index}].extract.{reference.kind}")
    return found
