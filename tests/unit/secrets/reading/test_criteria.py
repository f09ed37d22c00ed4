"""What a `find` means: exact where AWS is not, bounded, and another text for other criteria."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.secretlists import Criteria, ListedSecret
from pierhead.engine.properties import Fault
from pierhead.secrets.model.finding import FindSource
from pierhead.secrets.model.limits import FIND_LIMIT, FOUND_NAME_LENGTH, MOST_FOUND
from pierhead.secrets.reading.criteria import described, has_tags, names_that_match, narrowed, too_much


def find_of(**fields: Any) -> FindSource:
    return FindSource.model_validate(fields)


@pytest.mark.parametrize(
    ("find", "beginnings", "criteria"),
    [
        ({"namePrefix": "shop/"}, ("shop",), Criteria(names=("shop/",))),
        ({"nameRegexp": "db"}, ("common/", "shop"), Criteria(names=("common/", "shop"))),
        ({"nameRegexp": "db"}, ("", "shop"), Criteria()),
        ({"nameRegexp": "db"}, tuple("abcdefghijk"), Criteria()),
        (
            {"tags": {"b": "2", "a": "1"}},
            ("shop",),
            Criteria(names=("shop",), tag_keys=("a",), tag_values=("1",)),
        ),
        ({"tags": {"a": "!x"}}, ("",), Criteria(tag_keys=("a",))),
        ({"tags": {"ä": ""}}, ("",), Criteria()),
    ],
)
def test_aws_narrows_only_by_what_it_takes(
    find: dict[str, Any], beginnings: tuple[str, ...], criteria: Criteria
) -> None:
    assert narrowed(find_of(**find), beginnings) == criteria


@pytest.mark.parametrize(
    ("tags", "wanted", "verdict"),
    [
        ({"env": "prod"}, {"env": "prod"}, True),
        ({"environment": "production"}, {"env": "prod"}, False),
        ({"env": "production"}, {"env": "prod"}, False),
        ({"env": "prod"}, {"env": "prod", "team": "shop"}, False),
        ({"env": "prod", "team": "shop"}, {"env": "prod", "team": "shop"}, True),
        ({"Env": "prod"}, {"env": "prod"}, False),
        ({}, {"env": ""}, False),
    ],
)
def test_tags_are_compared_exactly(tags: dict[str, str], wanted: dict[str, str], verdict: bool) -> None:
    assert has_tags(find_of(tags=wanted), ListedSecret("shop/a", "arn:a", tags, "v")) is verdict


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ({"namePrefix": "shop/"}, ["shop/a", "shop/b1"]),
        ({"nameRegexp": "[0-9]$"}, ["/shop/c2", "shop/b1"]),
        ({"namePrefix": "shop/", "nameRegexp": "[0-9]"}, ["shop/b1"]),
        ({"path": "/shop"}, ["/shop/c2"]),
        ({"path": "/shop/"}, ["/shop/c2"]),
        ({"nameRegexp": "nothing"}, []),
    ],
)
def test_names_match_in_alphabetical_order(find: dict[str, Any], found: list[str]) -> None:
    names = ["shop/b1", "other", "shop/a", "/shop/c2", "/shopping/d"]

    assert names_that_match(find_of(**find), names) == found
    assert names_that_match(find_of(**find), reversed(names)) == found


def test_what_takes_too_long_is_a_fault() -> None:
    fault = names_that_match(find_of(nameRegexp="x{1000}"), [f"{number:0100}" for number in range(1000)])

    assert isinstance(fault, Fault)
    assert fault.reason == "BadPattern"


def test_what_is_found_is_bounded_over_all_lines() -> None:
    names = [f"n{number}" for number in range(MOST_FOUND)]

    assert too_much(names, [], entries=0) is None
    for names_found, already, entries in (
        (names, ["one"], 0),
        (names, [], 1),
        (["x" * FOUND_NAME_LENGTH * MOST_FOUND], ["one"], 0),
        (["x" * FOUND_NAME_LENGTH], ["one"], MOST_FOUND - 1),
    ):
        fault = too_much(names_found, already, entries=entries)
        assert fault is not None
        assert fault.reason == "TooMuchFound"


FINDS = st.fixed_dictionaries(
    {"nameRegexp": st.text("ab.", min_size=1, max_size=256)},
    optional={
        "namePrefix": st.text("ab/", min_size=1, max_size=512),
        "tags": st.dictionaries(st.text("ab", min_size=1), st.text("ab"), min_size=1, max_size=3),
    },
)


@given(FINDS, FINDS)
def test_criteria_are_told_apart_within_the_limit(one: dict[str, Any], other: dict[str, Any]) -> None:
    texts = described(find_of(**one)), described(find_of(**other))

    assert max(map(len, texts)) <= FIND_LIMIT
    assert (texts[0] == texts[1]) is (one == other)
