"""The one order in which the layers of Helm values are merged. Pure.

Invariant: later ones win: `valuesFiles`, entries of `valuesFrom` without a `targetPath`, `values`, entries
with one; within each as they are written.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.apps.inputs.values import merge, parse, parse_any, set_at
from pierhead.apps.model.rendering import Helm
from pierhead.apps.model.values import ValuesReference


class Layering:
    """The layers of one AppRelease, as they are read; each is judged when it is added."""

    def __init__(self) -> None:
        self._layers: list[Mapping[str, Any]] = []
        self._at_paths: list[tuple[str, Any, str]] = []

    def add_file(self, text: str, *, field: str) -> None:
        """Takes a file of `valuesFiles`. Raises Invalid, naming `field`."""
        self._layers.append(parse(text, field=field))

    def add_entry(self, reference: ValuesReference, text: str, *, index: int, field: str) -> Any:
        """Takes the text that an entry of `valuesFrom` leads to, and gives the value that it holds.

        `index` is the entry's place, `field` says where the text is. Raises Invalid, naming `field`.
        """
        target = reference.target_path
        if target is None:
            value: Any = parse(text, field=field)
            self._layers.append(value)
            return value
        value = parse_any(text, field=field) if reference.format == "YAML" else text
        self._at_paths.append((target, value, f"spec.helm.valuesFrom[{index}].targetPath"))
        return value

    def merged(self, helm: Helm | None) -> dict[str, Any]:
        """All layers in one. Raises Invalid for a path that cannot be set."""
        values = merge([*self._layers, (helm.values if helm else None) or {}])
        for target, value, field in self._at_paths:
            values = set_at(values, target, value, field=field)
        return values
