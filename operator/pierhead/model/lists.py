"""Lists whose entries have an identity, for the schema and for Python.

Invariant: an annotated list never holds two entries of the same identity.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pierhead.model.base import Model


@dataclass(frozen=True, slots=True)
class ListMap:
    """Annotates a list of models in which these fields, named as in YAML, tell the entries apart.

    The schema's `x-kubernetes-list-type: map`: two entries with the same keys are refused. Keys must be
    required fields.
    """

    keys: tuple[str, ...]

    def __init__(self, *keys: str) -> None:
        object.__setattr__(self, "keys", keys)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._unique, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(self.keys)}
        return {**handler(core), **keys}

    def _unique(self, entries: Any) -> Any:
        def identity(entry: Model) -> Hashable:
            names = {info.alias or name: name for name, info in type(entry).model_fields.items()}
            return tuple(getattr(entry, names[key]) for key in self.keys)

        _refuse_duplicates([identity(entry) for entry in entries], " and ".join(self.keys))
        return entries


@dataclass(frozen=True, slots=True)
class ListSet:
    """Annotates a list of scalars that differ: the schema's `x-kubernetes-list-type: set`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._unique, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "x-kubernetes-list-type": "set"}

    def _unique(self, entries: Any) -> Any:
        _refuse_duplicates(list(entries), "value")
        return entries


def _refuse_duplicates(identities: list[Hashable], what: str) -> None:
    first: dict[Hashable, int] = {}
    for index, identity in enumerate(identities):
        if first.setdefault(identity, index) != index:
            raise ValueError(f"entries {first[identity]} and {index} have the same {what}")
