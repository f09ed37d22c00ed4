"""Values are read as Helm reads them and merged as Helm merges them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.values import merge, parse
from pierhead.engine.outcome import Invalid


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("a: 1\nb: {c: yes}", {"a": 1, "b": {"c": True}}),
        ("day: 2024-01-01", {"day": "2024-01-01"}),
        ("moment: 2001-12-14t21:59:43.10-05:00", {"moment": "2001-12-14t21:59:43.10-05:00"}),
        ("1: one", {"1": "one"}),
        ("a: {2: x, true: why}", {"a": {"2": "x", "true": "why"}}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
    ],
)
def test_reads(text, expected):
    assert parse(text, field="f") == expected


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("- a\n- b", "a list"),
        ("just text", "text"),
        ("12", "a number"),
        ("a: [1", "line"),
        ("a: \x07", "forbids"),
        ("a: !!python/object:os.system {}", "line"),
        ("a: .nan", "no form"),
        ("a: {b: [!!binary aGVsbG8=]}", "no form"),
        ("a: !!set {x}", "no form"),
        ("? [1, 2]\n: x", "line"),
    ],
)
def test_what_is_not_a_mapping_is_named_without_its_content(text, cause):
    with pytest.raises(Invalid, match=cause) as raised:
        parse(text, field="spec.helm.valuesFrom[0]")
    assert raised.value.field == "spec.helm.valuesFrom[0]"
    assert raised.value.reason == "InvalidValues"


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ([], {}),
        ([{"a": 1}, {"a": 2}], {"a": 2}),
        ([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}], {"a": {"b": 3, "c": 2}}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": {"b": 1}}, {"a": None}], {"a": None}),
        ([{"a": 1}, {"a": {"b": 1}}], {"a": {"b": 1}}),
    ],
)
def test_merges(layers, expected):
    assert merge(layers) == expected


TREES = st.dictionaries(
    st.sampled_from("abc"),
    st.recursive(
        st.integers() | st.none(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_size=3,
)


@given(TREES, TREES, TREES)
def test_merging_is_associative_and_leaves_its_layers_alone(first, second, third):
    before = repr((first, second, third))
    assert merge([merge([first, second]), third]) == merge([first, second, third])
    assert repr((first, second, third)) == before


@given(TREES)
def test_merging_with_itself_changes_nothing(tree):
    assert merge([tree, tree]) == tree
