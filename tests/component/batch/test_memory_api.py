"""What the fault runs assume of the API server in memory holds for a real one: one suite, both."""

from collections.abc import Callable
from typing import Any

import pytest

from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object, ObjectKey
from pierhead.kube.client import Client
from pierhead.kube.errors import AlreadyExists, NotFound, Rejected
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS, ResourceType
from pierhead.kube.store import KindStore
from support.memory_api import MemoryApi
from support.waiting import eventually

HOLD, OTHER = "pierhead.dev/hold", "example.com/other"


class World:
    """A client of one of the two."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.store = KindStore(client, BATCH_JOBS, [namespace])

    async def create(self, name: str = "a", resource: ResourceType = BATCH_JOBS, **fields: Any) -> Object:
        if resource == BATCH_JOBS:
            fields.setdefault("spec", {"queue": "q", "jobDefinition": "d"})
        return await self.client.create(
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": name, "namespace": self.namespace, **fields.pop("metadata", {})},
                **fields,
            },
        )

    async def live(self, name: str = "a", resource: ResourceType = BATCH_JOBS) -> Object:
        return await self.client.get(resource, name, self.namespace)

    async def change(self, **spec: Any) -> Object:
        return await self.client.merge_patch(BATCH_JOBS, "a", self.namespace, {"spec": spec})

    async def delete(self, name: str = "a", **preconditions: str) -> bool:
        return await self.client.delete(BATCH_JOBS, name, self.namespace, **preconditions)


@pytest.fixture(params=["memory", "API server"])
def world(request: pytest.FixtureRequest) -> World:
    if request.param == "memory":
        api = MemoryApi(BATCH_JOBS, CONFIG_MAPS, with_status=(BATCH_JOBS,))
        return World(Client(api), "team")  # type: ignore[arg-type]
    request.getfixturevalue("batch_jobs_served")
    return World(request.getfixturevalue("kube"), request.getfixturevalue("namespace"))


def version(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


async def test_spec_and_deletion_move_the_generation_and_nothing_else_does(world: World) -> None:
    obj = await world.create(status={"size": 3}, metadata={"finalizers": [HOLD], "uid": "mine"})
    assert (obj["metadata"]["generation"], "status" in obj) == (1, False)
    assert obj["metadata"]["uid"] != "mine"
    shown = await world.store.replace_status(obj, {"size": 1})
    labels = {"metadata": {"labels": {"x": "y"}}}
    labelled = await world.client.merge_patch(BATCH_JOBS, "a", world.namespace, labels)
    assert labelled["status"] == {"size": 1}
    changed = await world.change(suspend=True)
    assert [each["metadata"]["generation"] for each in (shown, labelled, changed)] == [1, 1, 2]
    assert version(obj) < version(shown) < version(labelled) < version(changed)
    assert "suspend" not in (await world.change(suspend=None))["spec"]
    assert not await world.delete()
    dying = await world.live()
    assert dying["metadata"]["generation"] == 4
    assert "deletionTimestamp" in dying["metadata"]


async def test_what_changes_nothing_makes_no_version(world: World) -> None:
    shown = await world.store.replace_status(await world.create(), {"size": 1, "shards": []})
    assert version(await world.store.replace_status(shown, {"size": 1, "shards": []})) == version(shown)
    assert version(await world.change(queue="q")) == version(shown)
    kept = await world.store.replace_finalizers(shown, [HOLD])
    again = await world.store.replace_finalizers(kept or {}, [HOLD])
    assert again is not None
    assert version(again) == version(kept or {}) > version(shown)


@pytest.mark.parametrize(
    "write",
    [
        lambda world, obj: world.store.replace_status(obj, {"size": 1}),
        lambda world, obj: world.store.replace_finalizers(obj, [HOLD]),
    ],
    ids=["status", "finalizers"],
)
async def test_a_write_on_a_version_that_is_no_more_is_a_conflict(
    world: World, write: Callable[[World, Object], Any]
) -> None:
    obj = await world.create()
    await world.change(suspend=True)
    with pytest.raises(Conflict):
        await write(world, obj)
    assert await world.delete()
    with pytest.raises(Conflict):
        await write(world, obj)
    assert await world.store.get(ObjectKey(world.namespace, "a")) is None
    namesake = await world.create()
    assert namesake["metadata"]["uid"] != obj["metadata"]["uid"]
    with pytest.raises(Conflict):
        await write(world, obj)


async def test_it_goes_with_its_last_finalizer_and_takes_no_new_one(world: World) -> None:
    await world.create(metadata={"finalizers": [HOLD, OTHER]})
    assert not await world.delete()
    dying = await world.live()
    with pytest.raises(Rejected):
        await world.store.replace_finalizers(dying, [HOLD, OTHER, "example.com/third"])
    assert not await world.delete()
    assert version(await world.live()) == version(dying)
    shown = await world.store.replace_status(dying, {"size": 2})
    one_left = await world.store.replace_finalizers(shown, [OTHER])
    assert one_left is not None
    assert await world.store.replace_finalizers(one_left, []) is None
    with pytest.raises(NotFound):
        await world.live()


async def test_the_answer_to_the_last_finalizer_shows_that_it_is_gone(world: World) -> None:
    """Fault runs take from it that nothing is left."""
    await world.create(metadata={"finalizers": [HOLD]})
    await world.delete()
    gone = await world.client.json_patch(
        BATCH_JOBS, "a", world.namespace, [{"op": "remove", "path": "/metadata/finalizers"}]
    )
    assert "deletionTimestamp" in gone["metadata"]
    assert not gone["metadata"].get("finalizers")


async def test_a_deletion_of_another_uid_is_a_conflict_and_one_of_nothing_is_fine(world: World) -> None:
    obj = await world.create()
    with pytest.raises(Conflict):
        await world.delete(uid="00000000-0000-0000-0000-000000000000")
    assert await world.delete(uid=obj["metadata"]["uid"])
    assert await world.delete(uid=obj["metadata"]["uid"])


async def test_a_list_has_what_is_there(world: World) -> None:
    await world.create("b")
    await world.create("a")
    found = [item async for page in world.store.pages() for item in page]
    assert sorted(item["metadata"]["name"] for item in found) == ["a", "b"]
    assert {item["kind"] for item in found} == {"BatchJob"}


async def test_a_config_map_is_made_once_replaced_at_its_version_and_goes_with_its_owner(
    world: World,
) -> None:
    owner = await world.create()
    reference = {
        "apiVersion": BATCH_JOBS.api_version,
        "kind": BATCH_JOBS.kind,
        "name": "a",
        "uid": owner["metadata"]["uid"],
    }
    metadata = {"ownerReferences": [reference]}
    made = await world.create("r", CONFIG_MAPS, metadata=metadata, binaryData={"indexes": "AA=="})
    with pytest.raises(AlreadyExists):
        await world.create("r", CONFIG_MAPS, metadata=metadata)
    replaced = await world.client.replace(CONFIG_MAPS, {**made, "binaryData": {"indexes": "AQ=="}})
    assert version(replaced) > version(made)
    with pytest.raises(Conflict):
        await world.client.replace(CONFIG_MAPS, made)
    assert (await world.live("r", CONFIG_MAPS))["binaryData"] == {"indexes": "AQ=="}
    await world.delete()

    async def gone() -> bool:
        try:
            await world.live("r", CONFIG_MAPS)
        except NotFound:
            return True
        return False

    await eventually(gone, seconds=60)
