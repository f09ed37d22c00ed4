"""Watches of a real API server, with faults made on the wire."""

import asyncio
import json
from collections import Counter
from random import Random

import pytest
from structlog.testing import capture_logs

from pierhead.engine.outcome import Transient
from pierhead.engine.resource import ObjectKey
from pierhead.kube import errors
from pierhead.kube.credentials import Identity
from pierhead.kube.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from pierhead.kube.watch import Pace, Watch
from pierhead.kube.watch_set import WatchKey, WatchSet
from support.objects import config_map, definition, served
from support.proxy import status_body
from support.waiting import eventually

FAST = Pace(first_backoff=0.01, longest_backoff=0.1)


class Told:
    """What a handler was told, to be waited for."""

    def __init__(self):
        self.events = []
        self.live = {}
        self._moved = asyncio.Event()

    def __call__(self, event_type, obj):
        key = ObjectKey.of(obj)
        self.events.append((event_type, key.name))
        if event_type == "DELETED":
            assert key in self.live, f"{key} deleted but never added"
            del self.live[key]
        else:
            assert (event_type == "ADDED") == (key not in self.live)
            self.live[key] = obj
        self._moved.set()

    async def until(self, condition):
        async with asyncio.timeout(10):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    def names(self):
        return sorted(key.name for key in self.live)


@pytest.fixture
async def told():
    return Told()


@pytest.fixture
async def watching(client, namespace, told):
    """Starts a watch of the namespace's ConfigMaps labelled set=x."""
    tasks = []

    async def start(**options):
        selected = {"namespace": namespace, "label_selector": "set=x", "pace": FAST} | options
        watch = Watch(client, CONFIG_MAPS, told, random=Random(1), **selected)
        tasks.append(asyncio.create_task(watch.run()))
        return watch

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def put(kube, namespace, name, value="1", label="x"):
    return await kube.apply(CONFIG_MAPS, config_map(name, namespace, {"set": label}, key=value))


async def test_what_was_there_and_what_comes_is_told_once(kube, namespace, told, watching):
    for name in "abc":
        await put(kube, namespace, name)
    watch = await watching(page_size=2)
    await watch.ready()
    assert told.names() == ["a", "b", "c"]
    await put(kube, namespace, "a", "2")
    await put(kube, namespace, "d")
    await put(kube, namespace, "b", label="y")
    await kube.delete(CONFIG_MAPS, "c", namespace)
    await told.until(lambda: told.names() == ["a", "d"])
    assert Counter(told.events[3:]) == Counter(
        [("MODIFIED", "a"), ("ADDED", "d"), ("DELETED", "b"), ("DELETED", "c")]
    )
    assert watch.lists == 1
    assert watch.error is None
    assert all("managedFields" not in obj["metadata"] for obj in told.live.values())
    kept = watch.objects[ObjectKey(namespace, "a")]
    assert kept["metadata"]["labels"] == {"set": "x"}
    assert "data" not in kept


async def test_metadata_only_events_carry_the_real_kind(kube, namespace, told, watching):
    watch = await watching(metadata_only=True)
    await watch.ready()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    obj = told.live[ObjectKey(namespace, "a")]
    assert (obj["apiVersion"], obj["kind"]) == ("v1", "ConfigMap")
    assert "data" not in obj


async def test_what_happened_in_a_gap_is_told_when_the_version_is_gone(
    kube, namespace, told, watching, proxy
):
    for name in "abc":
        await put(kube, namespace, name)
    watch = await watching()
    await watch.ready()
    await until_watched(proxy)
    first = await kube.get(CONFIG_MAPS, "c", namespace)
    gone = proxy.fail(verb="watch", status=410, body=status_body(410, "Expired"), times=1)
    listing = asyncio.Event()

    async def wait(_request):
        await listing.wait()

    proxy.fail(verb="get", action=wait, passes=True)
    proxy.cut_streams()
    await gone.hit.wait()
    await kube.delete(CONFIG_MAPS, "a", namespace)
    await put(kube, namespace, "b", "2")
    await kube.delete(CONFIG_MAPS, "c", namespace)
    again = await put(kube, namespace, "c", "3")
    await put(kube, namespace, "d")
    listing.set()
    await told.until(lambda: told.names() == ["b", "c", "d"] and len(told.events) == 8)
    assert Counter(told.events[3:]) == Counter(
        [("DELETED", "a"), ("MODIFIED", "b"), ("DELETED", "c"), ("ADDED", "c"), ("ADDED", "d")]
    )
    assert told.live[ObjectKey(namespace, "c")]["metadata"]["uid"] == again["metadata"]["uid"]
    assert first["metadata"]["uid"] != again["metadata"]["uid"]
    assert watch.lists == 2


