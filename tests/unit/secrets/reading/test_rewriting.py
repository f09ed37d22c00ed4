"""From names to keys: steps in order, in any order of names, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.properties import Fault
from pierhead.secrets.model.rewriting import Rewrite
from pierhead.secrets.reading.rewriting import NAME_LIMIT, keys_of


def steps(*given: tuple[str, str]) -> list[Rewrite]:
    return [Rewrite(pattern=pattern, replace=replace) for pattern, replace in given]


@pytest.mark.parametrize(
    ("name", "given_steps", "key"),
    [
        ("db", [], "db"),
        ("shop/db", [("^shop/", "")], "db"),
        ("shop/db/user", [("^shop/", ""), ("/", "_")], "db_user"),
        ("a-b", [("^(a)-(b)$", "$2-$1")], "b-a"),
        ("ab", [("(?P<first>.)(.)", "${2}${first}")], "ba"),
        ("a", [("a", "$$"), (r"\$", "x")], "x"),
        ("ab", [("b", "[$0]"), (r"[\[\]]", "-")], "a-b-"),
        ("a", [("(a)|(b)", "x$2")], "x"),
        ("db", [("^", "P_")], "P_db"),
        ("db", [("nothing", "x")], "db"),
        ("db", [("(.*)", "X_$1")], "X_db"),
        ("aab", [("a*", "x")], "xbx"),
        ("Äb", [("Ä", "AE")], "AEb"),
        ("ab", [("(a)", "${1}1")], "a1b"),
    ],
)
def test_steps_follow_each_other(name: str, given_steps: list[tuple[str, str]], key: str) -> None:
    assert keys_of([name], steps(*given_steps), what="secret") == {name: key}


@pytest.mark.parametrize(
    ("names", "given_steps", "reason", "words"),
    [
        (["shop/db"], [], "BadKey", "secret 'shop/db' cannot be a key: keys have"),
        (["shop/db"], [("shop", "x")], "BadKey", "secret 'shop/db' cannot be a key, as 'x/db'"),
        (["db"], [("db", "")], "BadKey", "as ''"),
        (["db"], [("db", "..x")], "BadKey", "as '..x'"),
        (
            ["a1", "a2"],
            [("[0-9]", "")],
            "KeyCollision",
            "secret 'a1' and secret 'a2' both become the key 'a'",
        ),
        (["db"], [("x", "y"), ("(d)", "$2")], "BadPattern", "rewrite[1]: replace names the group 2"),
        (["db"], [("(d)", "${who}")], "BadPattern", "the group who"),
        (["a" * 200], [("a", "b" * 256)], "BadKey", f"becomes longer than {NAME_LIMIT} characters"),
        (["a" * (NAME_LIMIT + 1)], [("a", "b")], "BadKey", "is longer than"),
        (["a\ud800"], [("a", "b")], "BadKey", "surrogate"),
        (["a\ud800"], [], "BadKey", "cannot be a key"),
        (["a" * 1000] + [f"{n:0900}" for n in range(99)], [("x{1000}", "b")], "BadPattern", "too long"),
    ],
)
def test_what_cannot_become_a_key_is_named(
    names: list[str], given_steps: list[tuple[str, str]], reason: str, words: str
) -> None:
    fault = keys_of(names, steps(*given_steps), what="secret")

    assert isinstance(fault, Fault)
    assert fault.reason == reason
    assert words in fault.message


PATTERNS = st.sampled_from(["[0-9]", "^a", "a|b", "(.)(.)", "b$", ""]).filter(bool)


@given(
    st.lists(st.text("ab01-", min_size=1, max_size=4), unique=True, max_size=6).flatmap(
        lambda names: st.tuples(st.just(names), st.permutations(names))
    ),
    st.lists(st.tuples(PATTERNS, st.sampled_from(["", "x", "$0$0", "-"])), max_size=3),
)
def test_the_order_of_names_changes_nothing_and_no_two_share_a_key(
    names: tuple[list[str], list[str]], given_steps: list[tuple[str, str]]
) -> None:
    first, second = (keys_of(order, steps(*given_steps), what="secret") for order in names)

    assert first == second
    if not isinstance(first, Fault):
        assert set(first) == set(names[0])
        assert len(set(first.values())) == len(first)


def test_a_pattern_that_would_take_others_forever_takes_no_time() -> None:
    evil = steps((r"^(a+)+$", "x"), (r"(.*)*y", "z"))

    assert keys_of(["a" * 250 + "-"], evil, what="property") == {"a" * 250 + "-": "a" * 250 + "-"}
