"""A document of any depth is decoded, and what is too deep of it left out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.nesting import DEEPEST, loads, shallow, shallow_line

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


def nested(levels: int) -> str:
    """Objects and arrays in turn, with a text that looks like nesting and a sibling after each level."""
    return r'{"a":["]}\"[{",' * (levels // 2) + "1" + '],"b":[{}]}' * (levels // 2)


@pytest.mark.parametrize("levels", [2_000, 9_900])
def test_what_is_nested_too_deep_is_left_out_and_the_rest_is_there(levels):
    body = f'{{"items":[{nested(levels)},{{"kind":"Fine"}}]}}'
    for decoded in (loads(body), loads(body.encode()), json.loads(shallow_line(body.encode()))):
        deep, fine = decoded["items"]
        assert fine == {"kind": "Fine"}
        assert deep["b"] == [{}]
        assert deep["a"][0] == ']}"[{'
        depth, current = 0, deep
        while isinstance(current, dict):
            current, depth = current["a"][1], depth + 2
        assert current is None
        assert DEEPEST - 4 <= depth <= DEEPEST


def test_what_is_deep_and_broken_is_an_error():
    for body in ('{"a":' * 5_000, '{"a":' * 5_000 + "1" + "}" * 4_999, "[" * 5_000 + "]" * 5_001):
        with pytest.raises(ValueError):  # noqa: PT011
            loads(body)


@given(values)
def test_what_is_shallow_is_not_changed(value):
    text = json.dumps(value)
    assert shallow(text) == text


def test_a_line_that_cannot_be_deep_is_not_looked_at():
    line = b'{"not": "json' + b"[" * (DEEPEST - 1)
    assert shallow_line(line) is line
