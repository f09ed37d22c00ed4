"""What tests assume of the in-memory store holds for the real API server: one suite, both stores."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import pytest

from pierhead.engine.outcome import Conflict, ReconcileError
from pierhead.engine.resource import Object, ObjectKey, ObjectStore
from pierhead.kube.store import KindStore
from support.lab import Lab
from support.memory_store import MemoryStore

HOLD = "test.pierhead.dev/hold"
OTHER = "test.pierhead.dev/other"


class World(Protocol):
    """A store, and the user beside it."""

    store: ObjectStore

    async def create(self, name: str, **spec: Any) -> Object: ...

    async def change(self, key: ObjectKey, **spec: Any) -> None: ...

    async def delete(self, key: ObjectKey) -> None: ...

    def key(self, name: str) -> ObjectKey: ...


class InMemory:
    def __init__(self) -> None:
        self.memory = MemoryStore()
        self.store: ObjectStore = self.memory

    async def create(self, name: str, **spec: Any) -> Object:
        return self.memory.create(name, spec=spec)

    async def change(self, key: ObjectKey, **spec: Any) -> None:
        self.memory.change(key, {**self.memory.live(key)["spec"], **spec})

    async def delete(self, key: ObjectKey) -> None:
        self.memory.delete(key)

    def key(self, name: str) -> ObjectKey:
        return ObjectKey("team", name)


class OnApiServer:
    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.store: ObjectStore = KindStore(lab.kube, lab.resource, [lab.namespace])

    async def create(self, name: str, **spec: Any) -> Object:
        await self.lab.create(name, **spec)
        return await self.lab.kube.get(self.lab.resource, name, self.lab.namespace)

    async def change(self, key: ObjectKey, **spec: Any) -> None:
        await self.lab.kube.merge_patch(self.lab.resource, key.name, key.namespace, {"spec": spec})

    async def delete(self, key: ObjectKey) -> None:
        await self.lab.kube.delete(self.lab.resource, key.name, key.namespace)

    def key(self, name: str) -> ObjectKey:
        return ObjectKey(self.lab.namespace, name)


@pytest.fixture(params=["memory", "API server"])
def world(request: pytest.FixtureRequest) -> World:
    return InMemory() if request.param == "memory" else OnApiServer(request.getfixturevalue("lab"))


def version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


async def live(world: World, name: str) -> Object:
    found = await world.store.get(world.key(name))
    assert found is not None
    return found


async def held(world: World, name: str, *finalizers: str) -> Object:
    obj = await world.create(name, size=1)
    written = await world.store.replace_finalizers(obj, list(finalizers))
    assert written is not None
    return written


async def test_a_new_object_has_generation_one_and_no_status(world: World) -> None:
    obj = await world.create("a", size=1)
    assert obj["metadata"]["generation"] == 1
    assert "status" not in obj
    assert [item["metadata"]["uid"] async for page in world.store.pages() for item in page] == [
        obj["metadata"]["uid"]
    ]


async def test_the_spec_moves_the_generation_and_status_and_finalizers_do_not(world: World) -> None:
    obj = await world.create("a", size=1)
    await world.change(world.key("a"), size=2)
    changed = await live(world, "a")
    assert changed["metadata"]["generation"] == 2
    assert version(changed) > version(obj)
    shown = await world.store.replace_status(changed, {"size": 2})
    kept = await world.store.replace_finalizers(shown, [HOLD])
    assert kept is not None
    assert version(kept) > version(shown) > version(changed)
    assert kept["metadata"]["generation"] == 2
    assert kept["status"] == {"size": 2}


async def test_a_write_that_changes_nothing_makes_no_new_version(world: World) -> None:
    shown = await world.store.replace_status(await world.create("a", size=1), {"keys": [1]})
    again = await world.store.replace_status(shown, {"keys": [1]})
    assert version(again) == version(shown)
    kept = await world.store.replace_finalizers(again, [HOLD])
    assert kept is not None
    same = await world.store.replace_finalizers(kept, [HOLD])
    assert same is not None
    assert version(same) == version(kept)
    before = version(same)
    await world.change(world.key("a"), size=1)
    assert version(await live(world, "a")) == before


async def test_a_status_write_replaces_it_whole_and_nothing_else(world: World) -> None:
    shown = await world.store.replace_status(await world.create("a", size=1), {"one": 1})
    replaced = await world.store.replace_status(shown, {"two": 2})
    assert replaced["status"] == {"two": 2}
    assert replaced["spec"] == {"size": 1}


@pytest.mark.parametrize(
    "write",
    [
        lambda store, obj: store.replace_status(obj, {"size": 1}),
        lambda store, obj: store.replace_finalizers(obj, [HOLD]),
    ],
    ids=["status", "finalizers"],
)
async def test_a_write_on_a_version_that_is_no_more_is_a_conflict(
    world: World, write: Callable[[ObjectStore, Object], Awaitable[object]]
) -> None:
    obj = await world.create("a", size=1)
    await world.change(world.key("a"), size=2)
    with pytest.raises(Conflict):
        await write(world.store, obj)
    await world.delete(world.key("a"))
    with pytest.raises(Conflict):
        await write(world.store, obj)
    assert await world.store.get(world.key("a")) is None


async def test_a_namesake_is_another_object(world: World) -> None:
    obj = await world.create("a", size=1)
    await world.delete(world.key("a"))
    second = await world.create("a", size=1)
    assert second["metadata"]["uid"] != obj["metadata"]["uid"]
    assert version(second) > version(obj)
    with pytest.raises(Conflict):
        await world.store.replace_status(obj, {"size": 1})


async def test_a_held_object_waits_for_its_finalizers_and_goes_with_the_last(world: World) -> None:
    kept = await held(world, "a", HOLD, OTHER)
    await world.delete(world.key("a"))
    dying = await live(world, "a")
    assert "deletionTimestamp" in dying["metadata"]
    assert dying["metadata"]["generation"] == kept["metadata"]["generation"] + 1
    await world.delete(world.key("a"))
    assert version(await live(world, "a")) == version(dying)
    one_left = await world.store.replace_finalizers(dying, [OTHER])
    assert one_left is not None
    assert one_left["metadata"]["finalizers"] == [OTHER]
    assert await world.store.replace_finalizers(one_left, []) is None
    assert await world.store.get(world.key("a")) is None


async def test_a_dying_object_takes_no_new_finalizer_but_still_a_status(world: World) -> None:
    await held(world, "a", OTHER)
    await world.delete(world.key("a"))
    dying = await live(world, "a")
    with pytest.raises(ReconcileError) as refused:
        await world.store.replace_finalizers(dying, [OTHER, HOLD])
    assert refused.value.terminal
    shown = await world.store.replace_status(dying, {"phase": "Dying"})
    assert shown["status"] == {"phase": "Dying"}
    await world.store.replace_finalizers(shown, [])
