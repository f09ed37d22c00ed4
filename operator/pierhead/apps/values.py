"""Helm values: read from YAML and merged.

Invariant: text is read as Helm's own parser reads it (YAML 1.1 booleans, no timestamps), and merging
follows `helm install -f a -f b --set-json`: mappings merge key by key, anything else is replaced, and a
null removes what was there before when the chart is rendered. Source: Helm, "Values Files".
"""

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from pierhead.engine.outcome import Invalid

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


class _Loader(yaml.CSafeLoader):
    """PyYAML's safe loader without dates: `2024-01-01` in a values file is a string to Helm."""


# PyYAML keeps its resolvers on the class, by the first character of a scalar.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _TIMESTAMP]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def parse(text: str, *, field: str) -> dict[str, Any]:
    """The mapping in a YAML text; an empty text is an empty mapping.

    Raises Invalid, naming `field` and never the text: values may hold secrets.
    """
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise Invalid(f"not YAML: {error.problem}{where}", reason="InvalidValues", field=field) from None
    except yaml.YAMLError:
        raise Invalid(
            "not YAML: it has characters YAML forbids", reason="InvalidValues", field=field
        ) from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        found = {list: "a list", str: "text", int: "a number", float: "a number", bool: "a boolean"}
        raise Invalid(
            f"values must be a mapping, and this is {found.get(type(document), 'something else')}",
            reason="InvalidValues",
            field=field,
        )
    return {str(key): value for key, value in document.items()}


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
