"""From a spec and what AWS answered to the values of keys. Pure.

Invariants: all keys that come from one version of a secret come from one answer, so a rotation in
between never mixes two; a value is in no representation of anything here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pierhead.engine.properties import MISSING, Fault, as_text, find, parse_json
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.sources import DataEntry, DataFromEntry, SecretVersionReference
from pierhead.secrets.reading.formats import PARSERS

SECRET_LIMIT: Final = 1024 * 1024
"""Bytes of all values of a Secret. Source: Kubernetes, `MaxSecretSize`."""

# Source: Kubernetes, `IsConfigMapKey`.
_KEY: Final = re.compile(r"(?!\.$|\.\.)[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True, slots=True)
class Reference:
    """What to read: one version of one secret."""

    secret: str
    version_stage: str | None = None
    version_id: str | None = None

    @classmethod
    def of(cls, reference: SecretVersionReference) -> "Reference":
        """The reference in a field of the spec."""
        return cls(reference.secret, reference.version_stage, reference.version_id)


@dataclass(frozen=True, slots=True)
class Version:
    """What was read: text or bytes."""

    version_id: str
    string: str | None = field(default=None, repr=False)
    binary: bytes | None = field(default=None, repr=False)


Answers = Mapping[Reference, Version | Fault]


@dataclass(frozen=True, slots=True)
class Source:
    """One line of the spec and what became of it: values, or a fault."""

    path: str
    """Where it is in the spec, such as `spec.data[0]`."""

    secret: str
    identity: tuple[str, ...]
    """What of the spec decides the values, beside the version."""

    optional: bool = False
    key: str | None = None
    """The key, for an entry of `spec.data`."""

    version_id: str | None = None
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    fault: Fault | None = None

    @property
    def absent(self) -> bool:
        """Whether what it names is proven not to exist."""
        return self.fault is not None and self.fault.absent

    @property
    def label(self) -> str:
        """How a message names it."""
        return f"{self.path} ({self.key or self.secret})"


def references(spec: SyncedSecretSpec) -> dict[Reference, str]:
    """All that is to be read, each once, with the field that names it first."""
    found: dict[Reference, str] = {}
    for index, entry in enumerate(spec.data or ()):
        found.setdefault(Reference.of(entry.source), f"spec.data[{index}].from.secret")
    for index, many in enumerate(spec.data_from or ()):
        found.setdefault(Reference.of(many.extract), f"spec.dataFrom[{index}].extract.secret")
    return found


def collect(spec: SyncedSecretSpec, answers: Answers) -> tuple[Source, ...]:
    """Every line of the spec, in its order: first `data`, then `dataFrom`."""
    documents: dict[Reference, Any] = {}
    sources = [
        *(
            _single(f"spec.data[{index}]", entry, answers, documents)
            for index, entry in enumerate(spec.data or ())
        ),
        *(
            _many(f"spec.dataFrom[{index}]", entry, answers)
            for index, entry in enumerate(spec.data_from or ())
        ),
    ]
    return _checked(sources)


def _single(path: str, entry: DataEntry, answers: Answers, documents: dict[Reference, Any]) -> Source:
    reference = Reference.of(entry.source)
    answer = answers[reference]
    source = Source(
        path,
        entry.source.secret,
        ("data", entry.key, entry.source.secret, entry.source.property or ""),
        optional=bool(entry.optional),
        key=entry.key,
    )
    if isinstance(answer, Fault):
        return replace(source, fault=answer)
    if entry.source.property is None:
        value = _whole(answer)
    else:
        if reference not in documents:
            text = _text(answer)
            documents[reference] = text if isinstance(text, Fault) else parse_json(text)
        value = _property(documents[reference], entry.source.property)
    if isinstance(value, Fault):
        return replace(source, fault=value)
    return replace(source, version_id=answer.version_id, values={entry.key: value})


def _many(path: str, entry: DataFromEntry, answers: Answers) -> Source:
    extract = entry.extract
    file_format = extract.format or "json"
    answer = answers[Reference.of(extract)]
    source = Source(
        path, extract.secret, ("extract", extract.secret, file_format), optional=bool(entry.optional)
    )
    if isinstance(answer, Fault):
        return replace(source, fault=answer)
    text = _text(answer)
    found = text if isinstance(text, Fault) else PARSERS[file_format](text)
    if isinstance(found, Fault):
        return replace(source, fault=found)
    values: dict[str, bytes] = {}
    for name, item in found.items():
        value = item if isinstance(item, Fault) else _encoded(item)
        if isinstance(value, Fault):
            return replace(source, fault=Fault(value.reason, f"property {_shown(name)} {value.message}"))
        if not _KEY.fullmatch(name):
            return replace(
                source, fault=Fault("BadKey", f"property {_shown(name)} cannot be a key: {_KEY_RULE}")
            )
        values[name] = value
    return replace(source, version_id=answer.version_id, values=values)


_KEY_RULE: Final = "keys have letters, digits, -, _ and . only, at most 253"


def _checked(sources: Sequence[Source]) -> tuple[Source, ...]:
    """The sources, with a fault where two give the same key or all together are too large."""
    owners: dict[str, Source] = {}
    checked = []
    for source in sources:
        twice = next((key for key in source.values if key in owners), None)
        for key in source.values:
            owners.setdefault(key, source)
        if twice is not None:
            text = f"the key {_shown(twice)} comes from {owners[twice].label} as well"
            checked.append(replace(source, fault=Fault("KeyCollision", text), values={}))
        else:
            checked.append(source)
    size = sum(len(value) for source in checked for value in source.values.values())
    if size > SECRET_LIMIT:
        largest = max(checked, key=lambda source: sum(map(len, source.values.values())))
        text = f"the Secret would have {size} bytes; {SECRET_LIMIT} is the most"
        checked[checked.index(largest)] = replace(largest, fault=Fault("TooLarge", text), values={})
    return tuple(checked)


def _property(document: Any, path: str) -> bytes | Fault:
    if isinstance(document, Fault):
        return document
    value = find(document, path)
    if value is MISSING:
        return Fault("PropertyNotFound", f"has no property {_shown(path)}", absent=True)
    text = as_text(value)
    if isinstance(text, Fault):
        return Fault(text.reason, f"property {_shown(path)} {text.message}")
    return _encoded(text)


def _whole(version: Version) -> bytes | Fault:
    if version.binary is not None:
        return version.binary
    return _encoded(version.string or "")


def _text(version: Version) -> str | Fault:
    """The version's text; bytes that are text count as such."""
    if version.string is not None:
        return version.string
    try:
        return (version.binary or b"").decode()
    except UnicodeDecodeError:
        return Fault("NotText", "is binary; only the whole of it can be a key's value")


def _encoded(text: str) -> bytes | Fault:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return Fault("NotText", "has half a surrogate pair, which no text can hold")


def _shown(name: str) -> str:
    limit = 64
    return repr(name if len(name) <= limit else f"{name[: limit - 1]}…")