async def until_watched(proxy, count=1):
    def opened():
        return sum(request.verb == "watch" and request.status == 200 for request in proxy.requests)

    await eventually(lambda: opened() >= count)


def error_event(code, reason):
    return json.dumps({"type": "ERROR", "object": status_body(code, reason)}).encode()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (error_event(410, "Expired"), None),
        (error_event(500, "InternalError"), errors.ServerError),
        (error_event(403, "Forbidden"), errors.Forbidden),
        (b"this is not json", Transient),
        (b'{"type": "SURPRISE", "object": {"metadata": {"name": "x"}}}', Transient),
    ],
)
async def test_an_error_on_the_stream_leads_to_a_new_list(kube, namespace, told, watching, proxy, line, kind):
    seen = []
    proxy.fail(verb="watch", edit=lambda _line: [line])
    watch = await watching()
    original = watch._back_off

    async def spy(failure):
        seen.append(failure)
        await original(failure)

    watch._back_off = spy
    await watch.ready()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    await until_watched(proxy, 2)
    assert watch.lists >= 2
    assert (type(seen[0]) if seen[0] else None) is kind


async def test_a_cut_stream_goes_on_from_the_last_version_without_a_list(
    kube, namespace, told, watching, proxy
):
    watch = await watching()
    await watch.ready()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    outage = asyncio.Event()
    proxy.fail(verb="watch", times=3, action=lambda _request: noted(outage))
    proxy.cut_streams()
    await outage.wait()
    await put(kube, namespace, "b")
    await told.until(lambda: told.names() == ["a", "b"])
    assert watch.lists == 1


async def noted(event):
    event.set()


