from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.engine.outcome import Invalid
from pierhead.model import Duration, FreeForm, Model, cel_name, parse, seconds
from pierhead.model.scalars import DEEPEST


class Holder(Model):
    duration: Duration


@pytest.mark.parametrize(
    ("text", "length"),
    [("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("1m250ms", 60.25), ("0s", 0)],
)
def test_a_duration_is_read_as_go_reads_it(text: str, length: float) -> None:
    assert seconds(parse(Holder, {"duration": text}).duration) == pytest.approx(length)


@pytest.mark.parametrize("text", ["", "5", "s", "5d", "-5s", "5 s", "1.h", "5s3"])
def test_what_is_no_duration_is_refused_by_the_model_and_by_the_reader(text: str) -> None:
    with pytest.raises(Invalid):
        parse(Holder, {"duration": text})
    if text != "1.h":
        with pytest.raises(ValueError, match="not a duration"):
            seconds(text)


@settings(deadline=None)
@given(st.from_regex(r"\A([0-9]{1,4}(\.[0-9]{1,3})?(ms|s|m|h)){1,3}\Z"))
def test_every_text_the_schema_takes_has_a_length(text: str) -> None:
    assert seconds(parse(Holder, {"duration": text}).duration) >= 0


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("branch", "branch"),
        ("namespace", "__namespace__"),
        ("a-b", "a__dash__b"),
        ("a.b/c", "a__dot__b__slash__c"),
        ("a__b", "a__underscores__b"),
    ],
)
def test_cel_names_are_escaped_as_kubernetes_asks(name: str, written: str) -> None:
    assert cel_name(name) == written


class Free(Model):
    values: FreeForm


def test_free_form_values_are_bounded_in_depth() -> None:
    deep: dict[str, Any] = {"a": [1]}
    for _ in range(DEEPEST - 2):
        deep = {"a": deep}
    assert parse(Free, {"values": deep}).values == deep
    with pytest.raises(Invalid, match=r"values: .*nested more than 100 levels deep"):
        parse(Free, {"values": {"a": deep}})
