"""CEL: what holds, what is refused, and that no expression can take the process."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.engine.outcome import Invalid
from pierhead.expressions import LONGEST, REASON, Expressions, compiled

OBJECT = {
    "metadata": {"name": "web", "generation": 3, "labels": {"app.kubernetes.io/name": "web"}},
    "spec": {"replicas": 2},
    "status": {
        "observedGeneration": 3,
        "ratio": 0.5,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}],
    },
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("object.status.observedGeneration == object.metadata.generation", True),
        ("object.status.conditions.exists(c, c.type == 'Ready' && c.status == 'True')", True),
        ("object.status.conditions.filter(c, c.status == 'True').size() == 1", True),
        ("object.status.conditions.all(c, c.status == 'True')", False),
        ("object.status.missing.deeper == 1", False),
        ("has(object.status.missing)", False),
        ("!has(object.status.missing)", True),
        ("object.status.conditions[7].type == 'Ready'", False),
        ("object.metadata.labels['app.kubernetes.io/name'].matches(r'^we.{1,3}$')", True),
        ("object.metadata.name.matches('^w[a-z]+$')", True),
        ("object.status.ratio < 1", True),
        ("size(object.status.conditions) + 1 == 3", True),
        ("type(object.spec.replicas) == int", True),
        ("object.spec.replicas == 2 // all of them", True),
        ("'// no comment' != ''", True),
        ("object.spec.replicas > 1 ? object.status.ratio > 0 : false", True),
    ],
)
def test_an_expression_holds_or_does_not(text: str, expected: bool) -> None:
    assert compiled(text, field="spec.x").holds(object=OBJECT) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 +", "is no CEL: at 4: Syntax error"),
        ("'", "is no CEL"),
        ("self.status == 1", "there is no variable self; there is object"),
        ("object.items.reduce(a, 1)", "there is no function reduce"),
        ("now() == 1", "there is no function now"),
        ("true) || (true", "is no CEL"),
        ("(" * 200 + "true" + ")" * 200, "is no CEL"),
        ("'''a''' == 'a'", "three quotes"),
        ("object.a.all(x, object.a.all(y, object.a.all(z, x == y)))", "has 3 levels of nested"),
        ("[0].map(x, [x, x]).map(x, [x, x]).map(x, [x, x]) == []", "has 3 uses of map"),
        ("object.a + object.a" + " + object.a" * 8 + " == ''", "has 9 additions"),
        ("'x'.matches('(\\\\w{100}){100}')", "repeats more than 1000 times"),
        ("'x'.matches(object.metadata.name)", "matches takes one text, written out"),
        ("'x'.matches('a' + 'b')", "matches takes one text, written out"),
        ("'x'.matches('a\\x7b9}')", "matches takes one text, written out"),
        (r"'matches(\"a\")' != '' && 'x'.matches(object.s)", "matches takes one text, written out"),
        ("r'\\' == object.a.all(x, [1].all(y, [1].all(z, true))) + ''", "has 3 levels of nested"),
        ("object.`a` == 1", "backticks"),
        ("true" + " " * LONGEST, f"at most {LONGEST} are evaluated"),
    ],
)
def test_what_is_no_expression_is_refused_where_it_is_written(text: str, message: str) -> None:
    with pytest.raises(Invalid, match=r"^spec\.x: ") as caught:
        compiled(text, field="spec.x")
    assert message in str(caught.value)
    assert caught.value.reason == REASON


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("object.spec.replicas", "No such overload"),
        ("object.metadata.name > 1", "No such overload"),
        ("9223372036854775807 + object.spec.replicas > 0", "overflow"),
        ("1 / (object.spec.replicas - 2) > 0", "division by zero"),
        ("object.metadata.name.matches('(')", "the function matches does not take"),
        ("duration(object.metadata.name) > duration('1h')", "the function duration does not take"),
        ("object.spec.replicas.size() > 1", "the function size does not take"),
    ],
)
def test_what_goes_wrong_on_an_object_names_the_field(text: str, message: str) -> None:
    expression = compiled(text, field="spec.x")
    with pytest.raises(Invalid, match=r"^spec\.x: ") as caught:
        expression.holds(object=OBJECT)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "large"),
    [
        ("object.l.all(x, object.l.size() > 0)", {"l": list(range(20_000))}),
        ("object.l.all(x, object.l.all(y, x + y >= 0))", {"l": list(range(2_000))}),
        ("object.l.map(x, object.s + object.s).size() > 0", {"l": list(range(3_000)), "s": "a" * 1_000_000}),
        ("[object.s].map(x, x + x + x + x).map(x, x + x + x + x) == []", {"s": "a" * 1_000_000}),
    ],
)
def test_an_object_too_large_for_an_expression_is_refused_and_not_walked(text: str, large: object) -> None:
    expression = compiled(text, field="spec.x")
    before = time.process_time()
    with pytest.raises(Invalid, match="would take too long"):
        expression.holds(object=large)
    assert time.process_time() - before < 10


def test_a_plain_look_into_a_large_object_is_no_matter() -> None:
    large = {"data": {f"key-{number}": "x" * 100 for number in range(5_000)}, "status": {"phase": "Up"}}
    assert compiled("object.status.phase == 'Up'", field="f").holds(object=large)


def test_variables_of_other_names() -> None:
    expression = compiled(
        "tag.startsWith('v') && tags.exists(t, t == tag)", field="f", variables=("tag", "tags")
    )
    assert expression.holds(tag="v1", tags=["v1"])


def test_what_was_compiled_is_kept_and_the_oldest_dropped() -> None:
    expressions = Expressions(most=2)
    first = expressions.compiled("true", field="f")
    assert expressions.compiled("true", field="f") is first
    expressions.compiled("false", field="f")
    expressions.compiled("1 == 1", field="f")
    assert expressions.compiled("true", field="f") is not first


PIECES = st.sampled_from(
    [
        "object",
        ".l",
        ".s",
        ".all(x, ",
        ".map(y, ",
        ")",
        "(",
        "[",
        "]",
        "x",
        "y",
        "+",
        "==",
        "'a'",
        "?",
        ":",
        "!",
        "-",
        "1",
        ",",
        "size(",
        ".matches('a')",
        "has(",
        "&&",
        "||",
        "{",
        "}",
        " in ",
        "1.5",
        "0u",
        "b'x'",
        "//",
        "\n",
        "@",
        "\\",
    ]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=40).map("".join))
def test_no_text_ends_in_anything_but_an_answer_or_invalid(text: str) -> None:
    try:
        answer = compiled(text, field="f").holds(object={"l": [1, "a", None], "s": "a"})
    except Invalid:
        return
    assert answer in {True, False}
