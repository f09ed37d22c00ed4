"""Rendering ends in values or in one fault, within its budget, and tells no value."""

import base64
import io
import json
import string
from typing import Any
from unittest import mock

import pytest
import yaml
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.decide import Lost
from pierhead.secrets.templates import budget, evaluation
from pierhead.secrets.templates.filters import texts
from pierhead.secrets.templates.filters.table import FILTERS
from support.secret_templates import KEY, render, render_each

CANARY = "canary-5b1f"


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("{{ NONE }}", "UndefinedKey", "the key 'NONE' is not there"),
        ("\n{{ 'n.o' | key }}", "UndefinedKey", "line 2: the key 'n.o' is not there"),
        ("{{ NONE | upper }}", "UndefinedKey", "filter upper: the key 'NONE' is not there"),
        (
            "{{ A | upper | default(NONE) | replace('a', NONE) }}",
            "UndefinedKey",
            "filter replace: the key 'NONE'",
        ),
        ("{{ [NONE] | tojson }}", "UndefinedKey", "the key 'NONE'"),
        ("{% if NONE %}{% endif %}", "UndefinedKey", "the key 'NONE'"),
        ("{{ A | fromjson }}", "NotJSON", "filter fromjson: is not JSON: line 1, column 1"),
        ("{{ DOC | fromjson | get('b.c') }}", "PropertyNotFound", "the property 'b.c' is not there"),
        ("{{ A | get('b') }}", "PropertyNotFound", "the property 'b' is not there"),
        ("{{ DOC | fromjson | get('n') }}", "NullValue", "cannot write null"),
        ("{{ DOC | fromjson }}", "TemplateFailed", "cannot write a mapping"),
        (
            "{{ DOC | fromjson | upper }}",
            "TemplateFailed",
            "filter upper: needs text, and is given a mapping",
        ),
        ("{{ A | join }}", "TemplateFailed", "needs a list, and is given text"),
        ("{{ A | dotenv }}", "TemplateFailed", "needs a mapping, and is given text"),
        ("{{ A | merge({}) }}", "TemplateFailed", "needs two mappings, and is given text and a mapping"),
        ("{{ {'a-b': A} | dotenv }}", "TemplateFailed", "no variable's"),
        ("{{ A | base64decode }}", "TemplateFailed", "filter base64decode: is not base64"),
        ("{{ A | base64urldecode | base64urldecode }}", "TemplateFailed", "filter base64urldecode: "),
        ("{{ BIN | upper }}", "TemplateFailed", "needs text, and is given binary"),
        ("{{ BIN | tojson }}", "TemplateFailed", "base64encode makes it text"),
        ("{{ BIN | toutf8('utf-8-sig') }}", "TemplateFailed", "is not utf-8-sig"),
        ("{{ BIN | toutf8('rot13') }}", "TemplateFailed", "takes one of"),
        ("{{ A | replace('', 'x') }}", "TemplateFailed", "an empty text"),
        ("{{ A | split('') }}", "TemplateFailed", "an empty text"),
        ("{{ A | indent(33) }}", "TemplateFailed", "a width from 0 to 32"),
        ("{{ A | indent(A) }}", "TemplateFailed", "a width from 0 to 32"),
        ("{{ '*x' | keys | dotenv }}", "TemplateFailed", "the head of names"),
        ("{{ A | pem('key') }}", "TemplateFailed", "no private key"),
        ("{{ A | pem('nonsense') }}", "TemplateFailed", "takes one of key"),
        ("{{ NOPEM | pem('key') }}", "TemplateFailed", "does not end"),
        ("{{ SURROGATE | fromjson | tojson }}", "NotText", "half a surrogate pair"),
        ("{{ DEEP | fromjson | tojson }}", "TemplateFailed", "nested too deeply"),
        ("{{ TWICE | fromjson | tojson }}", "DuplicateProperty", "'a' twice"),
    ],
)
def test_a_fault_names_the_key_the_place_and_the_cause(text: str, reason: str, words: str) -> None:
    values: dict[str, str | bytes] = {
        "A": CANARY,
        "DOC": json.dumps({"a": CANARY, "n": None}),
        "BIN": b"\xff\xfe\xfd",
        "NOPEM": f"-----BEGIN PRIVATE KEY-----\n{CANARY}",
        "SURROGATE": '"\\ud800"',
        "DEEP": "[" * 65 + "]" * 65,
        "TWICE": '{"a": 1, "a": 2}',
    }
    fault = render(text, values)

    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert fault.message.startswith(f"spec.template.data[{KEY}]: line ")
    assert words in fault.message
    assert CANARY not in repr(fault)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ BIG }}" * 20, "TooLarge"),
        ("{% for a in L %}" * 6 + "x" + "{% endfor %}" * 6, "TemplateTooCostly"),
        ("{% for a in M | fromjson %}" * 2 + "{% endfor %}" * 2, "TemplateTooCostly"),
        (
            "{% for a in L %}" * 3
            + "{{ BIG | replace('a', 'b') | trim | default('') == '' }}"
            + "{% endfor %}" * 3,
            "TemplateTooCostly",
        ),
        ("{{ BIG | replace('a', BIG) }}", "TooLarge"),
        ("{{ BIG | split('a') | tojson }}", "TemplateFailed"),
        ('{{ TEN | split(",") | join(BIG) | replace("a", "bc") }}', "TooLarge"),
        ("{{ LINES | indent(32) }}", "TooLarge"),
        (
            "{{ [" + "BIG, " * 17 + "BIG] | tojson }}",
            "TooLarge",
        ),
        (
            "{% for a in [[BIG, BIG, BIG]] %}"
            + "{% for a in [[a, a, a]] %}" * 12
            + "{{ a | tojson }}"
            + "{% endfor %}" * 13,
            "TemplateTooCostly",
        ),
        ("{{ 'x' if BIG in [BIG] }}" * 2000, "TemplateTooCostly"),
    ],
)
def test_what_grows_is_ended_by_its_budget(text: str, reason: str) -> None:
    values: dict[str, str | bytes] = {
        "BIG": "a" * 65_000,
        "M": json.dumps(list(range(1000))),
        "LINES": "\na" * 32_700,
        "TEN": ",,,,,,,,,,",
    }
    letters = "['a','b','c','d','e','f','g','h','i','j']"
    fault = render(text.replace("L |", f"{letters} |").replace("in L ", f"in {letters} "), values)

    assert isinstance(fault, Fault)
    assert fault.reason == reason


