"""JSON and dotenv: digits kept, faults told without the text."""

import json
import string
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import MISSING, Fault, as_text, find, parse_json, to_json
from pierhead.secrets.reading.formats import dotenv_keys, json_keys

CANARY = "hunter2-Zm9v"


@pytest.mark.parametrize(
    "number",
    ["1.10", "0", "-0", "1e3", "1E+3", "12345678901234567890", "0.1000", "1e400", "-1.50e-07", "9" * 5000],
)
def test_numbers_keep_their_text(number: str) -> None:
    assert json_keys(f'{{"n": {number}}}') == {"n": number}
    assert json_keys(f'{{"n": {{"m": [{number}]}}}}') == {"n": f'{{"m":[{number}]}}'}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ('{"a": "b"}', {"a": "b"}),
        ('{"a": ""}', {"a": ""}),
        ('{"a": true, "b": false}', {"a": "true", "b": "false"}),
        ('{"a": {"b": ["é", null, 1.0]}}', {"a": '{"b":["é",null,1.0]}'}),
        ('{"a": "\\u00e9\\n"}', {"a": "é\n"}),
        ("{}", {}),
        (' \n{"a": "1.10"}\n', {"a": "1.10"}),
    ],
)
def test_properties_become_keys(text: str, keys: dict[str, str]) -> None:
    assert json_keys(text) == keys


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        (CANARY, "NotJSON", "line 1, column 1"),
        (f'{{"a": "{CANARY}",\n}}', "NotJSON", "line 2"),
        (f'{{"a": "{CANARY}', "NotJSON", "column"),
        ("NaN", "NotJSON", "NaN"),
        (f'{{"a": "{CANARY}", "b": -Infinity}}', "NotJSON", "NaN"),
        ("[" * 100_000, "NotJSON", "nested"),
        (f'["{CANARY}"]', "NotAnObject", "object"),
        (f'"{CANARY}"', "NotAnObject", "object"),
        ("17", "NotAnObject", "object"),
        (f'{{"a": "{CANARY}", "a": "x"}}', "DuplicateProperty", "'a'"),
        (f'{{"o": {{"b": "{CANARY}", "b": 1}}}}', "DuplicateProperty", "'b'"),
        ("", "NotJSON", "column 1"),
    ],
)
def test_json_that_cannot_be_used_is_a_fault_without_its_text(text: str, reason: str, words: str) -> None:
    fault = json_keys(text)

    assert isinstance(fault, Fault)
    assert (fault.reason, fault.absent) == (reason, False)
    assert words in fault.message
    assert CANARY not in repr(fault)


def test_null_is_a_fault_of_its_property_only() -> None:
    found = json_keys('{"a": null, "b": "x"}')

    assert not isinstance(found, Fault)
    assert isinstance(found["a"], Fault)
    assert found["b"] == "x"


def test_json_that_python_reads_and_cannot_write_is_a_fault() -> None:
    value: Any = "x"
    for _ in range(5000):
        value = [value]

    assert isinstance(as_text(value), Fault)


DOCUMENT = parse_json(
    json.dumps(
        {
            "a": {"b": {"c": "path"}, "b.c": "dotted below"},
            "a.b": {"d": "dotted above"},
            "list": [{"x": 1}, "second"],
            "": "empty",
            "user": {"password": "p"},
            "user.password": "literal",
            "0": "digit",
        }
    )
)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user.password", "literal"),
        ("a.b.c", "dotted below"),
        ("a.b.d", "dotted above"),
        ("list.0.x", "1"),
        ("list.1", "second"),
        ("0", "digit"),
        ("list.2", MISSING),
        ("list.-1", MISSING),
        ("list.x", MISSING),
        ("list.٣", MISSING),
        ("list.99999999999999999999", MISSING),
        ("a.b.c.d", MISSING),
        ("a.", MISSING),
        (".a", MISSING),
        ("nothing", MISSING),
        ("user.password.x", MISSING),
    ],
)
def test_paths_find_properties_and_a_literal_dotted_name_wins(path: str, value: object) -> None:
    found = find(DOCUMENT, path)

    assert found is MISSING if value is MISSING else found == value


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=3)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


class DecimalEncoder(json.JSONEncoder):
    def default(self, o: Any) -> Any:
        return float(o) if isinstance(o, Decimal) else super().default(o)


@given(JSON_VALUES)
def test_what_is_written_again_means_the_same(value: Any) -> None:
    text = json.dumps(value, cls=DecimalEncoder)

    assert json.loads(to_json(parse_json(text))) == json.loads(text)


@given(st.from_regex(r"\A-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?\Z"))
def test_any_number_keeps_its_text(number: str) -> None:
    assert to_json(parse_json(f"[{number}]")) == f"[{number}]"


@given(st.text(max_size=60))
def test_any_text_is_json_or_a_fault_and_never_an_exception(text: str) -> None:
    json_keys(text)
    dotenv_keys(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("A=1\nB=two words\n", {"A": "1", "B": "two words"}),
        ("export A=1", {"A": "1"}),
        ("# comment\n\nA=1 # more\nB=#no comment", {"A": "1", "B": "#no comment"}),
        ("A='single $X ${Y} \\n'", {"A": "single $X ${Y} \\n"}),
        ('A="double\\nline"', {"A": "double\nline"}),
        ('A="really\ntwo lines"\nB=2', {"A": "really\ntwo lines", "B": "2"}),
        ("A=${B}\nB=$(id)", {"A": "${B}", "B": "$(id)"}),
        ("A=\nB=''", {"A": "", "B": ""}),
        ("A=1.10\r\nB=007\r\n", {"A": "1.10", "B": "007"}),
        ("A=a=b==", {"A": "a=b=="}),
        ("", {}),
    ],
)
def test_dotenv_lines_become_keys(text: str, keys: dict[str, str]) -> None:
    assert dotenv_keys(text) == keys


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        (f"A=1\nB='{CANARY}\n", "NotDotenv", "line 2 is not KEY=value"),
        (f"\n\n{CANARY}\n", "NotDotenv", "line 3 has no ="),
        (f"A={CANARY}\nB=1\nA=2", "DuplicateProperty", "'A'"),
        (f"A=1\n{CANARY}/+x==", "BadKey", "line 2"),
        ("KEY=-----BEGIN\nMIIEv/QIBADANBg==", "BadKey", "line 2"),
    ],
)
def test_dotenv_that_cannot_be_used_is_a_fault_without_its_text(text: str, reason: str, words: str) -> None:
    fault = dotenv_keys(text)

    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert words in fault.message
    assert CANARY not in repr(fault)
    assert "MIIEv" not in repr(fault)


NAMES = st.text(string.ascii_letters + "_", min_size=1, max_size=8).filter(lambda name: name != "export")


def quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


@given(st.dictionaries(NAMES, st.text(max_size=20), max_size=5))
def test_what_is_written_quoted_is_read_back(variables: dict[str, str]) -> None:
    text = "\n".join(f"{name}={quoted(value)}" for name, value in variables.items())

    assert dotenv_keys(text) == variables
