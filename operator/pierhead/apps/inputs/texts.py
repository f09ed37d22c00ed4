"""Texts out of what references lead to.

Invariant: an error names the field and what is missing, and never quotes what was found.
"""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from pierhead.engine.outcome import Invalid
from pierhead.engine.properties import MISSING, Fault, as_text, find, parse_json
from pierhead.engine.resource import Object
from pierhead.kube.resources import SECRETS, ResourceType

TELLING = 4
"""Shorter values are not masked: they would take half of every message along."""


def data_text(obj: Object, resource: ResourceType, key: str, *, field: str) -> str:
    """A key's text in a ConfigMap or Secret. Raises Invalid: KeyNotFound, or InvalidValues for no text."""
    data = obj.get("data") or {}
    if key not in data:
        name = obj["metadata"]["name"]
        raise Invalid(f"{resource.kind} {name} has no key {key!r}", reason="KeyNotFound", field=field)
    if resource != SECRETS:
        return str(data[key])
    try:
        return base64.b64decode(data[key], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Invalid("the Secret's value is not text", reason="InvalidValues", field=field) from None


def secret_texts(obj: Object) -> Iterator[str]:
    """What a message must not quote of a Secret: its values, as they are and as they are written."""
    for encoded in (obj.get("data") or {}).values():
        yield from telling(encoded)
        try:
            yield from telling(base64.b64decode(encoded).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue


def telling(value: Any) -> Iterator[str]:
    """The texts and numbers in a tree of values that are long enough to tell something."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from telling(item)
    elif isinstance(value, list):
        for item in value:
            yield from telling(item)
    elif value is not None and not isinstance(value, bool) and len(str(value)) >= TELLING:
        yield str(value)


def whole_text(content: str | bytes, *, field: str) -> str:
    """The text of what AWS answered. Raises Invalid for bytes that are none."""
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError:
        raise Invalid("the secret's value is not text", reason="InvalidValues", field=field) from None


def property_text(content: str | bytes, path: str, *, field: str) -> str:
    """A property of a secret's JSON, as text. Raises Invalid, KeyNotFound where there is no such property."""
    document = _told(parse_json(whole_text(content, field=field)), field)
    value = find(document, path)
    if value is MISSING:
        raise Invalid(f"the secret has no property {path!r}", reason="KeyNotFound", field=field)
    return str(_told(as_text(value), field))


def _told(value: Any, field: str) -> Any:
    if isinstance(value, Fault):
        raise Invalid(f"the secret {value.message}", reason="InvalidValues", field=field)
    return value