async def test_bookmarks_alone_move_the_version(kube, namespace, told, watching, proxy):
    def bookmarks_only(line):
        event = json.loads(line)
        bookmark = {"kind": "ConfigMap", "apiVersion": "v1"}
        bookmark["metadata"] = {"resourceVersion": event["object"]["metadata"]["resourceVersion"]}
        return [json.dumps({"type": "BOOKMARK", "object": bookmark}).encode()]

    proxy.fail(verb="watch", edit=bookmarks_only)
    watch = await watching()
    await watch.ready()
    await until_watched(proxy)
    made = await put(kube, namespace, "a")
    await eventually(lambda: watch._version == made["metadata"]["resourceVersion"])
    assert told.events == []
    proxy.cut_streams()
    await until_watched(proxy, 2)
    last = [request for request in proxy.requests if request.verb == "watch"][-1]
    assert last.query["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert last.query["allowWatchBookmarks"] == "true"


async def test_a_stream_cut_in_the_middle_of_a_line_loses_nothing(kube, namespace, told, watching, proxy):
    state = {"cut": False}

    def half(line):
        if state["cut"]:
            return [line]
        state["cut"] = True
        return None

    proxy.fail(verb="watch", edit=half, times=None)
    watch = await watching()
    await watch.ready()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    assert state["cut"]


async def test_a_version_from_the_future_is_found_out_by_its_silence(kube, namespace, told, watching, proxy):
    watch = await watching(pace=Pace(silence=0.3, first_backoff=0.01))
    await watch.ready()
    await until_watched(proxy)
    watch._version = "999999999999"
    proxy.cut_streams()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    asked = {request.query["resourceVersion"] for request in proxy.requests if request.verb == "watch"}
    assert "999999999999" in asked


async def test_a_silence_alone_is_no_failure(namespace, told, watching, proxy):
    """A kind of which nothing is there has no events, and of some API servers no bookmarks."""
    with capture_logs() as logs:
        watch = await watching(pace=Pace(silence=0.3, first_backoff=0.01))
        await until_watched(proxy, 3)
    assert watch.error is None
    assert logs == []


async def test_a_cut_before_any_event_needs_no_list(kube, namespace, told, watching, proxy):
    watch = await watching()
    await watch.ready()
    await until_watched(proxy)
    proxy.cut_streams()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    assert watch.lists == 1


async def test_the_server_is_asked_for_a_spread_time_out(client, namespace, told, watching, proxy):
    watch = await watching(pace=Pace(server_timeout=1, first_backoff=0.01))
    await watch.ready()
    await until_watched(proxy, 2)
    asked = [int(request.query["timeoutSeconds"]) for request in proxy.requests if request.verb == "watch"]
    assert set(asked) <= {1, 2}
    assert watch.lists == 1


async def test_a_refused_list_is_told_and_tried_again(kube, namespace, told, watching, proxy):
    proxy.fail(verb="get", status=403, body=status_body(403, "Forbidden"), times=2)
    watch = await watching()
    with pytest.raises(errors.Forbidden, match="made by the test"):
        await watch.ready()
    assert not watch.synced
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    assert watch.error is None


async def test_a_watch_refused_later_is_reported_and_loses_nothing(kube, namespace, told, watching, proxy):
    watch = await watching()
    await watch.ready()
    await put(kube, namespace, "a")
    await told.until(lambda: told.names() == ["a"])
    refused = proxy.fail(verb="watch", status=403, body=status_body(403, "Forbidden"), times=None)
    proxy.cut_streams()
    await refused.hit.wait()
    await eventually(lambda: isinstance(watch.error, errors.Forbidden))
    assert told.names() == ["a"]
    await put(kube, namespace, "b")
    proxy.heal()
    await told.until(lambda: told.names() == ["a", "b"])
    assert watch.error is None
    assert watch.lists == 1


async def test_a_handler_that_raises_costs_nobody_else_an_event(kube, namespace, client):
    seen = []

    def handler(event_type, obj):
        seen.append(obj["metadata"]["name"])
        raise RuntimeError("a bug")

    watch = Watch(client, CONFIG_MAPS, handler, namespace=namespace, label_selector="set=x", pace=FAST)
    task = asyncio.create_task(watch.run())
    await watch.ready()
    await put(kube, namespace, "a")
    await put(kube, namespace, "b")
    await eventually(lambda: seen == ["a", "b"])
    task.cancel()


async def test_nothing_is_lost_in_a_storm_of_faults(kube, namespace, told, watching, proxy):
    """Random cuts, expiries, throttles and errors; what was told must add up to what is there."""
    random = Random(20)

    def spoil(line):
        draw = random.random()
        if draw < 0.15:
            return None
        if draw < 0.25:
            return [error_event(410, "Expired")]
        if draw < 0.3:
            return [error_event(500, "InternalError")]
        return [line]

    proxy.fail(verb="watch", times=None, edit=spoil)
    watch = await watching(page_size=5, pace=Pace(first_backoff=0.005, longest_backoff=0.02))
    await watch.ready()
    alive = set()
    for number in range(150):
        name = f"m{random.randrange(12)}"
        if random.random() < 0.4:
            await kube.delete(CONFIG_MAPS, name, namespace)
            alive.discard(name)
        else:
            await put(kube, namespace, name, str(number))
            alive.add(name)
        if number % 25 == 0:
            proxy.cut_streams()
    await told.until(lambda: told.names() == sorted(alive))
    live = {
        ObjectKey.of(item): item["metadata"]["resourceVersion"]
        async for page in kube.pages(CONFIG_MAPS, namespace, label_selector="set=x")
        for item in page.items
    }
    await told.until(
        lambda: {key: obj["metadata"]["resourceVersion"] for key, obj in told.live.items()} == live
    )
    assert watch.lists > 1


@pytest.fixture
async def watches(client, told):
    watches = WatchSet(client, told, pace=FAST, random=Random(1))
    yield watches
    await watches.close()


async def test_one_watch_serves_all_who_hold_its_key(kube, namespace, told, watches, proxy):
    await put(kube, namespace, "a")
    key = WatchKey(CONFIG_MAPS, namespace, "set=x")
    await asyncio.gather(*(watches.ensure(key, holder) for holder in ("one", "two", "two")))
    assert len(watches) == 1
    assert told.names() == ["a"]
    assert proxy.count("get", "configmaps") == 1
    assert watches.get(key, ObjectKey(namespace, "a"))["data"] == {"key": "1"}
    assert [obj["metadata"]["name"] for obj in watches.objects(key)] == ["a"]
    watches.release(key, "one")
    watches.release(key, "one")
    assert watches.held("two") == {key}
    assert len(watches) == 1
    watches.release_all("two")
    assert len(watches) == 0
    assert watches.get(key, ObjectKey(namespace, "a")) is None


async def test_watching_as_an_account_needs_its_rights(kube, namespace, told, watches, sandbox):
    key = WatchKey(CONFIG_MAPS, namespace, "set=x", Identity(namespace, "default"))
    with pytest.raises(errors.Forbidden, match=f"{namespace}:default"):
        await watches.ensure(key)
    assert len(watches) == 0
    sandbox.kubectl(
        "create",
        "rolebinding",
        "v",
        "-n",
        namespace,
        "--clusterrole=view",
        f"--serviceaccount={namespace}:default",
    )
    await put(kube, namespace, "a")
    async with asyncio.timeout(10):
        while True:
            try:
                await watches.ensure(key)
                break
            except errors.Forbidden:
                await asyncio.sleep(0.05)
    assert told.names() == ["a"]


async def test_a_list_that_takes_too_long_goes_on_in_the_background(kube, namespace, told, watches, proxy):
    await put(kube, namespace, "a")
    proxy.fail(verb="get", status=500, times=3)
    key = WatchKey(CONFIG_MAPS, namespace, "set=x")
    with pytest.raises(Transient, match="cannot list configmaps"):
        await watches.ensure(key, timeout_seconds=0.02)
    await told.until(lambda: told.names() == ["a"])
    await watches.ensure(key)
    assert watches.errors() == {}


async def test_a_kind_that_goes_and_comes_back_is_picked_up_again(kube, namespace, told, watches):
    group = "comeback.example.com"
    resource = ResourceType(group, "v1", "gadgets", "Gadget")
    key = WatchKey(resource, namespace, metadata_only=True)
    with pytest.raises(errors.UnknownKind, match="no kind Gadget in comeback"):
        await watches.ensure(key)
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", group))
    await served(kube, resource)
    gadget = {
        "apiVersion": resource.api_version,
        "kind": "Gadget",
        "metadata": {"name": "g", "namespace": namespace},
    }
    await kube.create(resource, gadget)
    await watches.ensure(key)
    assert told.names() == ["g"]
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}")
    await told.until(lambda: told.names() == [])
    await eventually(lambda: isinstance(watches.error(key), errors.KindNotServed), seconds=20)
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", group))
    await served(kube, resource)
    await kube.create(resource, gadget)
    watches.nudge()
    await told.until(lambda: told.names() == ["g"])
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}")


async def test_the_same_kind_in_all_namespaces(kube, namespace, told, watches, sandbox):
    other = sandbox.create_namespace(f"{namespace}-b")
    key = WatchKey(CONFIG_MAPS, None, f"only={namespace}")
    await watches.ensure(key)
    for place in (namespace, other):
        await kube.apply(CONFIG_MAPS, config_map("a", place, {"only": namespace}))
    await told.until(lambda: len(told.live) == 2)
    sandbox.api.text("DELETE", f"/api/v1/namespaces/{other}")
