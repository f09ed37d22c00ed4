from typing import Any

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from jsonschema import Draft4Validator

from crd_models import Shape, as_json, models
from pierhead.crds.schema import structural
from pierhead.engine.outcome import Invalid
from pierhead.model import parse

# A loaded machine is no fault of the converter.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ALLOWED = {
    *("type", "description", "enum", "pattern", "format", "required", "properties", "items"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *(
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "additionalProperties",
        "anyOf",
    ),
}


def departures(schema: dict[str, Any], path: str = "") -> list[str]:
    """Where a schema is not structural, by the rules of the Kubernetes documentation."""
    preserves = schema.get("x-kubernetes-preserve-unknown-fields") is True
    int_or_string = schema.get("x-kubernetes-int-or-string") is True
    found = [f"{path}: {key}" for key in schema if key not in ALLOWED and not key.startswith("x-kubernetes-")]
    if "type" not in schema and not preserves and not int_or_string:
        found.append(f"{path}: no type")
    if "anyOf" in schema and not int_or_string:
        found.append(f"{path}: anyOf outside of int-or-string")
    if "properties" in schema and "additionalProperties" in schema:
        found.append(f"{path}: properties and additionalProperties")
    if isinstance(schema.get("additionalProperties"), bool):
        found.append(f"{path}: additionalProperties is no schema")
    if schema.get("type") == "array" and "items" not in schema:
        found.append(f"{path}: no items")
    required = schema.get("items", {}).get("required", [])
    found += [
        f"{path}: list key {key} is not required"
        for key in schema.get("x-kubernetes-list-map-keys", ())
        if key not in required
    ]
    children = dict(schema.get("properties", {}))
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            children[key] = schema[key]
    for name, child in children.items():
        found += departures(child, f"{path}.{name}")
    return found


@settings(PATIENT, max_examples=40)
@given(shape=models())
def test_every_model_becomes_one_structural_schema(shape: Shape) -> None:
    schema = structural(shape.annotation)

    note(as_json(schema))
    assert departures(schema) == []
    assert structural(shape.annotation) == schema


@settings(PATIENT, max_examples=80)
@given(data=st.data())
def test_what_the_model_takes_the_schema_takes(data: st.DataObject) -> None:
    shape = data.draw(models())
    value = data.draw(shape.values)
    try:
        parse(shape.annotation, value)
    except Invalid:
        return

    schema = structural(shape.annotation)

    note(as_json(schema))
    Draft4Validator(schema).validate(value)
