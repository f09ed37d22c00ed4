"""Random models of the shapes kinds are made of, with values that fit them, nearly fit them, or do not.

A shape is a type for pydantic and a strategy for JSON. Used by the laws of the schema converter.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from hypothesis import strategies as st
from pydantic import Field, StringConstraints, create_model

from pierhead.model import (
    DNSLabel,
    Duration,
    FreeForm,
    KubernetesObject,
    ListMap,
    ListSet,
    Model,
    at_least_one,
    at_most_one,
    exactly_one,
)

_SHORT = Annotated[str, StringConstraints(max_length=5)]
SCALARS = st.one_of(
    st.booleans(), st.integers(-5, 300), st.sampled_from(["", "a", "a-b", "A", "5s", "x" * 9])
)
JUNK = st.one_of(SCALARS, st.just(1.5), st.lists(st.none() | SCALARS, max_size=2), st.just({"a": "b"}))


@dataclass(frozen=True)
class Shape:
    """A type, and JSON that mostly fits it."""

    annotation: Any
    values: st.SearchStrategy[Any]


def nearly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Fifteen times of sixteen a value that fits."""
    return st.integers(0, 15).flatmap(lambda roll: values if roll else JUNK)


def _texts(draw: st.DrawFn) -> Shape:
    pattern = draw(st.sampled_from([None, "^[a-z]+$", "^[^/]", "b"]))
    least, most = draw(st.integers(0, 2)), draw(st.integers(2, 8))
    constraints = StringConstraints(min_length=least, max_length=most, pattern=pattern)
    return Shape(
        Annotated[str, constraints], st.sampled_from(["ab", "bb", "b", "abé", "", "/b", "a b 1 b 1"])
    )


def _numbers(draw: st.DrawFn) -> Shape:
    low, high = draw(st.integers(-3, 3)), draw(st.integers(3, 9))
    kind = draw(st.sampled_from([int, float]))
    limits = draw(
        st.sampled_from(
            [{"ge": low, "le": high}, {"gt": low, "lt": high + 2}, {"ge": low}, {"multiple_of": 2}]
        )
    )
    return Shape(Annotated[kind, Field(**limits)], st.integers(-4, 12))


def _words(draw: st.DrawFn) -> Shape:
    words = draw(st.sampled_from([("A",), ("A", "B"), ("", "x")]))
    return Shape(Literal[words], st.sampled_from([*words, "other"]))


LEAVES: list[Callable[[st.DrawFn], Shape]] = [
    _texts,
    _numbers,
    _words,
    lambda _: Shape(bool, st.booleans()),
    lambda _: Shape(int | _SHORT, SCALARS),
    lambda _: Shape(DNSLabel, st.sampled_from(["a", "a-b", "b", "-a", "a" * 64])),
    lambda _: Shape(Duration, st.sampled_from(["5s", "1h30m", "1.5h", "5", "5d"])),
    lambda _: Shape(FreeForm, st.sampled_from([{}, {"a": None}, {"a": {"b": [1, "x"]}}])),
    lambda _: Shape(
        KubernetesObject,
        st.just({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "b"}}),
    ),
]


def _lists(draw: st.DrawFn, depth: int) -> Shape:
    item = draw(shapes(depth - 1))
    most = draw(st.integers(1, 4))
    return Shape(
        Annotated[list[item.annotation], Field(max_length=most)], st.lists(nearly(item.values), max_size=4)
    )


def _sets(draw: st.DrawFn, _: int) -> Shape:
    item = draw(st.sampled_from([_texts, _words]))(draw)
    return Shape(
        Annotated[tuple[item.annotation, ...], ListSet(), Field(max_length=4)],
        st.lists(item.values, max_size=4),
    )


def _mappings(draw: st.DrawFn, depth: int) -> Shape:
    item = draw(shapes(depth - 1))
    key = draw(st.sampled_from([DNSLabel, _SHORT, Literal["a", "b"]]))
    keys = st.sampled_from(["a", "b", "-", "A", "abcdef"])
    return Shape(
        Annotated[dict[key, item.annotation], Field(max_length=3)],
        st.dictionaries(keys, nearly(item.values), max_size=4),
    )


def _list_maps(draw: st.DrawFn, depth: int) -> Shape:
    value = draw(shapes(depth - 1))
    entry = create_model(
        "Entry",
        __base__=Model,
        key=(DNSLabel, ...),
        from_=(value.annotation | None, Field(None, alias="from")),
    )
    values = st.fixed_dictionaries(
        {"key": st.sampled_from(["a", "b", "c"])}, optional={"from": nearly(value.values)}
    )
    return Shape(
        Annotated[tuple[entry, ...], ListMap("key"), Field(max_length=4)],
        st.lists(nearly(values), max_size=3),
    )


def _models(draw: st.DrawFn, depth: int) -> Shape:
    return draw(models(depth - 1))


BRANCHES = [_lists, _sets, _mappings, _list_maps, _models]


@st.composite
def shapes(draw: st.DrawFn, depth: int = 2) -> Shape:
    """A field's type."""
    branch = depth > 0 and draw(st.booleans())
    return draw(st.sampled_from(BRANCHES))(draw, depth) if branch else draw(st.sampled_from(LEAVES))(draw)


@st.composite
def models(draw: st.DrawFn, depth: int = 2) -> Shape:
    """A model of up to four fields, some of them required, some of them bound by a rule."""
    fields = {f"field_{letter}": draw(shapes(depth)) for letter in "abcd"[: draw(st.integers(1, 4))]}
    required = {name for name in fields if draw(st.integers(0, 3)) == 0}
    definitions: dict[str, Any] = {
        name: (shape.annotation, ...) if name in required else (shape.annotation | None, None)
        for name, shape in fields.items()
    }
    model = create_model("Random", __base__=Model, **definitions)
    yaml = {name: f"field{name[-1].upper()}" for name in fields}
    rule = draw(st.sampled_from([None, exactly_one, at_most_one, at_least_one]))
    if rule is not None:
        model.__rules__ = (rule(*yaml.values()),)
        model.model_rebuild(force=True)
    known = st.fixed_dictionaries(
        {yaml[name]: nearly(fields[name].values) for name in required},
        optional={yaml[name]: nearly(fields[name].values) for name in fields.keys() - required},
    )
    values = st.tuples(known, st.integers(0, 15)).map(
        lambda pair: pair[0] if pair[1] else {**pair[0], "unknown": 1}
    )
    return Shape(model, values)


def as_json(value: Any) -> str:
    """For messages of failed laws."""
    return json.dumps(value, indent=1)
