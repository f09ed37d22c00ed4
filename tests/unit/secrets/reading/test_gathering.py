"""From what was found to keys: what stays, what goes, what fails, and in no order."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.decide import decide, lost, marker_of
from pierhead.secrets.reading.found import Found
from pierhead.secrets.reading.references import Reference, Version
from pierhead.secrets.reading.sources import Source, collect
from support.secret_specs import DENIED, GONE, entry, live_of, spec_of, status_of

CANARY = "hunter2"
STRIPPED = [{"pattern": "^shop/", "replace": ""}]
AT = "spec.dataFrom[0]"


def spec_with(policy: str = "Retain", **line: Any) -> Any:
    given_line = {"find": {"namePrefix": "shop/"}, "rewrite": STRIPPED, **line}
    return spec_of(dataFrom=[given_line], onSourceDelete=policy)


def found_of(
    *names: str, gone: tuple[str, ...] = (), unknown: tuple[str, ...] = (), before: tuple[str, ...] = ()
) -> Found:
    return Found(names, frozenset(gone), frozenset(unknown), {name: f"v1-{name}" for name in before})


def source_of(spec: Any, found: Found, **values: str | Fault) -> Source:
    """What the one line gives; values by name below `shop/`, at version `v1-NAME`."""
    answers: dict[Reference, Version | Fault] = {}
    for name in found.names:
        value = values.get(name.removeprefix("shop/"), "x")
        answer = value if isinstance(value, Fault) else Version(f"v1-{name}", value)
        answers[Reference(name)] = answer
    (source,) = collect(spec, answers, {AT: found})
    return source


def test_each_is_a_key_named_as_rewritten() -> None:
    source = source_of(spec_with(), found_of("shop/a", "shop/b"), a="1", b="2")

    assert source.fault is None
    assert source.values == {"a": b"1", "b": b"2"}
    assert source.gathered is not None
    assert [(one.name, one.version_id) for one in source.gathered.members] == [
        ("shop/a", "v1-shop/a"),
        ("shop/b", "v1-shop/b"),
    ]


def test_parameters_are_named_by_the_rest_of_their_path() -> None:
    spec = spec_of(dataFrom=[{"find": {"path": "/shop/prod"}, "rewrite": [{"pattern": "/", "replace": "."}]}])
    reference = Reference("/shop/prod/db/password", kind="parameter")
    found = Found((reference.name,), answers={reference: Version("1@1.000", "pw")})
    (source,) = collect(spec, {}, {AT: found})

    assert source.values == {"db.password": b"pw"}


@pytest.mark.parametrize(
    ("line", "found", "values", "reason", "words"),
    [
        ({"rewrite": []}, found_of("shop/a"), {}, "BadKey", "secret 'shop/a' cannot be a key"),
        ({}, found_of("shop/a", "shop/b"), {"b": DENIED}, "AccessDenied", "secret 'shop/b': no"),
        ({"decode": "Base64"}, found_of("shop/a"), {"a": CANARY}, "NotBase64", "secret 'shop/a': is not"),
        ({}, found_of(), {}, "NothingFound", "finds no secret"),
        (
            {"rewrite": [{"pattern": "^shop/.*", "replace": "K"}]},
            found_of("shop/a", "shop/b"),
            {},
            "KeyCollision",
            "secret 'shop/a' and secret 'shop/b' both become the key 'K'",
        ),
        ({}, Found(fault=Fault("TooMuchFound", "finds 101")), {}, "TooMuchFound", "finds 101"),
    ],
)
def test_what_cannot_be_used_is_named(
    line: dict[str, Any], found: Found, values: dict[str, Any], reason: str, words: str
) -> None:
    source = source_of(spec_with(**line), found, **values)

    assert source.fault is not None
    assert (source.fault.reason, source.absent) == (reason, False)
    assert words in source.fault.message
    assert source.label == f"{AT} (namePrefix shop/)"
    assert CANARY not in repr(source)


def test_an_optional_find_of_nothing_is_nothing() -> None:
    source = source_of(spec_with(optional=True), found_of())

    assert (source.fault, source.values) == (None, {})


@pytest.mark.parametrize(
    ("case", "policy", "found", "values", "retained", "members"),
    [
        ("gone", "Retain", found_of("shop/a", gone=("shop/b",), before=("shop/a", "shop/b")), {}, {"b"}, 2),
        ("gone", "Delete", found_of("shop/a", gone=("shop/b",), before=("shop/a", "shop/b")), {}, set(), 1),
        ("lag", "Delete", found_of("shop/a", unknown=("shop/b",), before=("shop/b",)), {}, {"b"}, 2),
        ("late list", "Retain", found_of("shop/a", "shop/b", before=("shop/b",)), {"b": GONE}, {"b"}, 2),
        ("late list", "Delete", found_of("shop/a", "shop/b", before=("shop/b",)), {"b": GONE}, set(), 1),
        ("never had", "Retain", found_of("shop/a", "shop/b"), {"b": GONE}, set(), 1),
        ("all gone", "Retain", found_of(gone=("shop/a",), before=("shop/a",)), {}, {"a"}, 1),
    ],
)
def test_what_was_there_stays_unless_it_is_proven_gone_and_to_be_deleted(
    case: str, policy: str, found: Found, values: dict[str, Any], retained: set[str], members: int
) -> None:
    source = source_of(spec_with(policy), found, **values)

    assert source.fault is None, case
    assert source.retained == retained
    assert source.gathered is not None
    assert len(source.gathered.members) == members


def test_the_secret_may_go_when_all_that_was_found_is_proven_gone() -> None:
    found = found_of(gone=("shop/a",), before=("shop/a",))

    assert source_of(spec_with("Delete"), found).absent
    assert source_of(spec_with("Delete", optional=True), found).absent
    assert not source_of(spec_with("Delete"), found_of()).absent


def test_a_key_that_stays_makes_room_for_one_that_is_there() -> None:
    spec = spec_with(rewrite=[{"pattern": "^shop/(.).*", "replace": "$1"}])
    source = source_of(spec, found_of("shop/a2", gone=("shop/a1",), before=("shop/a1",)))

    assert source.fault is None
    assert (set(source.values), source.retained) == ({"a"}, frozenset())


def test_a_secret_that_left_the_list_restarts_nothing_and_loses_no_key() -> None:
    spec = spec_with()
    first = source_of(spec, found_of("shop/a", "shop/b"))
    stored = status_of(marker_of([first], None), live=live_of())
    gone = source_of(spec, found_of("shop/a", gone=("shop/b",), before=("shop/a", "shop/b")))
    decision = decide(spec, [gone], live=live_of(), stored=stored)

    assert (decision.action, decision.restart, decision.retained) == ("Keep", False, {"b"})
    assert lost(spec, [gone], stored).keys == {"b"}


def test_what_is_found_anew_restarts_and_other_criteria_for_the_same_do_not() -> None:
    spec = spec_with()
    other = spec_with(find={"nameRegexp": "^shop/"})
    one, two = found_of("shop/a"), found_of("shop/a", "shop/b")

    assert marker_of([source_of(spec, one)], None) != marker_of([source_of(spec, two)], None)
    assert marker_of([source_of(spec, one)], None) == marker_of([source_of(other, one)], None)


def test_a_found_key_that_another_line_gives_is_a_collision() -> None:
    spec = spec_of(data=[entry("a")], dataFrom=[{"find": {"namePrefix": "shop/"}, "rewrite": STRIPPED}])
    answers = {Reference(name): Version("v", "x") for name in ("shop/db", "shop/a")}
    _, source = collect(spec, answers, {AT: found_of("shop/a")})

    assert source.fault is not None
    assert source.fault.reason == "KeyCollision"


NAMES = st.lists(st.sampled_from([f"shop/{name}" for name in ("a", "b", "a1", "b1", "c/d")]), unique=True)


@given(
    NAMES.flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))),
    st.sampled_from(["", "x", "_"]),
    st.dictionaries(st.sampled_from("ab"), st.sampled_from([GONE, DENIED])),
)
def test_the_order_of_what_was_found_changes_nothing(
    names: tuple[list[str], list[str]], replacement: str, faults: dict[str, Fault]
) -> None:
    spec = spec_with(rewrite=[*STRIPPED, {"pattern": "[1/]", "replace": replacement}])
    first, second = (source_of(spec, found_of(*order), **faults) for order in names)

    assert first == second
