import pytest

from pierhead.engine.cache import ObjectCache
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import ObjectKey, Resource
from pierhead.kube.resources import CONFIG_MAPS, EVENTS, LEASES
from pierhead.kube.store import EventWriter, KindStore, LeaseStore
from support.objects import config_map

FINALIZER = "example.com/hold"


def widget(resource, namespace, name="w"):
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"size": 1},
    }


async def test_a_status_is_replaced_whole_and_only_at_the_version_it_was_decided_on(kube, namespace, widgets):
    store = KindStore(kube, widgets)
    created = await kube.create(widgets, widget(widgets, namespace))
    first = await store.replace_status(created, {"a": {"x": 1, "y": 2}})
    assert first["status"] == {"a": {"x": 1, "y": 2}}
    second = await store.replace_status(first, {"a": {"x": 1}})
    assert second["status"] == {"a": {"x": 1}}
    assert second["metadata"]["generation"] == 1
    with pytest.raises(Conflict):
        await store.replace_status(first, {"late": True})
    await kube.delete(widgets, "w", namespace)
    with pytest.raises(Conflict):
        await store.replace_status(second, {"late": True})


async def test_a_finalizer_holds_until_the_last_is_taken_away(kube, namespace, widgets):
    store, cache = KindStore(kube, widgets), ObjectCache()
    created = await kube.create(widgets, widget(widgets, namespace))
    resource = Resource(created, store=store, cache=cache)
    await resource.add_finalizer(FINALIZER)
    assert resource.finalizers == [FINALIZER]
    assert not await kube.delete(widgets, "w", namespace)
    stale = resource.object
    live = await store.get(resource.key)
    with pytest.raises(Conflict):
        await store.replace_finalizers(stale, [])
    assert await store.replace_finalizers(live, []) is None
    assert await store.get(resource.key) is None
    with pytest.raises(Conflict):
        await store.replace_finalizers(live, [])


async def test_removing_the_last_finalizer_of_a_living_object_keeps_it(kube, namespace, widgets):
    store = KindStore(kube, widgets)
    created = await kube.create(widgets, widget(widgets, namespace))
    held = await store.replace_finalizers(created, [FINALIZER, "example.com/other"])
    fewer = await store.replace_finalizers(held, ["example.com/other"])
    assert fewer["metadata"]["finalizers"] == ["example.com/other"]
    free = await store.replace_finalizers(fewer, [])
    assert "finalizers" not in free["metadata"]
    assert await store.replace_finalizers(free, []) == free
    stale = created
    with pytest.raises(Conflict):
        await store.replace_finalizers(stale, [FINALIZER])


async def test_pages_cover_the_named_namespaces_and_no_other(kube, namespace, sandbox):
    other = sandbox.create_namespace(f"{namespace}-b")
    for place in (namespace, other, "default"):
        await kube.apply(CONFIG_MAPS, config_map("seen", place))
    keys = {
        ObjectKey.of(obj)
        async for page in KindStore(kube, CONFIG_MAPS, [namespace, other]).pages()
        for obj in page
        if obj["metadata"]["name"] == "seen"
    }
    assert keys == {ObjectKey(namespace, "seen"), ObjectKey(other, "seen")}
    everywhere = {ObjectKey.of(obj) async for page in KindStore(kube, CONFIG_MAPS).pages() for obj in page}
    assert everywhere > keys
    sandbox.api.text("DELETE", f"/api/v1/namespaces/{other}")


async def test_a_lease_is_created_once_and_replaced_by_the_one_who_saw_it_last(kube, namespace):
    store = LeaseStore(kube, namespace=namespace, name="leader")
    assert await store.get() is None
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader", "namespace": namespace},
        "spec": {"holderIdentity": "a", "leaseDurationSeconds": 15},
    }
    created = await store.create(lease)
    with pytest.raises(Conflict):
        await store.create(lease)
    created["spec"]["holderIdentity"] = "b"
    await store.replace(created)
    with pytest.raises(Conflict):
        await store.replace(created)
    assert (await store.get())["spec"]["holderIdentity"] == "b"
    last = await store.get()
    await kube.delete(LEASES, "leader", namespace)
    with pytest.raises(Conflict):
        await store.replace(last)


async def test_an_event_says_what_happened_to_which_object(kube, namespace, widgets):
    created = await kube.create(widgets, widget(widgets, namespace, "x" * 250))
    writer = EventWriter(kube, controller="pierhead.dev/operator", instance="pod-1")
    for _ in range(2):
        await writer.emit(created, "Warning", "Refused", "é" * 2000)
    events = [item async for page in kube.pages(EVENTS, namespace) for item in page.items]
    mine = [event for event in events if event["reportingController"] == "pierhead.dev/operator"]
    assert len(mine) == 2
    assert mine[0]["regarding"]["uid"] == created["metadata"]["uid"]
    assert mine[0]["type"] == "Warning"
    assert len(mine[0]["note"].encode()) <= 1024


async def test_the_event_of_a_cluster_scoped_object_goes_to_the_default_namespace(kube):
    writer = EventWriter(kube, controller="pierhead.dev/operator", instance="pod-1", unique=lambda: "unique")
    node = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default", "uid": "u"}}
    await writer.emit(node, "Normal", "Seen", "hello")
    assert (await kube.get(EVENTS, "default.unique", "default"))["note"] == "hello"
    await kube.delete(EVENTS, "default.unique", "default")
