"""An operator that dies before or after any of its writes leaves nothing that another one does not mend.

How it dies is in `support.app_crashes`.
"""

import asyncio
import json
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pierhead.apps.history.release import Release, Status, encode
from pierhead.kube.resources import (
    CONFIG_MAPS,
    SECRETS,
    ResourceType,
)
from support.app_crashes import SECONDS, Scenario, World, all_crashes
from support.app_sources import GitRepository, chart_files
from support.objects import definition
from support.proxy import Recorded
from support.releases import Releases, because, config_map, deployment, inline

GOOD = {"source": inline(config_map(a="good"), config_map("old"), deployment())}
BETTER = {"source": inline(config_map(a="better"), config_map("new"), deployment(replicas=2))}
NOT_SCHEDULED = deployment(replicas=2)
NOT_SCHEDULED["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
NOT_SCHEDULED["spec"]["progressDeadlineSeconds"] = 1
BAD = {"source": inline(config_map(a="bad"), config_map("new"), NOT_SCHEDULED)}


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
    "failed install taken away": Scenario(
        {**BAD, "install": {"onFailure": "Uninstall"}}, done=because("ReleaseFailed")
    ),
    "ordered rollback": Scenario(
        GOOD,
        before=GOOD,
        annotations={"pierhead.dev/rollback-to": "1@2026-11-23T12:00:00Z"},
        done=because("RolledBack"),
    ),
    "upgrade on trial": Scenario({**BETTER, "health": {"bake": "1s"}}, before=GOOD),
    "taking over from helm": Scenario(BETTER, helm=of_helm()),
    "deletion": Scenario(None, before=GOOD),
    "replacement": Scenario(fixed("new"), before=fixed("old")),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_whichever_write_was_the_last_the_end_is_the_same(world: World, name: str) -> None:
    different = await all_crashes(world, SCENARIOS[name])
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
    """They are in no manifest that Helm stores: the pending revision is rendered again for them."""
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
        assert await releases.statuses() == ["deployed"]
        assert await releases.exists(ResourceType(group, "v1", "widgets", "Widget"), "w")
    finally:
        await second.stop()
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
