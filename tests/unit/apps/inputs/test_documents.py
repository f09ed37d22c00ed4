"""YAML is read as Go reads it, and nothing in it can cost more than its text."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.inputs.documents import DEEPEST, MOST_REPEATED, DocumentError, load

SCALARS = {
    "12:30:45": "12:30:45",
    "190:20:30.15": "190:20:30.15",
    "0o17": 15,
    "017": 15,
    "08": 8,
    "00": 0,
    "-017": -15,
    "0x1F": 31,
    "0X1f": 31,
    "0xG": "0xG",
    "0x": "0x",
    "0b101": 5,
    "0b2": "0b2",
    "1_000": 1000,
    "0_7": 7,
    "+1": 1,
    "-0": 0,
    "1e3": 1000,
    "1E5": 100000,
    "1.0": 1,
    "1.5": 1.5,
    "1.": 1,
    ".5": 0.5,
    "+.5": 0.5,
    "._5": "._5",
    "1e-7": 1e-7,
    "1e21": 1e21,
    "1e400": "1e400",
    "1e": "1e",
    "1.2.3": "1.2.3",
    "1-2": "1-2",
    "--1": "--1",
    "+": "+",
    "18446744073709551615": 18446744073709551615,
    "123456789012345678901234567890": 123456789012345678901234567890.0,
    "9" * 5000: "9" * 5000,
    "y": True,
    "N": False,
    "yes": True,
    "Off": False,
    "tRue": "tRue",
    "~": None,
    "Null": None,
    "nULL": "nULL",
    "=": "=",
    "2024-01-01": "2024-01-01",
    "2001-12-14t21:59:43.10-05:00": "2001-12-14t21:59:43.10-05:00",
    "..": "..",
    ".inf1": ".inf1",
}


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=lambda part: str(part)[:20])
def test_a_plain_scalar_is_what_go_makes_of_it(text, value):
    found = load(f"a: {text}")["a"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("quote", ["'", '"'])
@pytest.mark.parametrize("text", ["12", "y", "0x1", "~", "1e3", "="])
def test_a_quoted_scalar_is_a_text(text, quote):
    assert load(f"a: {quote}{text}{quote}") == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: !!str 12", "12"),
        ("a: !!int '12'", 12),
        ("a: !!float 1", 1.0),
        ("a: !!bool y", True),
        ("x: &x {b: 1}\na: {<<: *x, c: 2}", {"b": 1, "c": 2}),
        ("a: |\n  x\n  y\n", "x\ny\n"),
    ],
)
def test_tags_merges_and_blocks(text, value):
    assert load(text)["a"] == value


@pytest.mark.parametrize(
    "text",
    [
        "a: !!int hunter2",
        "a: !!float hunter2",
        "a: !!bool hunter2",
        "a: !!timestamp hunter2",
        "a: !unknown hunter2",
        "a: !!python/object/apply:os.system [hunter2]",
        "{{ .Values.x }}: 1\n  y",
        "a: [hunter2",
        "a: \x07",
        "a: *nobody",
    ],
)
def test_what_is_no_yaml_is_told_without_its_content(text):
    with pytest.raises(DocumentError) as raised:
        load(text)
    assert "hunter2" not in str(raised.value)


def bomb(levels: int) -> str:
    """Each level holds the last one nine times."""
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, levels)]
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (bomb(7), f"more than {MOST_REPEATED} values"),
        (bomb(60), f"more than {MOST_REPEATED} values"),
        ("a: &a [*a]", "part of"),
        ("a: &a {b: {c: *a}}", "part of"),
        ("a: " + "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1), "levels deep"),
        ("a: " + "[" * 20000 + "]" * 20000, "levels deep"),
        ("\n".join(" " * level + "a:" for level in range(800)), "levels deep"),
    ],
)
def test_a_bomb_is_refused_at_once(text, cause):
    started = time.process_time()
    with pytest.raises(DocumentError, match=cause):
        load(text)
    assert time.process_time() - started < 5


def test_a_modest_use_of_aliases_is_fine():
    assert load(bomb(3))["a2"][8][8][8] == "x"


def test_there_is_one_document_or_none():
    assert load("") is None
    assert load("---\na: 1\n") == {"a": 1}
    with pytest.raises(DocumentError, match="not YAML"):
        load("a: 1\n---\nb: 2")


CRASHING = {
    "flow sequences": "a: " + "[" * 200_000,
    "flow mappings": "{a: " * 100_000,
    "compact sequences": "- " * 100_000 + "x",
    "explicit keys": "? " * 100_000 + "x",
    "both in turn": "- ? " * 50_000 + "x",
    "empty keys": ": " * 100_000 + "x",
    "tabs": "-\t" * 100_000 + "x",
    "lines that end as they did on a Macintosh": "\r".join(" " * level + "a:" for level in range(1_000)),
    "lines that end as only Unicode knows": "\u2028".join(" " * level + "a:" for level in range(1_000)),
    "blocks": "\n".join(" " * level + "a:" for level in range(1_000)),
    "blocks with sequences": "\n".join(f"{' ' * level}a:\n{' ' * level}-\n" for level in range(1_000)),
    "closed only in comments": "[\n# ]\n" * 100_000,
    "closed only in texts": "[']',\n" * 100_000,
}


@pytest.mark.parametrize("text", CRASHING.values(), ids=CRASHING)
def test_nesting_that_would_crash_the_parser_is_refused(text):
    """In a process of its own this would be a segmentation fault: libyaml's composer recurses in C."""
    with pytest.raises(DocumentError):
        load(text)


def test_many_brackets_and_long_lines_are_no_nesting():
    text = "a: [" + "{b: [1]}, " * 500 + "]\n" + "c: |\n" + " " * 300 + "art\n"
    assert len(load(text)["a"]) == 500


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(DocumentError):
        load(text)
