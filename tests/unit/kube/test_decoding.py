import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.kube.decoding import THREAD_BYTES, decode, decode_stepwise

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


async def test_what_is_nested_too_deep_ends_nothing():
    deep = '{"a":' * 5_000 + "1" + "}" * 5_000
    body = f'{{"items":[{deep},{{"kind":"Fine"}}]}}'.encode()
    for padding in (b"", b" " * THREAD_BYTES):
        _, fine = (await decode(body + padding))["items"]
        assert fine == {"kind": "Fine"}
