"""Discovery on a real API server whose kinds change."""

import asyncio
import secrets
from random import Random

import pytest

from pierhead.engine.outcome import Transient, Waiting
from pierhead.kube.discovery import Discovery, Timing
from pierhead.kube.errors import UnknownKind
from pierhead.kube.resources import (
    BATCH_JOBS,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    NAMESPACES,
)
from pierhead.kube.watch import Pace
from support.objects import definition
from support.proxy import status_body
from support.waiting import eventually


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
async def running(client):
    discovery = Discovery(
        client,
        timing=Timing(settle=0.05, longest_settle=0.5),
        pace=Pace(first_backoff=0.01, longest_backoff=0.1),
        random=Random(1),
    )
    task = asyncio.create_task(discovery.run())
    yield discovery
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def group(kube):
    name = f"d{secrets.token_hex(3)}.example.com"
    yield name
    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{name}")


@pytest.mark.parametrize("resource", [CONFIG_MAPS, DEPLOYMENTS, EVENTS, LEASES, NAMESPACES])
async def test_our_constants_are_what_the_api_server_serves(client, resource):
    found = await Discovery(client).resource_for(resource.api_version, resource.kind)
    assert found == resource
    assert {"get", "list", "watch", "patch", "delete"} <= set(found.verbs)


async def test_it_asks_with_two_requests_and_then_not_again(client, proxy):
    discovery = Discovery(client)
    await asyncio.gather(*(discovery.resource_for("v1", "ConfigMap") for _ in range(10)))
    await discovery.resource_for("apps/v1", "Deployment")
    await discovery.api_versions()
    assert [request.path for request in proxy.requests] == ["/api", "/apis"]


async def test_an_unknown_kind_is_asked_for_again_but_not_all_the_time(client, proxy):
    clock = Clock()
    discovery = Discovery(client, clock=clock)
    for _ in range(5):
        with pytest.raises(UnknownKind, match="no kind Nothing in example"):
            await discovery.resource_for("example.com/v1", "Nothing")
    assert len(proxy.requests) == 2
    clock.now += 3
    for _ in range(5):
        with pytest.raises(UnknownKind):
            await discovery.resource_for("example.com/v1", "Nothing")
    assert len(proxy.requests) == 4
    discovery.invalidate()
    with pytest.raises(UnknownKind):
        await discovery.resource_in_group("example.com", "Nothing")
    assert len(proxy.requests) == 6
    assert issubclass(UnknownKind, Waiting)


async def test_a_kind_that_comes_later_wakes_who_waits_and_one_that_goes_is_forgotten(kube, running, group):
    changes = asyncio.Queue()
    running.on_change(lambda appeared, vanished: changes.put_nowait((appeared, vanished)))
    with pytest.raises(UnknownKind):
        await running.resource_for(f"{group}/v1", "Gadget")
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", group))
    async with asyncio.timeout(20):
        while True:
            appeared, _ = await changes.get()
            if "Gadget" in {resource.kind for resource in appeared if resource.group == group}:
                break
    found = await running.resource_for(f"{group}/v1", "Gadget")
    assert found.plural == "gadgets"
    assert await running.resource_in_group(group, "Gadget") == found
    assert f"{group}/v1/Gadget" in await running.api_versions()

    await kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}")
    async with asyncio.timeout(20):
        while True:
            _, vanished = await changes.get()
            if found in vanished:
                break
    with pytest.raises(UnknownKind):
        await running.resource_for(f"{group}/v1", "Gadget")


async def test_many_changes_at_once_are_asked_for_a_few_times(kube, client, running, proxy):
    groups = [f"m{number}{secrets.token_hex(3)}.example.com" for number in range(8)]
    await running.resource_for("v1", "ConfigMap")
    await eventually(lambda: running._watch is not None and running._watch.synced)
    before = proxy.count(path="^/apis$")
    await asyncio.gather(
        *(kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", group)) for group in groups)
    )

    async def all_known():
        versions = await running.api_versions()
        return all(f"{group}/v1" in versions for group in groups)

    await eventually(all_known, seconds=20)
    assert proxy.count(path="^/apis$") - before <= 12
    await asyncio.gather(*(kube.delete(CUSTOM_RESOURCE_DEFINITIONS, f"gadgets.{group}") for group in groups))


async def test_where_crds_may_not_be_watched_polling_finds_the_kind(kube, client, proxy, group):
    proxy.fail(path="customresourcedefinitions", status=403, body=status_body(403, "Forbidden"), times=None)
    discovery = Discovery(client, timing=Timing(ask_again=60, settle=0.05, poll_missed=0.2))
    task = asyncio.create_task(discovery.run())
    with pytest.raises(UnknownKind):
        await discovery.resource_for(f"{group}/v1", "Gadget")
    appeared = asyncio.Event()

    def look(came, _went):
        if group in {resource.group for resource in came}:
            appeared.set()

    discovery.on_change(look)
    await kube.create(CUSTOM_RESOURCE_DEFINITIONS, definition("Gadget", group))
    await asyncio.wait_for(appeared.wait(), 20)
    assert discovery.error is not None
    await discovery.resource_for(f"{group}/v1", "Gadget")
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_kind_of_an_aggregated_api_that_is_down_is_not_called_unknown(client, proxy):
    stale = {
        "kind": "APIGroupDiscoveryList",
        "items": [
            {
                "metadata": {"name": "metrics.example.com"},
                "versions": [{"version": "v1", "freshness": "Stale"}],
            }
        ],
    }
    proxy.fail(path="^/apis$", status=200, body=stale)
    discovery = Discovery(client)
    with pytest.raises(Transient, match="aggregated API that serves metrics") as caught:
        await discovery.resource_for("metrics.example.com/v1", "Thing")
    assert not isinstance(caught.value, UnknownKind)


async def test_an_api_server_that_fails_is_transient_and_asked_again(client, proxy):
    discovery = Discovery(client)
    proxy.fail(path="^/apis$", status=503)
    with pytest.raises(Transient):
        await discovery.resource_for("v1", "ConfigMap")
    assert await discovery.resource_for("v1", "ConfigMap") == CONFIG_MAPS


async def test_what_helm_asks_of_a_cluster(client, proxy):
    discovery = Discovery(client)
    versions = await discovery.api_versions()
    assert {"v1", "v1/ConfigMap", "apps/v1", "apps/v1/Deployment", "networking.k8s.io/v1/Ingress"} <= set(
        versions
    )
    assert {"apps/v1/Scale", "v1/Eviction"} <= set(versions), "Helm counts kinds of subresources"
    assert (await discovery.server_version()).startswith("v1.")
    await discovery.server_version()
    assert proxy.count(path="^/version$") == 1


async def test_a_listener_can_leave_and_its_bug_stays_its_own(client, proxy):
    discovery, told = Discovery(client), []
    await discovery.resource_for("v1", "ConfigMap")

    def broken(_appeared, _vanished):
        raise RuntimeError("a bug")

    discovery.on_change(broken)
    leave = discovery.on_change(lambda _appeared, vanished: told.append(len(vanished)))
    proxy.fail(path="^/apis$", status=200, body={"kind": "APIGroupDiscoveryList", "items": []})
    discovery.invalidate()
    with pytest.raises(UnknownKind):
        await discovery.resource_for(BATCH_JOBS.api_version, "Nothing")
    assert len(told) == 1
    leave()
    discovery.invalidate()
    with pytest.raises(UnknownKind):
        await discovery.resource_for(BATCH_JOBS.api_version, "Nothing")
    assert len(told) == 1
