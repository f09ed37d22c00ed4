"""Who is about to read what: one answer for all of them, and none held for nobody."""

from typing import Any

import pytest

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.reading.due import Due, named

A, B, C = (ObjectKey("shop", name) for name in "abc")


def obj(*secrets: str) -> dict[str, Any]:
    return {"spec": {"data": [{"key": "K", "from": {"secret": secret}} for secret in secrets]}}


class Bench:
    """A Due with a clock to set and what it did."""

    def __init__(self) -> None:
        self.time = 0.0
        self.hurried: list[ObjectKey] = []
        self.sweeps = 0
        self.due = Due(clock=lambda: self.time)
        self.due.start(self.hurried.append, self._sweep)

    def _sweep(self) -> None:
        self.sweeps += 1


def test_a_secret_is_wanted_until_the_last_object_that_was_due_for_it_is_served() -> None:
    bench = Bench()
    due = bench.due
    for key in (A, B):
        due.learn(key, obj("s"))
    for key in (A, B):
        assert due.wanted("s")
        due.begin(key)
        due.end(key)

    assert not due.wanted("s")
    assert bench.sweeps == 1


def test_an_object_that_changes_or_goes_is_not_waited_for() -> None:
    bench = Bench()
    bench.due.learn(A, obj("s"))
    bench.due.learn(B, obj("s", "t"))
    bench.due.learn(A, obj("t"))
    bench.due.forget(B)

    assert not bench.due.wanted("s")
    assert bench.due.wanted("t")
    bench.due.forget(A)
    assert not bench.due.wanted("t")


def test_the_others_that_wait_go_next_once_there_is_an_answer() -> None:
    bench = Bench()
    for key in (A, B, C):
        bench.due.learn(key, obj("s") if key != C else obj("t"))
    bench.due.begin(A)
    bench.due.served(A)
    assert bench.hurried == [B]
    bench.due.begin(B)
    bench.due.served(B)

    assert bench.hurried == [B]


def test_a_pass_wants_answers_since_its_object_was_due() -> None:
    bench = Bench()
    bench.time = 5
    bench.due.learn(A, obj("s"))
    bench.time = 9
    assert bench.due.begin(A) == 5
    bench.time = 10
    bench.due.add(A)
    bench.due.end(A)
    assert bench.due.wanted("s")
    bench.time = 12
    assert bench.due.begin(A) == 10
    bench.due.end(A)
    assert bench.due.begin(A) == 12
    bench.due.end(A)
    bench.due.add(A, 3)
    bench.due.add(A, 7)
    assert bench.due.begin(A) == 7


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (obj("b", "a", "b")["spec"], ("a", "b")),
        ({"dataFrom": [{"extract": {"secret": "x"}}, {"extract": {"parameter": "/y"}}]}, ("/y", "x")),
        ({"data": [{"from": {"secret": 1}}, {"from": "x"}, "y", {}], "dataFrom": {}}, ()),
        ({"data": None}, ()),
        (None, ()),
        ([], ()),
    ],
)
def test_names_are_taken_from_specs_of_any_shape(spec: Any, names: tuple[str, ...]) -> None:
    assert named(spec) == names
