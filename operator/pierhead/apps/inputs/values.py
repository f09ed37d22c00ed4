"""Helm values: read from YAML, merged, and set at a path.

Invariant: text is read as Helm's own parser reads it (YAML 1.1 booleans, no timestamps), and merging
follows `helm install -f a -f b --set-json`: mappings merge key by key, anything else is replaced, and a
null removes what was there before when the chart is rendered. Source: Helm, "Values Files". Nothing is
changed in place, and no error quotes a value.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.apps.inputs.documents import DocumentError, load
from pierhead.engine.outcome import Invalid

LARGEST = 1_048_576
"""Characters of one values file: what a release's Secret could hold."""


_STEP = re.compile(r"(?:^|\.)((?:\\[.]|[^.\[\\])+)|\[([0-9]+)\]")


def parse(text: str, *, field: str) -> dict[str, Any]:
    """The mapping in a YAML text; an empty text is an empty mapping.

    Raises Invalid, naming `field` and never the text: values may hold secrets.
    """
    document = parse_any(text, field=field)
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise Invalid(
            f"values must be a mapping, and this is {_called(document)}", reason="InvalidValues", field=field
        )
    return document


def parse_any(text: str, *, field: str) -> Any:
    """Whatever a YAML text holds; None for an empty one. Raises Invalid as `parse` does."""
    if len(text) > LARGEST:
        raise Invalid(
            f"values of {len(text)} characters; at most {LARGEST} are read",
            reason="InvalidValues",
            field=field,
        )
    try:
        return _plain(load(text), field)
    except DocumentError as error:
        raise Invalid(str(error), reason="InvalidValues", field=field) from None


def _called(value: Any) -> str:
    found = {
        list: "a list",
        dict: "a mapping",
        str: "text",
        int: "a number",
        float: "a number",
        bool: "a boolean",
    }
    return found.get(type(value), "something else")


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


def set_at(values: Mapping[str, Any], path: str, value: Any, *, field: str) -> dict[str, Any]:
    """The values with one more at a path such as `a.b[0].c`, merged over what is there.

    Lists grow to the place that is named, with nulls. Raises Invalid, naming `field`, where the path leads
    through a list as if it were a mapping or the other way round, or through a text or number.
    """
    changed: dict[str, Any] = _with(values, _steps(path), value, field)
    return changed


def _steps(path: str) -> list[str | int]:
    return [
        int(index) if index else name.replace("\\.", ".")
        for name, index in (match.groups(default="") for match in _STEP.finditer(path))
    ]


def _with(node: Any, steps: list[str | int], value: Any, field: str) -> Any:
    if not steps:
        return merge([{"": node}, {"": value}])[""]
    step, rest = steps[0], steps[1:]
    wanted = list if isinstance(step, int) else Mapping
    if node is not None and not isinstance(node, wanted):
        raise Invalid(
            f"leads to {step!r} in {_called(node)} that other values have there",
            reason="InvalidValues",
            field=field,
        )
    if isinstance(step, int):
        items = list(node or ())
        items += [None] * (step + 1 - len(items))
        items[step] = _with(items[step], rest, value, field)
        return items
    changed = dict(node or {})
    changed[step] = _with(changed.get(step), rest, value, field)
    return changed
