"""From one answer to the values in it. Pure.

Invariant: a fault says where and what, and never quotes a value; nothing raises.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from pierhead.engine.properties import MISSING, Fault, as_text, find, parse_json, shown
from pierhead.secrets.model.sources import Decode, ExtractSource, KeySource
from pierhead.secrets.reading.decoding import decoded
from pierhead.secrets.reading.formats import PARSERS
from pierhead.secrets.reading.references import Reference, Version

_PLACE: Final = re.compile(r"\d{1,4}", re.ASCII)


class Documents:
    """The JSON of each answer, parsed when the first property of it is asked for."""

    def __init__(self) -> None:
        self._parsed: dict[Reference, Any] = {}

    def value(self, source: KeySource, version: Version) -> bytes | Fault:
        """What one line of `spec.data` takes of its answer."""
        value = self._encoded(source, version)
        return value if isinstance(value, Fault) else decoded(value, source.decode)

    def _encoded(self, source: KeySource, version: Version) -> bytes | Fault:
        if source.property is None:
            return whole(version)
        if version.listed:
            return _element(version, source.property)
        reference = Reference.of(source)
        if reference not in self._parsed:
            text = _text(version)
            self._parsed[reference] = text if isinstance(text, Fault) else parse_json(text)
        return _property(self._parsed[reference], source.property)


def whole(version: Version) -> bytes | Fault:
    """All of an answer, as it is."""
    if version.binary is not None:
        return version.binary
    return _bytes(version.string or "")


def extracted(extract: ExtractSource, decode: Decode | None, version: Version) -> dict[str, bytes] | Fault:
    """Every property of an answer, by name."""
    if version.listed:
        return Fault("WrongKind", "is a StringList, which has no names; take its elements by data[].from")
    text = _text(version)
    found = text if isinstance(text, Fault) else PARSERS[extract.format or "json"](text)
    return found if isinstance(found, Fault) else _each(found, decode)


def _each(found: Mapping[str, str | Fault], decode: Decode | None) -> dict[str, bytes] | Fault:
    values: dict[str, bytes] = {}
    for name, item in found.items():
        value = item if isinstance(item, Fault) else _bytes(item)
        if not isinstance(value, Fault):
            value = decoded(value, decode)
        if isinstance(value, Fault):
            return Fault(value.reason, f"property {shown(name)} {value.message}")
        values[name] = value
    return values


def _element(version: Version, place: str) -> bytes | Fault:
    """An element of a StringList."""
    if not _PLACE.fullmatch(place):
        return Fault("WrongKind", f"is a StringList; a property of it is a number from 0, not {shown(place)}")
    elements = (version.string or "").split(",")
    if int(place) >= len(elements):
        return Fault("PropertyNotFound", f"is a StringList without an element {place}", absent=True)
    return _bytes(elements[int(place)])


def _property(document: Any, path: str) -> bytes | Fault:
    if isinstance(document, Fault):
        return document
    value = find(document, path)
    if value is MISSING:
        return Fault("PropertyNotFound", f"has no property {shown(path)}", absent=True)
    text = as_text(value)
    if isinstance(text, Fault):
        return Fault(text.reason, f"property {shown(path)} {text.message}")
    return _bytes(text)


def _text(version: Version) -> str | Fault:
    """The version's text; bytes that are text count as such."""
    if version.string is not None:
        return version.string
    try:
        return (version.binary or b"").decode()
    except UnicodeDecodeError:
        return Fault("NotText", "is binary; only the whole of it can be a key's value")


def _bytes(text: str) -> bytes | Fault:
    try:
        return text.encode()
    except UnicodeEncodeError:
        return Fault("NotText", "has half a surrogate pair, which no text can hold")
