"""The base of every model, and how a stored object becomes one.

Invariant: what the API server refuses the model refuses, and the other way round: an unknown field, a
wrong type, a broken rule. A null is a field that is not given: the API server drops it before it stores.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema, to_json

from pierhead.engine.outcome import Invalid
from pierhead.model.rules import Rule

_ERRORS_SHOWN = 10


class Model(BaseModel):
    """A part of a custom resource: snake_case in Python, camelCase in YAML, nothing unknown."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    __rules__: ClassVar[tuple[Rule, ...]] = ()

    def given(self) -> frozenset[str]:
        """The fields, named as in YAML, for which CEL's `has(self.name)` is true."""
        fields = type(self).model_fields
        return frozenset(
            fields[name].alias or name for name in self.model_fields_set if getattr(self, name) is not None
        )

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = [rule.message for rule in self.__rules__ if rule.holds is not None and not rule.holds(self)]
        if broken:
            raise ValueError("; ".join(broken))
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        if cls.__rules__:
            handler.resolve_ref_schema(schema)["x-kubernetes-validations"] = [
                {"rule": rule.expression, "message": rule.message} for rule in cls.__rules__
            ]
        return schema


ModelT = TypeVar("ModelT", bound=Model)


def parse(model: type[ModelT], value: Mapping[str, Any], path: str = "spec") -> ModelT:
    """The stored JSON `value` as a model, judged as the API server judges it.

    Raises Invalid whose `field` is the path of the first fault, such as `spec.data[2].from.property`; its
    message says every fault, and repeats nothing of what was written there.
    """
    try:
        return model.model_validate_json(to_json(value), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        faults = [
            (_field_path(path, fault["loc"]), _fault_text(fault))
            for fault in error.errors(include_url=False, include_input=False)
        ]
    (first, message), *others = faults
    shown = [f"{name}: {text}" for name, text in others[: _ERRORS_SHOWN - 1]]
    hidden = len(faults) - 1 - len(shown)
    if hidden:
        shown.append(f"and {hidden} more")
    raise Invalid("; ".join([message, *shown]), field=first)


def _field_path(path: str, location: Iterable[str | int]) -> str:
    for step in location:
        if step == "[key]":
            # pydantic's word for a fault in the key itself, whose name was the step before.
            continue
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


def _fault_text(fault: Mapping[str, Any]) -> str:
    if fault["type"] == "value_error":
        return str(fault["ctx"]["error"])
    known = {"extra_forbidden": "there is no such field", "missing": "is required"}
    return known.get(fault["type"]) or str(fault["msg"])
