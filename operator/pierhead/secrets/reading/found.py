"""What a `find` has found, before its values are made into keys. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pierhead.engine.properties import Fault
from pierhead.secrets.model import SyncedSecretStatus
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.reading.criteria import described
from pierhead.secrets.reading.references import Reference, Version


@dataclass(frozen=True, slots=True)
class Found:
    """What one line finds."""

    names: tuple[str, ...] = ()
    """What is there, in alphabetical order."""

    gone: frozenset[str] = frozenset()
    """What was found before and is proven gone."""

    unknown: frozenset[str] = frozenset()
    """What was found before, and of which it cannot be told whether it is there."""

    before: Mapping[str, str] = field(default_factory=dict)
    """The versions in the Secret of what was found before."""

    answers: Mapping[Reference, Version] = field(default_factory=dict, repr=False)
    """Values that came with the list."""

    fault: Fault | None = None


Finds = Mapping[str, Found]
"""By the line's path in the spec."""


def to_read(finds: Finds) -> list[Reference]:
    """What was found and is still to be read."""
    return [
        reference
        for found in finds.values()
        if found.fault is None
        for reference in map(Reference, found.names)
        if not found.answers
    ]


def found_before(find: FindSource, stored: SyncedSecretStatus) -> dict[str, str]:
    """What the stored status says that these criteria found: versions by name."""
    line = described(find)
    return {
        one.name: one.version_id or ""
        for extract in stored.extracts or ()
        if extract.find == line
        for one in extract.found or ()
    }
