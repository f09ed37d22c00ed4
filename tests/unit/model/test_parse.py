from typing import Annotated, Any

import pytest
from pydantic import Field

from pierhead.engine.outcome import Invalid
from pierhead.model import (
    READY,
    CustomResource,
    DNSLabel,
    FreeForm,
    ListMap,
    ListSet,
    Model,
    Status,
    at_least_one,
    at_most_one,
    exactly_one,
    parse,
)


class From(Model):
    property: str | None = None


class Entry(Model):
    key: DNSLabel
    from_: From | None = Field(None, alias="from")


class Spec(Model):
    __rules__ = (exactly_one("one", "theOther"),)

    one: int | None = None
    the_other: bool | None = None
    data: tuple[Entry, ...] = ()
    values: FreeForm | None = None


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        (
            {"one": 1, "data": [{"key": "a", "from": {"property": 5}}]},
            "spec.data[0].from.property",
            "valid string",
        ),
        ({"one": 1, "data": [{}]}, "spec.data[0].key", "is required"),
        ({"one": 1, "two": 1}, "spec.two", "there is no such field"),
        ({"one": "1"}, "spec.one", "valid integer"),
        ({"theOther": "yes"}, "spec.theOther", "valid boolean"),
        ({"one": 1, "theOther": False}, "spec", "exactly one of one, theOther"),
        ({"one": None}, "spec", "exactly one of one, theOther"),
    ],
)
def test_a_fault_is_told_by_the_path_of_its_field(spec: dict[str, Any], field: str, message: str) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        parse(Spec, spec)

    assert caught.value.field == field


def test_every_fault_is_told_and_many_are_counted() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Spec, {"one": 1, "data": [{} for _ in range(14)]})

    assert "spec.data[9].key: is required" in caught.value.message
    assert "spec.data[10]" not in caught.value.message
    assert caught.value.message.endswith("and 4 more")


def test_nothing_of_a_wrong_value_is_repeated() -> None:
    with pytest.raises(Invalid) as caught:
        parse(Spec, {"one": "hunter2", "data": [{"key": "hunter2!"}], "theOther": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_what_is_free_form_is_kept_as_written() -> None:
    values = {"a": None, "b": [1, {"c": 1.10}], "d": "05"}

    assert parse(Spec, {"one": 1, "values": values}).values == values


@pytest.mark.parametrize(
    ("rule", "given", "holds"),
    [
        (exactly_one("one", "theOther"), {}, False),
        (exactly_one("one", "theOther"), {"theOther": False}, True),
        (exactly_one("one", "theOther"), {"one": 0, "theOther": False}, False),
        (at_most_one("one", "theOther"), {}, True),
        (at_most_one("one", "theOther"), {"one": 0, "theOther": True}, False),
        (at_least_one("one", "theOther"), {}, False),
        (at_least_one("one", "theOther"), {"one": 0, "theOther": True}, True),
    ],
)
def test_a_field_counts_as_given_when_it_is_written_whatever_its_value(
    rule: Any, given: dict[str, Any], holds: bool
) -> None:
    class Ruled(Model):
        __rules__ = (rule,)

        one: int | None = None
        the_other: bool | None = None

    if holds:
        assert parse(Ruled, given)
    else:
        with pytest.raises(Invalid, match=rule.message):
            parse(Ruled, given)


def test_a_field_made_in_code_with_none_is_not_given() -> None:
    assert Spec(one=None, the_other=True).given() == {"theOther"}


def test_entries_of_one_identity_are_refused_by_their_places() -> None:
    class Holder(Model):
        entries: Annotated[tuple[Entry, ...], ListMap("key")] = ()
        words: Annotated[tuple[str, ...], ListSet()] = ()

    with pytest.raises(Invalid, match="entries 0 and 2 have the same key") as caught:
        parse(Holder, {"entries": [{"key": "a"}, {"key": "b"}, {"key": "a"}]})
    assert caught.value.field == "spec.entries"
    with pytest.raises(Invalid, match="entries 0 and 1 have the same value"):
        parse(Holder, {"words": ["a", "a"]})


def test_a_name_longer_than_the_kinds_limit_is_refused() -> None:
    resource = CustomResource(
        kind="Thing", plural="things", spec=Spec, status=Status, columns=(READY,), name_limit=5
    )

    assert resource.parse({"metadata": {"name": "short"}, "spec": {"one": 1}}).one == 1
    with pytest.raises(Invalid, match="longer than 5") as caught:
        resource.parse({"metadata": {"name": "longer"}, "spec": {"one": 1}})
    assert caught.value.field == "metadata.name"
