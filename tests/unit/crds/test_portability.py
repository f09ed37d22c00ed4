from typing import Any

import pytest

from pierhead.crds.kinds import RESOURCES
from pierhead.crds.portability import problems
from pierhead.crds.schema import structural
from pierhead.model import CustomResource


@pytest.mark.parametrize(
    ("schema", "found"),
    [
        ({"type": "string", "maxLength": 5}, []),
        ({"type": "string"}, ["spec: give the text a max_length"]),
        ({"type": "string", "enum": ["A"]}, []),
        ({"type": "string", "format": "date-time"}, []),
        ({"x-kubernetes-int-or-string": True}, ["spec: give the text a max_length"]),
        ({"type": "array", "items": {"type": "boolean"}}, ["spec: give the list a max_length"]),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            ["spec: give the mapping a max_length", "spec.*: give the text a max_length"],
        ),
        (
            {
                "type": "object",
                "properties": {"a": {"type": "array", "maxItems": 1, "items": {"type": "string"}}},
            },
            ["spec.a[]: give the text a max_length"],
        ),
        (
            {"type": "string", "maxLength": 5, "pattern": r"^\d+$"},
            [r"spec: pattern has '\\d', which Go reads otherwise; write the characters out"],
        ),
        ({"type": "string", "maxLength": 5, "pattern": r"^\\d+$"}, []),
        (
            {"type": "string", "maxLength": 5, "pattern": "^[a&&b]$"},
            ["spec: pattern has '&&', which Go reads otherwise; write the characters out"],
        ),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, []),
    ],
)
def test_open_ends_are_found(schema: dict[str, Any], found: list[str]) -> None:
    assert list(problems(schema)) == found


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_no_spec_of_ours_has_an_open_end(resource: CustomResource[Any]) -> None:
    assert list(problems(structural(resource.spec))) == []
