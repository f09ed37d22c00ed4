"""From answers to keys: what each line of a spec gives, and which lines fail, with which words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.reading.references import Reference, references
from pierhead.secrets.reading.sources import SECRET_LIMIT, collect
from support.secret_specs import (
    DENIED,
    GONE,
    entry,
    extract,
    parameter_entry,
    parameters_of,
    sources_of,
    spec_of,
)

CANARY = "hunter2"


@pytest.mark.parametrize(
    ("line", "answer", "value"),
    [
        (entry("K"), "text", b"text"),
        (entry("K"), "é\0", "é\0".encode()),
        (entry("K"), b"\xff\x00", b"\xff\x00"),
        (entry("K"), b"", b""),
        (entry("K", property="a"), '{"a": "x"}', b"x"),
        (entry("K", property="a.b.1"), '{"a": {"b": [0, 1.10]}}', b"1.10"),
        (entry("K", property="a.b"), '{"a.b": "literal", "a": {"b": "path"}}', b"literal"),
        (entry("K", property="a"), '{"a": {"n": 12345678901234567890}}', b'{"n":12345678901234567890}'),
        (entry("K", property="a"), b'{"a": "x"}', b"x"),
        (entry("K", property="a"), '{"a": ""}', b""),
    ],
)
def test_a_line_of_data_gives_its_key(line: dict[str, Any], answer: str | bytes, value: bytes) -> None:
    (source,) = sources_of(spec_of(data=[line]), shop__db=answer)

    assert source.fault is None
    assert source.values == {"K": value}
    assert source.version_id == "v1-shop/db"


@pytest.mark.parametrize(
    ("line", "answer", "reason", "absent"),
    [
        (entry("K"), GONE, "SecretNotFound", True),
        (entry("K"), DENIED, "AccessDenied", False),
        (entry("K"), f"{CANARY}\ud800", "NotText", False),
        (entry("K", property="a"), f'{{"b": "{CANARY}"}}', "PropertyNotFound", True),
        (entry("K", property="a"), f"{CANARY}", "NotJSON", False),
        (entry("K", property="a"), f'["{CANARY}"]', "PropertyNotFound", True),
        (entry("K", property="a"), '{"a": null}', "NullValue", False),
        (entry("K", property="a"), b"\xff" + CANARY.encode(), "NotText", False),
        (entry("K", property="a"), '{"a": "hunter2\\ud800"}', "NotText", False),
    ],
)
def test_a_line_of_data_that_fails_says_why_and_never_what(
    line: dict[str, Any], answer: str | bytes | Fault, reason: str, absent: bool
) -> None:
    (source,) = sources_of(spec_of(data=[line]), shop__db=answer)

    assert source.fault is not None
    assert (source.fault.reason, source.absent, source.values) == (reason, absent, {})
    assert CANARY not in repr(source)


def test_extract_takes_every_key() -> None:
    spec = spec_of(dataFrom=[extract(), extract("shop/more", format="dotenv")])
    first, second = sources_of(spec, shop__env='{"A": 1.0, "B": {"c": []}}', shop__more="C=3\nD='4'")

    assert first.values == {"A": b"1.0", "B": b'{"c":[]}'}
    assert second.values == {"C": b"3", "D": b"4"}
    assert second.label == "spec.dataFrom[1] (shop/more)"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (GONE, "SecretNotFound", "does not exist"),
        (f'{{"A B": "{CANARY}"}}', "BadKey", "'A B'"),
        (f'{{"": "{CANARY}"}}', "BadKey", "''"),
        (f'{{"..": "{CANARY}"}}', "BadKey", "'..'"),
        (f'{{"..A": "{CANARY}"}}', "BadKey", "'..A'"),
        (f'{{"schlüssel": "{CANARY}"}}', "BadKey", "schlüssel"),
        ('{"%s": 1}' % ("k" * 254), "BadKey", "kkk…"),
        ('{"A": null}', "NullValue", "'A' is null"),
        (f"{CANARY}", "NotJSON", "line 1"),
    ],
)
def test_extract_fails_as_a_whole(answer: str | Fault, reason: str, words: str) -> None:
    (source,) = sources_of(spec_of(dataFrom=[extract()]), shop__env=answer)

    assert source.fault is not None
    assert source.fault.reason == reason
    assert words in source.fault.message
    assert source.values == {}
    assert CANARY not in repr(source)


@given(st.text(max_size=12))
def test_exactly_the_keys_that_kubernetes_takes_are_taken(name: str) -> None:
    import json

    (source,) = sources_of(spec_of(dataFrom=[extract()]), shop__env=json.dumps({name: "x"}))
    allowed = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    valid = bool(name) and set(name) <= allowed and name != "." and not name.startswith("..")

    assert (source.fault is None) is valid


def test_a_key_from_two_places_is_an_error_that_names_both() -> None:
    spec = spec_of(data=[entry("A")], dataFrom=[extract(), extract("shop/more")])
    one, two, three = sources_of(
        spec, shop__db="x", shop__env='{"A": 1, "B": 2}', shop__more='{"B": 3, "C": 4}'
    )

    assert one.fault is None
    assert two.fault is not None
    assert two.fault.reason == "KeyCollision"
    assert "'A' comes from spec.data[0] (A) as well" in two.fault.message
    assert three.fault is not None
    assert "spec.dataFrom[0] (shop/env)" in three.fault.message
    assert (two.values, three.values) == ({}, {})


def test_more_than_a_secret_holds_is_an_error_of_the_largest() -> None:
    spec = spec_of(data=[entry("SMALL", "shop/a"), entry("LARGE", "shop/b")])
    small, large = sources_of(spec, shop__a="x", shop__b=b"x" * SECRET_LIMIT)

    assert small.fault is None
    assert large.fault is not None
    assert large.fault.reason == "TooLarge"
    assert str(SECRET_LIMIT + 1) in large.fault.message


def test_what_a_secret_just_holds_is_fine() -> None:
    (source,) = sources_of(spec_of(data=[entry("K")]), shop__db=b"x" * SECRET_LIMIT)

    assert source.fault is None


def test_each_version_is_read_once_and_named_by_its_first_field() -> None:
    pinned = "1" * 32
    spec = spec_of(
        data=[
            entry("A", property="a"),
            entry("B", property="b"),
            entry("C", versionStage="AWSPREVIOUS"),
            entry("D", versionId=pinned),
            entry("E", "shop/env"),
            parameter_entry("F", "shop/env"),
        ],
        dataFrom=[extract(), extract("shop/more"), {"extract": {"parameter": "/shop/env"}}],
    )

    assert references(spec) == {
        Reference("shop/db"): "spec.data[0].from.secret",
        Reference("shop/db", version_stage="AWSPREVIOUS"): "spec.data[2].from.secret",
        Reference("shop/db", version_id=pinned): "spec.data[3].from.secret",
        Reference("shop/env"): "spec.data[4].from.secret",
        Reference("shop/env", kind="parameter"): "spec.data[5].from.parameter",
        Reference("shop/more"): "spec.dataFrom[1].extract.secret",
        Reference("/shop/env", kind="parameter"): "spec.dataFrom[2].extract.parameter",
    }


@pytest.mark.parametrize(
    ("line", "listed", "text", "value"),
    [
        (parameter_entry("K"), False, "text", b"text"),
        (parameter_entry("K", property="a.n"), False, '{"a": {"n": 1.10}}', b"1.10"),
        (parameter_entry("K"), True, "a,b ,c", b"a,b ,c"),
        (parameter_entry("K", property="1"), True, "a,b ,c", b"b "),
        (parameter_entry("K", property="0"), True, "1.10", b"1.10"),
        (parameter_entry("K", decode="Base64"), False, "/wA=", b"\xff\x00"),
    ],
)
def test_a_parameter_gives_its_key(line: dict[str, Any], listed: bool, text: str, value: bytes) -> None:
    (source,) = collect(spec_of(data=[line]), parameters_of(p=text, listed=listed))

    assert source.fault is None
    assert (source.values, source.version_id, source.kind) == ({"K": value}, "3@1.000", "parameter")


@pytest.mark.parametrize(
    ("line", "text", "reason", "absent"),
    [
        (parameter_entry("K", property="a"), CANARY, "WrongKind", False),
        (parameter_entry("K", property="-1"), CANARY, "WrongKind", False),
        (parameter_entry("K", property="2"), f"{CANARY},b", "PropertyNotFound", True),
    ],
)
def test_a_list_that_has_no_such_element_says_so(
    line: dict[str, Any], text: str, reason: str, absent: bool
) -> None:
    (source,) = collect(spec_of(data=[line]), parameters_of(p=text, listed=True))

    assert source.fault is not None
    assert (source.fault.reason, source.absent) == (reason, absent)
    assert CANARY not in repr(source)


def test_a_list_has_no_names_to_extract() -> None:
    spec = spec_of(dataFrom=[{"extract": {"parameter": "/shop/p"}}])
    (source,) = collect(spec, parameters_of(p=CANARY, listed=True))

    assert source.fault is not None
    assert source.fault.reason == "WrongKind"
    assert source.label == "spec.dataFrom[0] (/shop/p)"


def test_extracted_names_are_rewritten_and_values_decoded() -> None:
    line = extract() | {
        "decode": "Base64",
        "rewrite": [{"pattern": "^db\\.", "replace": ""}, {"pattern": "(.*)", "replace": "X_$1"}],
    }
    (source,) = sources_of(spec_of(dataFrom=[line]), shop__env='{"db.user": "eA==", "port": "MQ=="}')

    assert source.values == {"X_user": b"x", "X_port": b"1"}


@pytest.mark.parametrize(
    ("more", "answer", "reason", "words"),
    [
        ({"decode": "Base64"}, '{"A": "hunter2"}', "NotBase64", "property 'A' is not Base64"),
        (
            {"rewrite": [{"pattern": "[0-9]", "replace": ""}]},
            '{"A1": "hunter2", "A2": "x"}',
            "KeyCollision",
            "property 'A1' and property 'A2' both become the key 'A'",
        ),
        (
            {"rewrite": [{"pattern": "^", "replace": "a b"}]},
            '{"A": "hunter2"}',
            "BadKey",
            "property 'A' cannot be a key, as 'a bA'",
        ),
    ],
)
def test_what_cannot_be_rewritten_or_decoded_says_which(
    more: dict[str, Any], answer: str, reason: str, words: str
) -> None:
    (source,) = sources_of(spec_of(dataFrom=[extract() | more]), shop__env=answer)

    assert source.fault is not None
    assert source.fault.reason == reason
    assert words in source.fault.message
    assert CANARY not in repr(source)
