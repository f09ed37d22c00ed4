"""Values are read as Helm reads them and merged as Helm merges them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.inputs.values import merge, parse, parse_any, set_at
from pierhead.apps.model.values import TARGET_PATH
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


@pytest.mark.parametrize(
    ("values", "path", "expected"),
    [
        ({}, "a", {"a": "v"}),
        ({}, "a.b.c", {"a": {"b": {"c": "v"}}}),
        ({"a": {"x": 1}}, "a.b", {"a": {"x": 1, "b": "v"}}),
        ({"a": 1}, "a", {"a": "v"}),
        ({"a": None}, "a.b", {"a": {"b": "v"}}),
        ({}, r"a\.b/c.d e", {"a.b/c": {"d e": "v"}}),
        ({}, "a[0]", {"a": ["v"]}),
        ({"a": [1, 2]}, "a[1]", {"a": [1, "v"]}),
        ({"a": [1]}, "a[2].b", {"a": [1, None, {"b": "v"}]}),
        ({}, "a[0][1].b[0]", {"a": [[None, {"b": ["v"]}]]}),
    ],
)
def test_a_path_sets_one_place(values, path, expected):
    before = repr(values)
    assert re.fullmatch(TARGET_PATH, path)
    assert set_at(values, path, "v", field="f") == expected
    assert repr(values) == before


def test_what_goes_to_a_path_is_merged_over_what_is_there():
    assert set_at({"a": {"b": {"c": 1}}}, "a.b", {"d": 2}, field="f") == {"a": {"b": {"c": 1, "d": 2}}}


@pytest.mark.parametrize(
    ("values", "path"),
    [({"a": "hunter2"}, "a.b"), ({"a": {}}, "a[0]"), ({"a": [1]}, "a.b"), ({"a": 0}, "a[0]")],
)
def test_a_path_through_something_else_is_refused_without_quoting_it(values, path):
    with pytest.raises(Invalid, match="leads to") as raised:
        set_at(values, path, "v", field="spec.helm.valuesFrom[0].targetPath")
    assert raised.value.field == "spec.helm.valuesFrom[0].targetPath"
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    "path", ["", ".a", "a.", "a..b", "a[", "a[x]", "a[1000]", "[0]", "a=b", "a\\b", "a,b", "a.[0]"]
)
def test_what_is_no_path_is_none(path):
    assert not re.fullmatch(TARGET_PATH, path)


NAMES = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4)
MAPPINGS = st.recursive(
    st.dictionaries(st.text("ab.", min_size=1, max_size=3), st.none(), max_size=3),
    lambda inner: st.dictionaries(st.text("ab.", min_size=1, max_size=3), inner, max_size=3),
)


@given(MAPPINGS, NAMES, st.integers() | MAPPINGS)
def test_setting_at_a_path_of_names_is_merging_what_has_only_that(values, names, value):
    layer = value
    for name in reversed(names):
        layer = {name: layer}
    path = ".".join(name.replace(".", r"\.") for name in names)
    assert set_at(values, path, value, field="f") == merge([values, layer])


@given(MAPPINGS, NAMES, st.integers(), st.integers())
def test_the_last_to_set_a_place_wins(values, names, first, last):
    path = ".".join(name.replace(".", r"\.") for name in names)
    once = set_at(values, path, last, field="f")
    assert set_at(set_at(values, path, first, field="f"), path, last, field="f") == once


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ("3", 3), ("[1]", [1]), ("yes", True), ("a: 1", {"a": 1})]
)
def test_yaml_of_any_kind_is_read_for_a_path(text, expected):
    assert parse_any(text, field="f") == expected
