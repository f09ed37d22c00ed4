"""Which objects somebody answers for, as text that outlives the process.

Invariant: an object is the same entry at every version of its API, so a union never counts it twice and a
difference never deletes what only moved to a newer version. Source of the form: Flux's inventory,
`namespace_name_group_kind`, and its version.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pierhead.engine.resource import Object
from pierhead.kube.resources import split_api_version

_FOLLOWING = 3
"""Group, kind and version, which hold no underscore, as a namespace holds none; a name may."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One object; `namespace` is empty for cluster-scoped ones, `group` for the core group."""

    group: str
    kind: str
    namespace: str
    name: str
    version: str = field(compare=False)

    @classmethod
    def of(cls, obj: Object) -> "Entry":
        """The entry of an object."""
        group, version = split_api_version(obj["apiVersion"])
        metadata = obj["metadata"]
        return cls(group, obj["kind"], metadata.get("namespace") or "", metadata["name"], version)

    @classmethod
    def parse(cls, text: str) -> "Entry":
        """The entry that `str` made this text of. Raises ValueError for any other text."""
        try:
            namespace, rest = text.split("_", 1)
            name, group, kind, version = rest.rsplit("_", _FOLLOWING)
        except ValueError:
            raise ValueError(f"not an inventory entry: {text!r}") from None
        return cls(group, kind, namespace, name, version)

    @property
    def api_version(self) -> str:
        """`group/version`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def label(self) -> str:
        """For people: `Deployment shop/web`."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    def __str__(self) -> str:
        return f"{self.namespace}_{self.name}_{self.group}_{self.kind}_{self.version}"


def union(*inventories: Iterable[Entry]) -> tuple[Entry, ...]:
    """Every object of any of them once, at the version of the last that has it; sorted."""
    found = {entry: entry for inventory in inventories for entry in inventory}
    return tuple(sorted(found.values()))


def difference(inventory: Iterable[Entry], other: Iterable[Entry]) -> tuple[Entry, ...]:
    """The objects of the first that the other has not; sorted."""
    return tuple(sorted(set(inventory) - set(other)))
