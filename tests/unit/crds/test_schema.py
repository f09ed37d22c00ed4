from datetime import timedelta
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints, create_model

from pierhead.crds.schema import SchemaError, structural
from pierhead.model import DNSLabel, FreeForm, KubernetesObject, ListMap, ListSet, Model, exactly_one

Short = Annotated[str, StringConstraints(max_length=5)]


class Leaf(Model):
    """The leaf's own words."""

    name: Short
    """Its name."""


class Tree(Model):
    """A tree."""

    children: "list[Tree] | None" = None
    """Smaller trees."""


TABLE: list[tuple[str, Any, dict[str, Any]]] = [
    ("text", Short, {"type": "string", "maxLength": 5}),
    ("integer has a format", int, {"type": "integer", "format": "int64"}),
    (
        "exclusive bounds of integers become inclusive ones",
        Annotated[int, Field(gt=1, lt=9)],
        {"type": "integer", "format": "int64", "minimum": 2, "maximum": 8},
    ),
    (
        "exclusive bounds of numbers are OpenAPI 3.0's",
        Annotated[float, Field(gt=1)],
        {"type": "number", "minimum": 1, "exclusiveMinimum": True},
    ),
    ("optional is only not required", Short | None, {"type": "string", "maxLength": 5}),
    ("literal", Literal["A", "B"], {"type": "string", "enum": ["A", "B"]}),
    ("literal of one", Literal["A"], {"type": "string", "enum": ["A"]}),
    (
        "integer or text",
        int | Short,
        {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "maxLength": 5,
        },
    ),
    ("anything", Any, {"x-kubernetes-preserve-unknown-fields": True}),
    ("free form", FreeForm, {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
    (
        "whole object",
        KubernetesObject,
        {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
    ),
    (
        "mapping",
        Annotated[dict[str, int], Field(max_length=3)],
        {
            "type": "object",
            "maxProperties": 3,
            "additionalProperties": {"type": "integer", "format": "int64"},
        },
    ),
    (
        "list annotated after its bound was hidden",
        Annotated[tuple[Short, ...], ListSet(), Field(max_length=3)],
        {
            "type": "array",
            "maxItems": 3,
            "items": {"type": "string", "maxLength": 5},
            "x-kubernetes-list-type": "set",
        },
    ),
    (
        "list of named entries",
        Annotated[list[Leaf], Field(max_length=2), ListMap("name")],
        {
            "type": "array",
            "maxItems": 2,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "description": "The leaf's own words.",
                "required": ["name"],
                "properties": {"name": {"type": "string", "maxLength": 5, "description": "Its name."}},
            },
        },
    ),
]


@pytest.mark.parametrize(
    ("annotation", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_each_shape_becomes(annotation: Any, expected: dict[str, Any]) -> None:
    model = create_model("Holder", __base__=Model, field=(annotation, None))

    assert structural(model) == {"type": "object", "properties": {"field": expected}}


def test_keys_with_a_pattern_become_rules_over_the_keys() -> None:
    model = create_model("Holder", __base__=Model, field=(dict[DNSLabel, Short], ...))

    rules = structural(model)["properties"]["field"]["x-kubernetes-validations"]

    assert [rule["rule"] for rule in rules] == [
        'self.all(key, key.matches("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))',
        "self.all(key, size(key) >= 1)",
        "self.all(key, size(key) <= 63)",
    ]


def test_a_fields_docstring_wins_over_its_models() -> None:
    class Holder(Model):
        leaf: Leaf
        """What this leaf is
        for."""

    assert structural(Holder)["properties"]["leaf"]["description"] == "What this leaf is for."


def test_rules_are_validations_of_their_model_wherever_it_is_used() -> None:
    class Choice(Model):
        __rules__ = (exactly_one("left", "goRight"),)

        left: bool | None = None
        go_right: bool | None = None

    class Holder(Model):
        choices: list[Choice]

    assert structural(Holder)["properties"]["choices"]["items"]["x-kubernetes-validations"] == [
        {
            "rule": "[has(self.left), has(self.goRight)].filter(given, given).size() == 1",
            "message": "exactly one of left, goRight must be given",
        }
    ]


def test_a_model_inside_itself_is_kept_as_written_below_its_first_level() -> None:
    tree = structural(Tree)

    assert tree["properties"]["children"]["items"] == {
        "type": "object",
        "description": "A tree.",
        "x-kubernetes-preserve-unknown-fields": True,
    }


@pytest.mark.parametrize(
    ("annotation", "way_out"),
    [
        (Leaf | Tree, "exactly_one"),
        (tuple[int, str], "named fields"),
        (set[str], "ListSet"),
        (Literal["A", 1], "one type"),
        (timedelta, "use Duration"),
    ],
)
def test_what_a_schema_cannot_say_is_refused_with_the_path_and_the_way_out(
    annotation: Any, way_out: str
) -> None:
    model = create_model("Holder", __base__=Model, field=(annotation, ...))

    with pytest.raises(SchemaError, match=rf"Holder\.field: .*{way_out}"):
        structural(model)
