"""JSON Schema as pydantic writes it, to structural OpenAPI v3 as a CRD takes it.

Invariant: the answer says no less and no more than the model: what a structural schema cannot say is a
`SchemaError` here, never a field that is checked on one side only. It holds no default, no `$ref` and no
`null`. Source: Kubernetes' "Specifying a structural schema" and "Validation rules".
"""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_VALIDATIONS = "x-kubernetes-validations"

_KEPT = frozenset(
    {"description", "enum", "maximum", "minimum", "multipleOf", "pattern", "required", "type"}
    | {"maxItems", "maxLength", "maxProperties", "minItems", "minLength", "minProperties"}
)
_FORMATS = {
    name: name
    for name in ("byte", "date", "date-time", "double", "int32", "int64", "ipv4", "ipv6", "uri", "uuid")
} | {"ipv4network": "cidr", "ipv6network": "cidr"}
_LENGTHS = {"array": "Items", "object": "Properties"}


class SchemaError(Exception):
    """A model says what a structural schema cannot; the message has the field's path and the way out."""


def structural(model: type[BaseModel]) -> Schema:
    """The model as a structural schema.

    Raises SchemaError.
    """
    document = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(document.get("$defs", {})).convert(document, model.__name__, ())


class _Converter:
    """One document's conversion; `active` is the chain of definitions being inlined."""

    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        schema = {key: value for key, value in schema.items() if key not in {"$defs", "default"}}
        if "$ref" in schema:
            return self._reference(schema, path, active)
        if "allOf" in schema:
            return self._everything_of(schema, path, active)
        if "anyOf" in schema or "oneOf" in schema:
            return self._one_of(schema, path, active)
        if "const" in schema:
            schema["enum"] = [schema.pop("const")]
        return self._single(schema, path, active)

    def _single(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        kept = {
            key: value for key, value in schema.items() if key in _KEPT or key.startswith("x-kubernetes-")
        }
        if "description" in kept:
            kept["description"] = " ".join(kept["description"].split())
        match schema.get("type"):
            case "object":
                more = self._object(schema, path, active)
            case "array":
                more = self._array(schema, path, active)
            case "integer" | "number":
                more = _bounds(schema)
            case "string" | "boolean":
                more = {}
            case None if "enum" not in kept:
                more = {_PRESERVE: True}
            case other:
                raise SchemaError(f"{path}: type {other} cannot be said; give every value one type")
        if schema.get("type") in _LENGTHS:
            kept = {key: value for key, value in kept.items() if key not in {"minLength", "maxLength"}}
        return kept | _format(schema, path) | more

    def _reference(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        siblings = dict(schema)
        name = siblings.pop("$ref").rsplit("/", 1)[-1]
        if name in active:
            definition = {"type": "object", _PRESERVE: True}
            if "description" in self._definitions[name]:
                definition["description"] = self._definitions[name]["description"]
        else:
            definition = self._definitions[name]
        return self.convert({**definition, **siblings}, path, (*active, name))

    def _everything_of(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        siblings = dict(schema)
        parts = siblings.pop("allOf")
        if len(parts) != 1:
            raise SchemaError(f"{path}: allOf of several schemas cannot be said; make it one model")
        return self.convert({**parts[0], **siblings}, path, active)

    def _one_of(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        siblings = {
            key: value for key, value in schema.items() if key not in {"anyOf", "oneOf", "discriminator"}
        }
        variants = [
            variant
            for variant in (*schema.get("anyOf", ()), *schema.get("oneOf", ()))
            if variant.get("type") != "null"
        ]
        if len(variants) == 1:
            return self.convert({**variants[0], **siblings}, path, active)
        types = {variant.get("type") for variant in variants}
        if types == {"integer", "string"} and len(variants) == len(types):
            return self._int_or_string(variants, siblings, path, active)
        raise SchemaError(
            f"{path}: a union cannot be said; give each variant an optional field and a rule exactly_one"
        )

    def _int_or_string(
        self, variants: list[Schema], siblings: Schema, path: str, active: tuple[str, ...]
    ) -> Schema:
        limits = [self.convert(variant, path, active) for variant in variants]
        both = {
            key: value for limit in limits for key, value in limit.items() if key not in {"type", "format"}
        }
        outer = self.convert({**siblings, "type": "string"}, path, active)
        del outer["type"]
        return {
            **both,
            **outer,
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
        }

    def _object(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        result = _lengths(schema)
        additional = schema.get("additionalProperties")
        patterns = schema.get("patternProperties", {})
        if "properties" in schema:
            result["properties"] = {
                name: self.convert(value, f"{path}.{name}", active)
                for name, value in schema["properties"].items()
            }
            if additional not in (False, None):
                result[_PRESERVE] = True
            return result
        if len(patterns) > 1:
            raise SchemaError(f"{path}: keys of several patterns cannot be said; make it several fields")
        keys = dict(schema.get("propertyNames", {}))
        for pattern, value in patterns.items():
            keys["pattern"], additional = pattern, value
        if isinstance(additional, dict) and additional:
            result["additionalProperties"] = self.convert(additional, f"{path}.*", active)
        elif additional is not False:
            result[_PRESERVE] = True
        rules = schema.get(_VALIDATIONS, []) + _key_rules(keys)
        return result | ({_VALIDATIONS: rules} if rules else {})

    def _array(self, schema: Schema, path: str, active: tuple[str, ...]) -> Schema:
        if "prefixItems" in schema:
            raise SchemaError(
                f"{path}: a tuple of fixed places cannot be said; use a model with named fields"
            )
        if schema.get("uniqueItems"):
            raise SchemaError(f"{path}: a set hides repeated entries; use a list annotated ListSet()")
        result = _lengths(schema)
        result["items"] = self.convert(schema.get("items", {}), f"{path}[]", active)
        return result


def _format(schema: Schema, path: str) -> Schema:
    name = schema.get("format")
    if name == "duration":
        raise SchemaError(f"{path}: pydantic's durations are ISO 8601, Kubernetes' are Go's; use Duration")
    if name in _FORMATS:
        return {"format": _FORMATS[name]}
    return {"format": "int64"} if schema.get("type") == "integer" else {}


def _bounds(schema: Schema) -> Schema:
    """The exclusive bounds of JSON Schema 2020, as those of OpenAPI 3.0."""
    result: Schema = {}
    for name, step in (("minimum", 1), ("maximum", -1)):
        exclusive = schema.get(f"exclusive{name.capitalize()}")
        if exclusive is None:
            continue
        if schema["type"] == "integer":
            result[name] = exclusive + step
        else:
            result |= {name: exclusive, f"exclusive{name.capitalize()}": True}
    return result


def _lengths(schema: Schema) -> Schema:
    """Length bounds that pydantic wrote as a string's, because an annotation hid what they bound."""
    unit = _LENGTHS[schema["type"]]
    return {f"{end}{unit}": schema[f"{end}Length"] for end in ("min", "max") if f"{end}Length" in schema}


def _key_rules(keys: Schema) -> list[dict[str, str]]:
    rules = []
    if "pattern" in keys:
        pattern = json.dumps(keys["pattern"])
        rules.append(
            {
                "rule": f"self.all(key, key.matches({pattern}))",
                "message": f"keys must match {keys['pattern']}",
            }
        )
    if "minLength" in keys:
        rules.append(
            {
                "rule": f"self.all(key, size(key) >= {keys['minLength']})",
                "message": f"keys must have at least {keys['minLength']} characters",
            }
        )
    if "maxLength" in keys:
        rules.append(
            {
                "rule": f"self.all(key, size(key) <= {keys['maxLength']})",
                "message": f"keys must have at most {keys['maxLength']} characters",
            }
        )
    if "enum" in keys:
        words = ", ".join(json.dumps(word) for word in keys["enum"])
        rules.append({"rule": f"self.all(key, key in [{words}])", "message": f"keys must be one of {words}"})
    return rules
