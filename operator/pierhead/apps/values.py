"""Helm values: read from YAML and merged.

Invariant: text is read as Helm's own parser reads it (YAML 1.1 booleans, no timestamps), and merging
follows `helm install -f a -f b --set-json`: mappings merge key by key, anything else is replaced, and a
null removes what was there before when the chart is rendered. Source: Helm, "Values Files".
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.apps.documents import DocumentError, load
from pierhead.engine.outcome import Invalid

LARGEST = 1_048_576
"""Characters of one values file: what a release's Secret could hold."""


def parse(text: str, *, field: str) -> dict[str, Any]:
    """The mapping in a YAML text; an empty text is an empty mapping.

    Raises Invalid, naming `field` and never the text: values may hold secrets.
    """
    if len(text) > LARGEST:
        raise Invalid(
            f"values of {len(text)} characters; at most {LARGEST} are read",
            reason="InvalidValues",
            field=field,
        )
    try:
        document = load(text)
    except DocumentError as error:
        raise Invalid(str(error), reason="InvalidValues", field=field) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        found = {list: "a list", str: "text", int: "a number", float: "a number", bool: "a boolean"}
        raise Invalid(
            f"values must be a mapping, and this is {found.get(type(document), 'something else')}",
            reason="InvalidValues",
            field=field,
        )
    return {_key(key, field): _plain(value, field) for key, value in document.items()}


def _plain(value: Any, field: str) -> Any:
    """The value as JSON has it. YAML's sets, binaries and numbers without a value have no place there."""
    if isinstance(value, dict):
        return {_key(key, field): _plain(item, field) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, field) for item in value]
    if (
        value is None
        or isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    raise Invalid("holds something that JSON has no form for", reason="InvalidValues", field=field)


def _key(key: Any, field: str) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    raise Invalid("has a key that is not text", reason="InvalidValues", field=field)


def merge(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers in one, later ones winning."""
    merged: dict[str, Any] = {}
    for layer in layers:
        _merge_into(merged, layer)
    return merged


def _merge_into(target: dict[str, Any], layer: Mapping[str, Any]) -> None:
    for key, value in layer.items():
        current = target.get(key)
        if isinstance(value, Mapping):
            base = dict(current) if isinstance(current, Mapping) else {}
            _merge_into(base, value)
            target[key] = base
        else:
            target[key] = value
