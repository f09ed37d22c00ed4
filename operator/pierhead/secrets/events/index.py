"""Which SyncedSecrets an event is about.

Invariant: holds names as specs have them and version ids as they were read, never a value. What is found is
what may be concerned: too many cost a look, too few would cost a rotation.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from pierhead.engine.resource import ObjectKey
from pierhead.model.patterns import compiled
from pierhead.secrets.events.hint import CURRENT, Hint
from pierhead.secrets.events.names import SERVICES, Service, named
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.reading.references import references

_ACCOUNT_FIELD: Final = 4

Labelled = tuple[str, str]
"""Name of a secret, and a staging label."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What is found by a search, not by name."""

    service: Service
    prefix: str = ""
    pattern: str = ""
    """RE2 expression that is looked for in the name; empty: any name."""

    def takes(self, hint: Hint) -> bool:
        """Whether what an event names may be among what is found; tags, not being known, exclude nothing."""
        if hint.service != self.service:
            return False
        names = [name for name in hint.names if name.startswith(self.prefix)]
        if not self.pattern:
            return bool(names)
        try:
            pattern = compiled(self.pattern)
        except ValueError:
            return False  # a pass says what is wrong with it
        # A parameter's name has its slash in a pattern, but not here.
        slash = "/" if self.service == "ssm" else ""
        return any(pattern.search(f"{slash}{name}") for name in names)


@dataclass(frozen=True, slots=True)
class Watched:
    """What one SyncedSecret is made of."""

    region: str
    account: str = ""
    """Empty where it is not known."""

    labels: Mapping[tuple[Service, str], frozenset[str]] = field(default_factory=dict)
    """By service and name, the labels that are read; none for a pinned version."""

    selectors: tuple[Selector, ...] = ()

    def concerned(self, hint: Hint) -> bool:
        """Whether an event may change the Secret."""
        if hint.region != self.region or (hint.account and self.account and hint.account != self.account):
            return False
        if any(selector.takes(hint) for selector in self.selectors) and hint.label in {None, CURRENT}:
            return True
        found = [self.labels[place] for name in hint.names if (place := (hint.service, name)) in self.labels]
        if hint.topic != "Value":
            return hint.topic == "Existence" and bool(found)
        return any(labels and (hint.label is None or hint.label in labels) for labels in found)


def watched(spec: SyncedSecretSpec, *, region: str) -> Watched:
    """What a spec names; `region` is the operator's, for specs that name none."""
    labels: dict[tuple[Service, str], frozenset[str]] = {}
    for reference in references(spec):
        service = SERVICES.get(reference.kind)
        if service is None:
            continue  # nothing tells of the passwords of registries
        found = named(service, reference.name)
        read = frozenset() if reference.version_id else frozenset({reference.version_stage or CURRENT})
        for name in found.names if found is not None else ():
            place = (service, name)
            labels[place] = labels.get(place, frozenset()) | read
    aws = spec.aws
    role = (aws.role_arn if aws is not None else None) or ""
    return Watched(
        region=(aws.region if aws is not None else None) or region,
        account=role.split(":")[_ACCOUNT_FIELD] if role else "",
        labels=labels,
        selectors=tuple(_selector(entry.find) for entry in spec.data_from or () if entry.find is not None),
    )


def _selector(find: FindSource) -> Selector:
    pattern = find.name_regexp or ""
    if find.path is not None:
        return Selector("ssm", find.below.lstrip("/"), pattern)
    return Selector("secretsmanager", find.name_prefix or "", pattern)


class Index:
    """What all SyncedSecrets are made of, by name."""

    def __init__(self) -> None:
        self._watched: dict[ObjectKey, Watched] = {}
        self._named: dict[tuple[str, str], set[ObjectKey]] = {}
        self._searching: set[ObjectKey] = set()
        self._synced: dict[ObjectKey, Mapping[Labelled, str]] = {}

    def keys(self) -> Collection[ObjectKey]:
        """All that are in it."""
        return tuple(self._watched)

    def put(self, key: ObjectKey, found: Watched) -> None:
        """What a SyncedSecret is made of now."""
        if self._watched.get(key) == found:
            return
        self.remove(key)
        self._watched[key] = found
        for place in found.labels:
            self._named.setdefault(place, set()).add(key)
        if found.selectors:
            self._searching.add(key)

    def remove(self, key: ObjectKey) -> None:
        """Events do not concern it any more."""
        self._synced.pop(key, None)
        self._searching.discard(key)
        for place in found.labels if (found := self._watched.pop(key, None)) is not None else ():
            keys = self._named[place]
            keys.discard(key)
            if not keys:
                del self._named[place]

    def read(self, key: ObjectKey, versions: Mapping[Labelled, str]) -> None:
        """Which versions its Secret is known to be made of."""
        self._synced[key] = versions

    def concerned(self, hint: Hint) -> set[ObjectKey]:
        """Those that an event may change."""
        candidates = {
            key for name in hint.names for key in self._named.get((hint.service, name), ())
        } | self._searching
        return {key for key in candidates if self._watched[key].concerned(hint)}

    def searches(self, key: ObjectKey, hint: Hint) -> bool:
        """Whether an event concerns what the object searches for."""
        found = self._watched.get(key)
        return found is not None and any(selector.takes(hint) for selector in found.selectors)

    def has(self, key: ObjectKey, hint: Hint) -> bool:
        """Whether what an event tells is in the Secret already."""
        synced = self._synced.get(key)
        return synced is not None and told_by(hint, synced)


def told_by(hint: Hint, versions: Mapping[Labelled, str]) -> bool:
    """Whether these versions are what an event tells, for a label that it names."""
    return (
        hint.version_id is not None
        and hint.label is not None
        and any(versions.get((name, hint.label)) == hint.version_id for name in hint.names)
    )
