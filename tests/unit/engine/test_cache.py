"""The cache never goes back in time, in whatever order news arrives."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.cache import ObjectCache
from pierhead.engine.resource import ObjectKey

KEY = ObjectKey("team", "a")


def thing(version: int, *, uid: str = "u1", name: str = "a") -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "team",
            "name": name,
            "uid": uid,
            "resourceVersion": str(version),
            "managedFields": [{}],
        }
    }


@given(st.lists(st.integers(min_value=1, max_value=50), min_size=1))
def test_the_newest_version_stays_whatever_order_they_come_in(versions: list[int]) -> None:
    cache = ObjectCache()
    newest = 0
    for version in versions:
        assert cache.observe(thing(version)) == (version > newest)
        newest = max(newest, version)
        held = cache.get(KEY)
        assert held is not None
        assert held["metadata"]["resourceVersion"] == str(newest)


def test_versions_are_compared_as_numbers() -> None:
    cache = ObjectCache()
    cache.observe(thing(99))
    assert cache.observe(thing(100))
    assert not cache.observe(thing(99))


def test_an_object_that_is_gone_never_returns_but_its_namesake_may() -> None:
    cache = ObjectCache()
    cache.observe(thing(5))
    assert cache.remove(KEY, "u1")
    assert not cache.observe(thing(9))
    assert cache.observe(thing(10, uid="u2"))
    assert not cache.remove(KEY, "u1")
    assert cache.get(KEY) is not None


def test_the_end_of_an_object_told_after_its_namesakes_beginning_changes_nothing() -> None:
    cache = ObjectCache()
    cache.observe(thing(5))
    cache.observe(thing(9, uid="u2"))
    assert not cache.remove(KEY, "u1")
    held = cache.get(KEY)
    assert held is not None
    assert held["metadata"]["uid"] == "u2"


def test_a_sweep_removes_what_the_list_did_not_have() -> None:
    cache = ObjectCache()
    cache.observe(thing(1, uid="ghost", name="ghost"))
    cache.observe(thing(2, uid="u1"))
    started = cache.mark()
    assert cache.sweep({"u1"}, started) == [ObjectKey("team", "ghost")]
    assert list(cache.keys()) == [KEY]


def test_a_sweep_spares_what_was_seen_after_the_list_began() -> None:
    cache = ObjectCache()
    started = cache.mark()
    cache.observe(thing(7, uid="new", name="new"))
    assert cache.sweep(set(), started) == []
    assert len(cache) == 1


def test_what_was_gone_before_a_list_is_not_remembered_after_it() -> None:
    cache = ObjectCache()
    for number in range(100):
        cache.remove(ObjectKey("team", f"n{number}"), f"uid-{number}")
    cache.sweep(set(), cache.mark())
    assert len(cache._gone) == 0


def test_managed_fields_are_not_kept() -> None:
    cache = ObjectCache()
    cache.observe(thing(1))
    held = cache.get(KEY)
    assert held is not None
    assert "managedFields" not in held["metadata"]