def test_the_values_of_all_keys_are_bounded_together() -> None:
    values: dict[str, str | bytes] = {"A": "a" * 600_000}

    assert isinstance(render_each({"b": "{{ A }}"}, values), dict)
    twice = render_each({"b": "{{ A }}", "c": "{{ A }}"}, values)
    merged = render_each({"b": "{{ A }}"}, values, merge=True)
    assert isinstance(twice, Fault)
    assert isinstance(merged, Fault)
    assert (twice.reason, merged.reason) == ("TooLarge", "TooLarge")


def test_bytes_and_numbers_are_written_as_they_were_read() -> None:
    binary = bytes(range(256))

    assert render("{{ B }}", {"B": binary}) == binary
    assert render("<{{ B }}>", {"B": binary}) == b"<" + binary + b">"
    assert render("{{ B | base64encode | base64decode }}", {"B": binary}) == binary
    assert render("{{ B | base64urlencode | base64urldecode }}", {"B": binary}) == binary
    numbers = '{"a":1.10,"b":12345678901234567890123,"c":1e3}'
    assert render("{{ N | fromjson | tojson }}", {"N": numbers}) == numbers.encode()
    assert b"b: 12345678901234567890123\n" in bytes(render("{{ N | fromjson | toyaml }}", {"N": numbers}))  # type: ignore[arg-type]


def test_templates_replace_the_keys_that_were_read_or_are_merged_with_them() -> None:
    values: dict[str, str | bytes] = {"A": "1", "B": "2"}
    texts_ = {"B": "{{ B }}{{ A }}", "C": "x"}

    assert render_each(texts_, values) == {"B": b"21", "C": b"x"}
    assert render_each(texts_, values, merge=True) == {"A": b"1", "B": b"21", "C": b"x"}


