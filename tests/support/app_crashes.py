"""Operators that die before or after each of their writes, and the end state of those that come after them.

A scenario runs once undisturbed, which is the reference; then once for each write of that run and each side
of it: the connection is cut before the write reaches the API server, or after it was done and before its
answer. From then on nothing of that operator comes through, it is killed, and another takes its place.
"""

import asyncio
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pierhead.apps.history.release import Release, encode
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, SECRETS, ResourceType
from pierhead.kube.watch import Watch
from pierhead.render import RendererPool
from pierhead.settings import Settings
from pierhead_sandbox.sandbox import Sandbox
from support.proxy import Fault, Proxy, Recorded
from support.release_controller import Running
from support.releases import Releases, config_map, settled
from support.waiting import eventually

AT_ONCE = 8
"""Runs under way at the same time: most of a run is waiting."""

SECONDS = 40


@dataclass(frozen=True)
class Scenario:
    """What is there before, what is then asked for, and how it is known to be done."""

    spec: dict[str, Any] | None
    """None asks for the deletion. NAMESPACE in it stands for the namespace."""

    before: dict[str, Any] | None = None
    there: Callable[[Releases], None] | None = None
    """Puts there what has to be there before all."""

    person: Callable[[Releases, dict[str, Any]], Awaitable[None]] | None = None
    """What somebody does meanwhile, however often the operator dies; given the spec."""

    annotations: dict[str, str] = field(default_factory=dict)
    helm: Release | None = None
    """A revision that Helm left, and nobody has taken over."""

    done: Callable[[Object], bool] = settled
    resources: tuple[ResourceType, ...] = (CONFIG_MAPS, DEPLOYMENTS)
    crd: str = ""
    """A CRD that comes with the release, and outlives it."""


@dataclass
class World:
    """What all runs share."""

    sandbox: Sandbox
    kube: Client
    proxy: Proxy
    renderer: RendererPool
    folder: Path
    limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def tenant(self) -> Releases:
        """A fresh namespace whose account may do what it needs.

        It is left behind: deleting it costs the control plane more than the run did.
        """

        def make() -> str:
            name = self.sandbox.create_namespace(f"crash-{secrets.token_hex(4)}")
            rights = {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": {"name": "tenant"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
                "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": name}],
            }
            path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings"
            self.sandbox.api.json("POST", path, rights)
            return name

        return Releases(self.kube, await asyncio.to_thread(make))

    def controller(self, releases: Releases, life: str) -> Running:
        settings = Settings(
            artifact_directory=self.folder / releases.namespace / life,
            allow_file_sources=True,
            source_poll_seconds=600,
        )
        running = Running(self.proxy.credentials, releases.namespace, settings, self.renderer)
        running.user_agent += f"-{life}"
        return running


async def prepare(releases: Releases, scenario: Scenario, running: Running) -> None:
    """Brings about what is there before, and leaves the controller running."""
    if scenario.helm is not None:
        release = replace(scenario.helm, namespace=releases.namespace)
        for name in ("one", "old"):
            obj = config_map(name, a="helm")
            obj["metadata"] |= {
                "namespace": releases.namespace,
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {
                    "meta.helm.sh/release-name": "shop",
                    "meta.helm.sh/release-namespace": releases.namespace,
                },
            }
            await releases.kube.apply(CONFIG_MAPS, obj, field_manager="helm")
        await releases.kube.create(SECRETS, encode(release, at=release.last_deployed))
    if scenario.there is not None:
        await asyncio.to_thread(scenario.there, releases)
    await running.start()
    if scenario.before is not None:
        await releases.apply(placed(scenario.before, releases))
        await releases.until(seconds=SECONDS)
        await idle(running)


async def ask(releases: Releases, scenario: Scenario) -> None:
    if scenario.spec is None:
        await releases.delete()
    else:
        await releases.apply(placed(scenario.spec, releases), **scenario.annotations)


def placed(spec: dict[str, Any], releases: Releases) -> dict[str, Any]:
    """The spec in this namespace."""
    found: dict[str, Any] = json.loads(json.dumps(spec).replace("NAMESPACE", releases.namespace))
    return found


@asynccontextmanager
async def attended(releases: Releases, scenario: Scenario) -> AsyncIterator[None]:
    """While this is open, the person of the scenario is there."""
    if scenario.person is None or scenario.spec is None:
        yield
        return
    present = asyncio.ensure_future(scenario.person(releases, placed(scenario.spec, releases)))
    try:
        yield
    finally:
        present.cancel()
        await asyncio.gather(present, return_exceptions=True)


async def idle(running: Running) -> None:
    await eventually(lambda: running.idle, seconds=SECONDS)


async def done(releases: Releases, scenario: Scenario) -> None:
    if scenario.spec is None:
        await releases.gone(seconds=SECONDS)
    else:
        await releases.until(scenario.done, seconds=SECONDS)


