"""The handle on an object: no write without a difference, no write on what moved on."""

from typing import Any

import pytest

from pierhead.engine.cache import ObjectCache
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import ObjectKey, Resource, as_stored
from support.memory_store import MemoryStore
from support.widgets import FINALIZER

A = ObjectKey("team", "a")


def handle(store: MemoryStore, **metadata: Any) -> tuple[Resource, ObjectCache]:
    cache = ObjectCache()
    obj = store.create("a", **metadata)
    cache.observe(store.live(A))
    return Resource(obj, store=store, cache=cache), cache


async def test_a_status_like_the_stored_one_is_not_written() -> None:
    store = MemoryStore()
    resource, _ = handle(store)
    assert await resource.write_status({"keys": (1, 2), "note": None, "deep": {"a": None}})
    assert not await resource.write_status({"keys": [1, 2], "deep": {}})
    assert len(store.writes) == 1
    assert store.live(A)["status"] == {"keys": [1, 2], "deep": {}}


async def test_what_a_write_answers_is_what_is_read_next_and_cached() -> None:
    store = MemoryStore()
    resource, cache = handle(store)
    await resource.add_finalizer(FINALIZER)
    await resource.write_status({"keys": 1})
    assert resource.finalizers == [FINALIZER]
    assert resource.status == {"keys": 1}
    cached = cache.get(A)
    assert cached is not None
    assert cached["metadata"]["resourceVersion"] == store.live(A)["metadata"]["resourceVersion"]


async def test_a_write_on_what_moved_on_is_a_conflict() -> None:
    store = MemoryStore()
    resource, _ = handle(store)
    store.change(A, {"size": 1})
    with pytest.raises(Conflict):
        await resource.write_status({"keys": 1})
    with pytest.raises(Conflict):
        await resource.add_finalizer(FINALIZER)


async def test_holding_twice_and_letting_go_of_what_is_not_held_write_nothing() -> None:
    store = MemoryStore()
    resource, _ = handle(store)
    await resource.remove_finalizer(FINALIZER)
    await resource.add_finalizer(FINALIZER)
    await resource.add_finalizer(FINALIZER)
    assert len(store.writes) == 1


async def test_letting_go_last_makes_it_gone_from_the_cache_too() -> None:
    store = MemoryStore()
    resource, cache = handle(store, finalizers=[FINALIZER, "other/one"])
    store.delete(A)
    resource = Resource(store.live(A), store=store, cache=cache)
    assert resource.deleting
    await resource.remove_finalizer(FINALIZER)
    assert not resource.gone
    await resource.remove_finalizer("other/one")
    assert resource.gone
    assert cache.get(A) is None
    assert store.keys == []


def test_values_are_compared_as_the_api_server_gives_them_back() -> None:
    assert as_stored({"a": (1, {"b": None}), "c": None}) == {"a": [1, {}]}
