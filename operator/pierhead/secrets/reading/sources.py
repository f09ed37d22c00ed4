"""From a spec and what AWS answered to the values of keys. Pure.

Invariants: all keys that come from one version of a secret come from one answer, so a rotation in
between never mixes two; a value is in no representation of anything here.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from pierhead.engine.properties import Fault, shown
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.sources import (
    DataEntry,
    DataFromEntry,
    ExtractSource,
    KeySource,
    SourceReference,
)
from pierhead.secrets.reading.criteria import described
from pierhead.secrets.reading.found import Finds, Found
from pierhead.secrets.reading.gathering import Gathered, gather
from pierhead.secrets.reading.references import Answers, Kind, Reference, Renewal
from pierhead.secrets.reading.rewriting import keys_of
from pierhead.secrets.reading.values import Documents, extracted

SECRET_LIMIT: Final = 1024 * 1024
"""Bytes of all values of a Secret. Source: Kubernetes, `MaxSecretSize`."""

_NO_FINDS: Final[Finds] = MappingProxyType({})

SourceKind = Literal[Kind, "find"]


@dataclass(frozen=True, slots=True)
class Source:
    """One line of the spec and what became of it: values, or a fault."""

    path: str
    """Where it is in the spec, such as `spec.data[0]`."""

    name: str
    """Name of the secret or parameter, or what is looked for."""

    identity: tuple[str, ...]
    """What of the spec decides the values, beside the version."""

    kind: SourceKind = "secret"
    optional: bool = False
    key: str | None = None
    """The key, for an entry of `spec.data`."""

    version_id: str | None = None
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    renewal: Renewal | None = None
    fault: Fault | None = None
    gathered: Gathered | None = None
    """What was found, of a `find`."""

    @property
    def retained(self) -> frozenset[str]:
        """Keys whose value in the Secret stays, as what they came from is not to be had and not given up."""
        return self.gathered.retained if self.gathered is not None else frozenset()

    @property
    def absent(self) -> bool:
        """Whether what it names is proven not to exist."""
        return self.fault is not None and self.fault.absent

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"{self.path} ({self.key or self.name})"


def collect(spec: SyncedSecretSpec, answers: Answers, finds: Finds = _NO_FINDS) -> tuple[Source, ...]:
    """Every line of the spec, in its order: first `data`, then `dataFrom`."""
    documents = Documents()
    sources = [
        *(
            _single(f"spec.data[{index}]", entry, answers, documents)
            for index, entry in enumerate(spec.data or ())
        ),
        *(
            _many(spec, f"spec.dataFrom[{index}]", entry, answers, finds)
            for index, entry in enumerate(spec.data_from or ())
        ),
    ]
    return _checked(sources)


def _single(path: str, entry: DataEntry, answers: Answers, documents: Documents) -> Source:
    reference, taken = Reference.of(entry.source), entry.source
    decode = () if taken.decode in {None, "None"} else (taken.decode or "",)
    source = Source(
        path,
        reference.name,
        ("data", entry.key, *_named(taken), taken.property or "", *decode),
        kind=reference.kind,
        optional=bool(entry.optional),
        key=entry.key,
    )
    answer = answers[reference]
    if isinstance(answer, Fault):
        return replace(source, fault=answer)
    value = documents.value(taken, answer)
    if isinstance(value, Fault):
        return replace(source, fault=value)
    return replace(source, version_id=answer.version_id, values={entry.key: value}, renewal=answer.renewal)


def _many(spec: SyncedSecretSpec, path: str, entry: DataFromEntry, answers: Answers, finds: Finds) -> Source:
    if entry.find is not None:
        retain = spec.on_source_delete != "Delete"
        return _found(path, entry, entry.find, finds[path], answers, retain=retain)
    assert entry.extract is not None, "the model holds exactly one"  # noqa: S101
    return _extract(path, entry, entry.extract, answers)


def _found(
    path: str, entry: DataFromEntry, find: FindSource, found: Found, answers: Answers, *, retain: bool
) -> Source:
    decode = "" if entry.decode in {None, "None"} else entry.decode or ""
    source = Source(
        path,
        described(find),
        # Not the criteria: what other criteria find alike is no reason to restart anything.
        ("find", "secret" if find.path is None else "parameter", decode),
        kind="find",
        optional=bool(entry.optional),
    )
    gathered = found.fault or gather(entry, find, found, answers, retain=retain)
    if isinstance(gathered, Fault):
        return replace(source, fault=gathered)
    return replace(source, version_id=gathered.version_id, values=gathered.values, gathered=gathered)


def _extract(path: str, entry: DataFromEntry, extract: ExtractSource, answers: Answers) -> Source:
    reference = Reference.of(extract)
    source = Source(
        path,
        reference.name,
        ("extract", *_named(extract), extract.format or "json", *transformed(entry)),
        kind=reference.kind,
        optional=bool(entry.optional),
    )
    answer = answers[reference]
    if isinstance(answer, Fault):
        return replace(source, fault=answer)
    found = extracted(extract, entry.decode, answer)
    if isinstance(found, Fault):
        return replace(source, fault=found)
    keys = keys_of(found, entry.rewrite or (), what="property")
    if isinstance(keys, Fault):
        return replace(source, fault=keys)
    values = {keys[name]: value for name, value in found.items()}
    return replace(source, version_id=answer.version_id, values=values)


def _named(reference: SourceReference) -> tuple[str, ...]:
    """What is read, as a part of a source's identity."""
    if isinstance(reference, KeySource) and reference.ecr is not None:
        return ("ecr", reference.ecr.registry_id or "", reference.ecr.region or "")
    # Never another text for a secret: whatever changes here restarts the workloads of every object.
    return (reference.secret,) if reference.secret is not None else ("parameter", reference.parameter or "")


def transformed(entry: DataFromEntry) -> tuple[str, ...]:
    """What is done to names and values, as a part of a source's identity; nothing where nothing is."""
    steps = [[step.pattern, step.replace] for step in entry.rewrite or ()]
    decode = None if entry.decode == "None" else entry.decode
    return (json.dumps({"decode": decode, "rewrite": steps}),) if decode or steps else ()


def _checked(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources, with a fault where two give the same key or all together are too large."""
    owners: dict[str, Source] = {}
    checked = []
    for source in sources:
        twice = next((key for key in source.values if key in owners), None)
        for key in source.values:
            owners.setdefault(key, source)
        if twice is not None:
            text = f"the key {shown(twice)} comes from {owners[twice].label} as well"
            checked.append(replace(source, fault=Fault("KeyCollision", text), values={}))
        else:
            checked.append(source)
    size = sum(len(value) for source in checked for value in source.values.values())
    if size > SECRET_LIMIT:
        largest = max(checked, key=lambda source: sum(map(len, source.values.values())))
        text = f"the Secret would have {size} bytes; {SECRET_LIMIT} is the most"
        checked[checked.index(largest)] = replace(largest, fault=Fault("TooLarge", text), values={})
    return tuple(checked)
