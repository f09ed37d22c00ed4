"""Encoded values: what each way takes, and that a fault never has the value."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.model.sources import Decode
from pierhead.secrets.reading.decoding import decoded


@pytest.mark.parametrize(
    ("how", "value", "plain"),
    [
        (None, b"eA==", b"eA=="),
        ("None", b"eA==", b"eA=="),
        ("Base64", b"eA==", b"x"),
        ("Base64", b"", b""),
        ("Base64", b"aGVs\nbG8=\n", b"hello"),
        ("Base64", b"//79", b"\xff\xfe\xfd"),
        ("Base64URL", b"__79", b"\xff\xfe\xfd"),
        ("Base64URL", b"eA", b"x"),
        ("Base64URL", b"eA==", b"x"),
        ("Base64URL", b"eHg", b"xx"),
        ("Auto", b"//79", b"\xff\xfe\xfd"),
        ("Auto", b"__79", b"\xff\xfe\xfd"),
        ("Auto", b"eA==\n", b"x"),
        ("Auto", b"password", base64.b64decode("password")),
        ("Auto", b"eA", b"eA"),
        ("Auto", b"pass word!", b"pass word!"),
        ("Auto", b"_/79", b"_/79"),
        ("Auto", b"", b""),
        ("Auto", b"\xff\xfe", b"\xff\xfe"),
    ],
)
def test_each_way_takes_what_it_says(how: Decode | None, value: bytes, plain: bytes) -> None:
    assert decoded(value, how) == plain


@pytest.mark.parametrize(
    ("how", "value"),
    [
        ("Base64", b"hunter2"),
        ("Base64", b"eA"),
        ("Base64", b"eA==eA=="),
        ("Base64", b"__79"),
        ("Base64", b"hunter2\xff="),
        ("Base64URL", b"//79"),
        ("Base64URL", b"hunte"),
        ("Base64URL", b"eA="),
    ],
)
def test_what_is_not_encoded_is_a_fault_without_the_value(how: Decode, value: bytes) -> None:
    fault = decoded(value, how)

    assert isinstance(fault, Fault)
    assert fault.reason == "NotBase64"
    assert "hunte" not in repr(fault)


@given(st.binary(max_size=64))
def test_what_was_encoded_comes_back(value: bytes) -> None:
    standard, url = base64.b64encode(value), base64.urlsafe_b64encode(value)

    assert decoded(standard, "Base64") == value
    assert decoded(url, "Base64URL") == decoded(url.rstrip(b"="), "Base64URL") == value
    assert decoded(standard, "Auto") == decoded(url, "Auto") == value


@given(st.binary(max_size=32), st.sampled_from(["None", "Base64", "Base64URL", "Auto"]))
def test_any_bytes_are_decoded_or_a_fault_and_never_an_exception(value: bytes, how: Decode) -> None:
    decoded(value, how)
