import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.decoding import DEEPEST, THREAD_BYTES, decode, decode_stepwise, loads, shallow

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12
)


@given(values, st.sampled_from([None, 1]), st.booleans())
def test_stepwise_is_the_same_as_at_once(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    try:
        body = f" {text}\n".encode()
    except UnicodeEncodeError:
        return
    assert decode_stepwise(body) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"a"', b'{"a":', b'{"a":[', b'{"a":[1', b'{"a":[1,]}', b'{"a":1}x', b'{"a":1,}', b"nope"],
)
def test_what_is_cut_short_is_an_error(body):
    with pytest.raises(ValueError):  # noqa: PT011
        decode_stepwise(body)


async def test_small_and_big_answers_decode_alike():
    big = {"kind": "List", "items": [{"text": "x" * 1000}] * 400}
    body = json.dumps(big).encode()
    assert len(body) > THREAD_BYTES
    assert await decode(body) == big
    assert await decode(b'{"a":1}') == {"a": 1}


def nested(levels: int) -> str:
    """Objects and arrays in turn, with a text that looks like nesting and a sibling after each level."""
    return r'{"a":["]}\"[{",' * (levels // 2) + "1" + '],"b":[{}]}' * (levels // 2)


@pytest.mark.parametrize("levels", [2_000, 9_900])
async def test_what_is_nested_too_deep_is_left_out_and_the_rest_is_there(levels):
    body = f'{{"items":[{nested(levels)},{{"kind":"Fine"}}]}}'
    for decoded in (
        loads(body),
        await decode(body.encode()),
        await decode(body.encode() + b" " * THREAD_BYTES),
    ):
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