@pytest.mark.parametrize(
    "text", ["{{ GONE | default('x') }}", "{{ '*' | keys | dotenv }}", "{{ GONE is defined }}"]
)
@pytest.mark.parametrize("lost", [Lost(frozenset({"GONE"})), Lost(rest=True)])
def test_no_default_stands_in_for_a_key_that_was_there(text: str, lost: Lost) -> None:
    fault = render(text, {"A": "1"}, lost=lost)

    assert isinstance(fault, Fault)
    assert fault.reason == "SourceGone"
    assert isinstance(render("{{ A }}", {"A": "1"}, lost=lost), bytes)


def test_a_failure_of_ours_shows_no_value() -> None:
    def broken(value: Any) -> str:
        raise KeyError(value)

    rule = FILTERS["upper"]
    table = {**FILTERS, "upper": type(rule)(rule.usage, broken)}
    with mock.patch.object(evaluation, "FILTERS", table):
        fault = render("{{ A | upper }}", {"A": CANARY})

    assert isinstance(fault, Fault)
    assert "KeyError" in fault.message
    assert CANARY not in repr(fault)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), children, max_size=4)
    ),
    max_leaves=12,
)


@given(_JSON)
def test_yaml_and_json_hold_what_was_given(document: Any) -> None:
    given_text = json.dumps(document)

    made = render("{{ D | fromjson | toyaml }}", {"D": given_text})
    again = render("{{ D | fromjson | tojson }}", {"D": given_text})

    assert isinstance(made, bytes)
    assert isinstance(again, bytes)
    assert json.loads(again) == document
    assert yaml.safe_load(made) == document


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")))
def test_a_dotenv_value_is_read_as_it_was(value: str) -> None:
    made = render("A={{ V | dotenvquote }}\nB=x\n", {"V": value})

    assert isinstance(made, bytes)
    stream = io.StringIO(made.decode())
    assert dotenv_values(stream=stream, interpolate=False) == {"A": value, "B": "x"}


_SCRAPS = st.sampled_from(
    [
        *(
            "{{ ",
            " }}",
            "{% ",
            " %}",
            "{%- ",
            "if ",
            "else",
            "elif ",
            "endif",
            "for x in ",
            "endfor",
            "(",
            ")",
            "[",
            "]",
        ),
        *(
            "{",
            "}",
            ", ",
            ": ",
            "|",
            ".",
            "A",
            "B",
            "DOC",
            "x",
            "'a'",
            '"*"',
            "0",
            "==",
            " in ",
            " not ",
            " and ",
            " is defined",
        ),
        *(
            "{% for x in DOC|fromjson|get('l') %}",
            "{% endfor %}",
            "{% if A %}",
            "{% endif %}",
            "{{ x|tojson }}",
            "\\",
            "'",
        ),
        *(f"|{name}" for name in FILTERS if name != "pkcs12"),
        *(
            "|replace(A, B)",
            "|split('a')",
            "|get('l.0')",
            "|default(A)",
            "|merge(DOC|fromjson)",
            "|toutf8('utf-16')",
        ),
    ]
)


@given(
    st.lists(_SCRAPS | st.text(string.printable, max_size=3), max_size=24).map("".join),
    st.binary(max_size=12),
)
def test_rendering_ends_in_bytes_or_a_fault_whatever_it_is_given(text: str, value: bytes) -> None:
    document = json.dumps({"l": [CANARY, {"m": 1}], "n": None})

    found = render(text, {"A": value, "B": CANARY, "DOC": document})
    framed = render("{{ A" + text + " }}", {"A": value, "B": CANARY, "DOC": document})

    for made in (found, framed):
        if isinstance(made, Fault):
            assert made.message.startswith("spec.template.data[")
            assert "pierhead itself" not in made.message
            assert CANARY not in made.message
        else:
            assert len(made) <= budget.OUTPUT_LIMIT


def test_a_pull_secret_has_what_a_kubelet_reads() -> None:
    made = render("{{ P | dockerconfigjson('r.example.com', U) }}", {"P": 'p"w:é', "U": "me"})

    assert isinstance(made, bytes)
    login = json.loads(made)["auths"]["r.example.com"]
    assert (login["username"], login["password"]) == ("me", 'p"w:é')
    assert base64.b64decode(login["auth"]).decode() == 'me:p"w:é'


def test_the_parts_of_a_split_are_bounded() -> None:
    assert len(texts.split("," * (texts.MOST_PARTS - 1), ",")) == texts.MOST_PARTS