async def state_of(releases: Releases, scenario: Scenario) -> dict[str, Any]:
    """All that a release leaves in its namespace, but names and times that differ from run to run."""

    def plain(text: Any) -> Any:
        return json.loads(json.dumps(text).replace(releases.namespace, "NAMESPACE"))

    found: dict[str, Any] = {}
    for resource in scenario.resources:
        async for page in releases.kube.pages(resource, releases.namespace):
            for obj in page.items:
                metadata = obj["metadata"]
                if metadata["name"] != "kube-root-ca.crt":
                    content = obj.get("data") or {"replicas": obj["spec"].get("replicas")}
                    marks = (
                        metadata.get("labels"),
                        metadata.get("annotations", {}).get("meta.helm.sh/release-name"),
                    )
                    found[f"{resource.kind} {metadata['name']}"] = plain([content, marks])
    history = await releases.history()
    found["history"] = [release.status.value for release in history]
    found["hooks"] = [
        {hook["name"]: hook["last_run"]["phase"] for hook in release.hooks} for release in history
    ]
    kept = history[-1].bookkeeping if history else None
    found["inventory"] = plain(sorted(kept.inventory)) if kept else None
    try:
        obj = await releases.get()
    except NotFound:
        found["status"] = None
    else:
        conditions = {
            entry["type"]: (entry["status"], entry["reason"]) for entry in obj["status"]["conditions"]
        }
        found["status"] = [conditions, obj["status"]["release"]["status"], obj["status"].get("inventory")]
        found["status"] = plain(found["status"])
    return found


@dataclass
class Lives:
    """Every object that ever was in a namespace, by its uid."""

    names: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def look(self, event_type: str, obj: Object) -> None:
        metadata = obj["metadata"]
        if metadata["name"] == "kube-root-ca.crt":
            return
        self.names[metadata["uid"]] = f"{obj['kind']} {metadata['name']}"
        if event_type == "DELETED":
            self.gone.add(metadata["uid"])

    def counts(self) -> dict[str, dict[str, int]]:
        """How often an object of each name was made, and deleted."""
        deleted = Counter(self.names[uid] for uid in self.gone)
        return {"made": dict(Counter(self.names.values())), "deleted": dict(deleted)}


@asynccontextmanager
async def lives(releases: Releases, scenario: Scenario) -> AsyncIterator[Lives]:
    """What comes and goes while this is open."""
    found = Lives()
    watches = [
        Watch(releases.kube, resource, found.look, namespace=releases.namespace)
        for resource in scenario.resources
    ]
    tasks = [asyncio.create_task(watch.run()) for watch in watches]
    try:
        for watch in watches:
            await watch.ready()
        yield found
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def end_of(releases: Releases, scenario: Scenario, seen: Lives) -> dict[str, Any]:
    """The end state, and how often each object was made and deleted on the way."""
    state = await state_of(releases, scenario)
    there = {key for key in state if key.partition(" ")[0] in {kind.kind for kind in scenario.resources}}
    await eventually(
        lambda: {name for uid, name in seen.names.items() if uid not in seen.gone} == there, seconds=SECONDS
    )
    return state | seen.counts()


async def reference(world: World, scenario: Scenario) -> tuple[dict[str, Any], list[Recorded]]:
    """The end state of an undisturbed run, and its writes."""
    releases = await world.tenant()
    running = world.controller(releases, "only")
    try:
        await prepare(releases, scenario, running)
        so_far = len(world.proxy.requests)
        async with lives(releases, scenario) as seen, attended(releases, scenario):
            await ask(releases, scenario)
            await done(releases, scenario)
            await idle(running)
            end = await end_of(releases, scenario, seen)
        writes = [
            request
            for request in world.proxy.requests[so_far:]
            if request.user_agent == running.user_agent and request.is_write
        ]
        return end, writes
    finally:
        await running.stop()


async def died_or_done(dead: asyncio.Event, releases: Releases, scenario: Scenario) -> None:
    """Progress is reported by time, so a run may have a write less than the reference."""
    ends = [asyncio.create_task(dead.wait()), asyncio.create_task(done(releases, scenario))]
    try:
        async with asyncio.timeout(SECONDS):
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


async def crashed(world: World, scenario: Scenario, number: int, when: str) -> dict[str, Any]:
    """The end state of a run whose first operator died before or after its write of this number."""
    releases = await world.tenant()
    first, second = world.controller(releases, "first"), world.controller(releases, "second")
    cuts: list[Fault] = []
    dead = asyncio.Event()
    try:
        await prepare(releases, scenario, first)

        async def die(_: Recorded) -> None:
            cuts.append(world.proxy.fail(user_agent=f"^{first.user_agent}$", times=None))
            dead.set()

        death = world.proxy.fail(
            user_agent=f"^{first.user_agent}$",
            matches=lambda request: request.is_write,
            when=when,
            skip=number,
            action=die,
        )
        cuts.append(death)
        async with lives(releases, scenario) as seen, attended(releases, scenario):
            await ask(releases, scenario)
            await died_or_done(dead, releases, scenario)
            await first.stop()
            await second.start()
            await done(releases, scenario)
            await idle(second)
            await done(releases, scenario)
            return await end_of(releases, scenario, seen)
    finally:
        await first.stop()
        await second.stop()
        for cut in cuts:
            world.proxy.take_back(cut)


async def all_crashes(
    world: World, scenario: Scenario, *, sides: tuple[str, ...] = ("before", "after")
) -> dict[str, Any]:
    """What is different after a crash, by its place; empty when every end is the same."""
    expected, writes = await reference(world, scenario)
    assert not any("pending" in status for status in expected["history"])
    different: dict[str, Any] = {}

    async def run(number: int, when: str) -> None:
        async with world.limit:
            place = f"{when} {number}: {told(writes[number])}"
            try:
                found = await crashed(world, scenario, number, when)
            except (AssertionError, TimeoutError) as error:
                different[place] = repr(error)
                return
        differences = {
            key: (expected.get(key), found.get(key))
            for key in expected.keys() | found.keys()
            if expected.get(key) != found.get(key)
        }
        if differences:
            different[place] = differences

    await asyncio.gather(*(run(number, when) for number in range(len(writes)) for when in sides))
    return different


def told(request: Recorded) -> str:
    return f"{request.verb} {request.path}"
