"""An operator that dies before or after any of its writes leaves nothing that another one does not mend.

Each scenario runs once undisturbed, which is the reference; then once for each write of that run and each
side of it: the connection is cut before the write reaches the API server, or after it was done and before
its answer. From then on nothing of that operator comes through, it is killed, and another takes its place.
"""

import asyncio
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pierhead.apps.release import Release, Status, encode
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    SECRETS,
    ResourceType,
)
from pierhead.render import RendererPool
from pierhead.settings import Settings
from pierhead_sandbox.sandbox import Sandbox
from support.app_sources import GitRepository, chart_files
from support.objects import definition
from support.proxy import Fault, Proxy, Recorded
from support.release_controller import Running
from support.releases import Releases, because, config_map, deployment, inline, settled
from support.waiting import eventually

AT_ONCE = 8
"""Runs under way at the same time: most of a run is waiting."""

SECONDS = 40

GOOD = {"source": inline(config_map(a="good"), config_map("old"), deployment())}
BETTER = {"source": inline(config_map(a="better"), config_map("new"), deployment(replicas=2))}
NOT_SCHEDULED = deployment(replicas=2)
NOT_SCHEDULED["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
NOT_SCHEDULED["spec"]["progressDeadlineSeconds"] = 1
BAD = {"source": inline(config_map(a="bad"), config_map("new"), NOT_SCHEDULED)}


@dataclass(frozen=True)
class Scenario:
    """What is there before, what is then asked for, and how it is known to be done."""

    spec: dict[str, Any] | None
    """None asks for the deletion."""

    before: dict[str, Any] | None = None
    helm: Release | None = None
    """A revision that Helm left, and nobody has taken over."""

    done: Callable[[Object], bool] = settled
    resources: tuple[ResourceType, ...] = (CONFIG_MAPS, DEPLOYMENTS)
    crd: str = ""
    """A CRD that comes with the release, and outlives it."""


def of_helm() -> Release:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    manifest = f"---\n{json.dumps(config_map(a='helm'))}\n---\n{json.dumps(config_map('old'))}"
    return Release(
        name="shop",
        namespace="",
        revision=1,
        status=Status.DEPLOYED,
        description="Install complete",
        manifest=manifest,
        first_deployed=at,
        last_deployed=at,
        chart={"name": "shop", "version": "0.9.0", "apiVersion": "v2"},
    )


def fixed(value: str) -> dict[str, Any]:
    """A ConfigMap whose change needs another in its place."""
    made = {**config_map(a=value), "immutable": True}
    return {"source": inline(made, config_map("two")), "objectRules": [{"force": True}]}


SCENARIOS = {
    "install": Scenario(GOOD),
    "upgrade with prune": Scenario(BETTER, before=GOOD),
    "failed upgrade with rollback": Scenario(BAD, before=GOOD, done=because("RolledBack")),
    "taking over from helm": Scenario(BETTER, helm=of_helm()),
    "deletion": Scenario(None, before=GOOD),
    "replacement": Scenario(fixed("new"), before=fixed("old")),
}


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
        """A fresh namespace whose account may do what it needs."""

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

    async def drop(self, releases: Releases) -> None:
        """Lets go of a namespace, which may take its time."""
        await self.kube.delete(NAMESPACES, releases.namespace)

    def controller(self, releases: Releases, life: str) -> Running:
        settings = Settings(
            artifact_directory=self.folder / releases.namespace / life,
            allow_file_sources=True,
            source_poll_seconds=600,
        )
        running = Running(self.proxy.credentials, releases.namespace, settings, self.renderer)
        running.user_agent += f"-{life}"
        return running


@pytest.fixture
def world(sandbox, kube, proxy, renderer, tmp_path, app_releases_served) -> World:
    return World(sandbox, kube, proxy, renderer, tmp_path)


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
    await running.start()
    if scenario.before is not None:
        await releases.apply(scenario.before)
        await releases.until(seconds=SECONDS)
        await idle(running)


async def ask(releases: Releases, scenario: Scenario) -> None:
    if scenario.spec is None:
        await releases.delete()
    else:
        await releases.apply(scenario.spec)


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


async def reference(world: World, scenario: Scenario) -> tuple[dict[str, Any], list[Recorded]]:
    """The end state of an undisturbed run, and its writes."""
    releases = await world.tenant()
    running = world.controller(releases, "only")
    try:
        await prepare(releases, scenario, running)
        so_far = len(world.proxy.requests)
        await ask(releases, scenario)
        await done(releases, scenario)
        await idle(running)
        writes = [
            request
            for request in world.proxy.requests[so_far:]
            if request.user_agent == running.user_agent and request.is_write
        ]
        return await state_of(releases, scenario), writes
    finally:
        await running.stop()
        await world.drop(releases)


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
        await ask(releases, scenario)
        await died_or_done(dead, releases, scenario)
        await first.stop()
        await second.start()
        await done(releases, scenario)
        await idle(second)
        await done(releases, scenario)
        return await state_of(releases, scenario)
    finally:
        await first.stop()
        await second.stop()
        for cut in cuts:
            world.proxy.take_back(cut)
        await world.drop(releases)


def told(request: Recorded) -> str:
    return f"{request.verb} {request.path}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_whichever_write_was_the_last_the_end_is_the_same(world: World, name: str) -> None:
    scenario = SCENARIOS[name]
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

    await asyncio.gather(
        *(run(number, when) for number in range(len(writes)) for when in ("before", "after"))
    )
    assert different == {}, json.dumps(different, indent=1, default=str)


async def died_after(world: World, releases: Releases, path: str, spec: dict[str, Any]) -> None:
    """An operator that is asked for this, and dies when it has created something there."""
    running = await world.controller(releases, "first").start()
    dead = asyncio.Event()

    async def die(_: Recorded) -> None:
        world.proxy.fail(user_agent=f"^{running.user_agent}$", times=None)
        dead.set()

    world.proxy.fail(user_agent=f"^{running.user_agent}$", method="POST", path=path, when="after", action=die)
    await releases.apply(spec)
    async with asyncio.timeout(SECONDS):
        await dead.wait()
    await running.stop()


async def test_a_crash_before_the_kinds_of_a_chart_came_is_mended(world: World) -> None:
    """They are in no manifest that Helm stores, so the pending revision alone does not bring them."""
    releases = await world.tenant()
    group = f"g{secrets.randbelow(10**9)}.example.com"
    widget = {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    files = chart_files(widget=json.dumps(widget))
    files["crds/widgets.yaml"] = json.dumps(definition("Widget", group))
    role = f"everything-{releases.namespace}"
    world.sandbox.kubectl("create", "clusterrole", role, "--verb=*", "--resource=*.*")
    world.sandbox.kubectl(
        "create",
        "clusterrolebinding",
        role,
        f"--clusterrole={role}",
        f"--serviceaccount={releases.namespace}:default",
    )
    await died_after(
        world, releases, "/secrets$", {"source": {"inline": {"files": files}}, "helm": {"values": {}}}
    )
    assert await releases.statuses() == ["pending-install"]
    second = await world.controller(releases, "second").start()
    try:
        await releases.until(seconds=SECONDS)
        assert await releases.statuses() == ["failed", "deployed"]
        assert await releases.exists(ResourceType(group, "v1", "widgets", "Widget"), "w")
    finally:
        await second.stop()
        await world.drop(releases)
        world.sandbox.kubectl("delete", "clusterrolebinding,clusterrole", role)


async def test_a_crash_is_mended_though_the_source_is_gone(world: World, tmp_path: Path) -> None:
    releases = await world.tenant()
    repository = GitRepository(tmp_path / "repository")
    repository.commit({"app.json": json.dumps(config_map())})
    await died_after(world, releases, "/secrets$", {"source": repository.source(branch="main")})
    assert await releases.statuses() == ["pending-install"]
    assert not await releases.exists(CONFIG_MAPS, "one")
    repository.move_away()
    second = await world.controller(releases, "second").start()
    try:
        await releases.until(because("SourceNotFound"), seconds=SECONDS)
        await releases.object(CONFIG_MAPS, "one")
        assert await releases.statuses() == ["deployed"]
    finally:
        await second.stop()
        await world.drop(releases)


async def test_a_long_death_is_not_taken_for_the_releases_failure(world: World) -> None:
    """Longer than the release may take: another operator gives it the time it was promised."""
    releases = await world.tenant()
    spec = {"source": inline(config_map(), deployment()), "health": {"timeout": "5s"}}
    await died_after(world, releases, "/secrets$", spec)
    (pending,) = await releases.history()
    old = pending.now(pending.status, pending.description, pending.last_deployed - timedelta(hours=1))
    await releases.kube.replace(SECRETS, encode(old, at=old.last_deployed))
    second = await world.controller(releases, "second").start()
    try:
        await releases.until(seconds=SECONDS)
        assert await releases.statuses() == ["deployed"]
    finally:
        await second.stop()
        await world.drop(releases)
