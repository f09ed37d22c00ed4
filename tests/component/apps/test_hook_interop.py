"""Helm's own command and the hooks that pierhead stores, and the other way round."""

import json
from typing import Any

import yaml

from pierhead.kube.resources import CONFIG_MAPS, JOBS
from support.app_sources import chart_files
from support.hooks import config_hook, hook_job
from support.releases import because, condition
from support.renders import write_tree


def files_of(*hooks: dict[str, Any]) -> dict[str, str]:
    return chart_files(**{f"hook{index}": json.dumps(hook) for index, hook in enumerate(hooks)})


def spec_of(*hooks: dict[str, Any], greeting: str = "hello") -> dict[str, Any]:
    return {"source": {"inline": {"files": files_of(*hooks)}}, "helm": {"values": {"greeting": greeting}}}


async def test_helm_shows_hooks_and_what_became_of_them(controller, releases, helm):
    await releases.apply(spec_of(config_hook("a", "pre-install"), hook_job("b", "test", weight=3)))
    await releases.until()
    shown = {obj["metadata"]["name"] for obj in yaml.safe_load_all(await helm("get", "hooks", "shop")) if obj}
    assert shown == {"a", "b"}
    status = await helm("status", "shop", "--output", "json")
    hooks = {hook["name"]: hook for hook in status["hooks"]}
    assert hooks["a"]["last_run"]["phase"] == "Succeeded"
    assert hooks["a"]["last_run"]["started_at"] <= hooks["a"]["last_run"]["completed_at"]
    assert "started_at" not in hooks["b"]["last_run"]
    assert hooks["b"]["weight"] == 3


async def test_helm_tests_a_release(controller, releases, helm):
    await releases.apply(spec_of(config_hook("check", "test")))
    await releases.until()
    await helm("test", "shop")
    assert await releases.exists(CONFIG_MAPS, "check")


async def test_a_rollback_by_hand_runs_the_stored_hooks(controller, releases, helm):
    """pierhead then takes the release over, with the upgrade's own hooks."""
    hooks = [config_hook("back", "pre-rollback"), config_hook("up", "pre-upgrade")]
    await releases.apply(spec_of(*hooks, greeting="one"))
    await releases.until()
    await releases.apply(spec_of(*hooks, greeting="two"))
    await releases.until()
    assert not await releases.exists(CONFIG_MAPS, "back")
    before = await releases.object(CONFIG_MAPS, "up")
    await helm("rollback", "shop", "1")
    assert await releases.exists(CONFIG_MAPS, "back")
    await releases.object(CONFIG_MAPS, "up", lambda obj: obj["metadata"]["uid"] != before["metadata"]["uid"])
    await releases.until(
        lambda obj: condition(obj).get("status") == "True" and obj["status"]["release"]["revision"] == 4
    )
    assert await releases.statuses() == ["superseded", "superseded", "superseded", "deployed"]


async def test_an_uninstall_by_hand_runs_the_stored_hooks(controller, releases, helm):
    spec = spec_of(config_hook("before", "pre-delete"), config_hook("after", "post-delete"))
    await releases.apply(spec)
    await releases.until()
    await releases.apply({**spec, "suspend": True})
    await releases.until(because("Suspended"))
    await helm("uninstall", "shop")
    assert await releases.exists(CONFIG_MAPS, "before")
    assert await releases.exists(CONFIG_MAPS, "after")
    assert not await releases.exists(CONFIG_MAPS, "settings")


async def test_a_hook_that_helm_left_is_replaced(controller, releases, helm, tmp_path):
    hook = hook_job("migrate", "pre-install,pre-upgrade")
    await helm("install", "shop", str(write_tree(tmp_path / "chart", files_of(hook))))
    before = await releases.object(JOBS, "migrate")
    await releases.apply(spec_of(hook))
    await releases.until(
        lambda obj: condition(obj).get("status") == "True" and obj["status"]["release"]["revision"] == 2
    )
    after = await releases.object(JOBS, "migrate")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_a_deletion_after_helms_last_word_runs_the_hooks_of_its_revision(
    controller, releases, helm, tmp_path
):
    spec = spec_of(greeting="ours")
    await releases.apply(spec)
    await releases.until()
    await releases.apply({**spec, "suspend": True})
    await releases.until(because("Suspended"))
    theirs = write_tree(tmp_path / "chart", files_of(config_hook("bye", "pre-delete")))
    await helm("upgrade", "shop", str(theirs))
    await releases.delete()
    await releases.gone()
    assert await releases.exists(CONFIG_MAPS, "bye")
    assert not await releases.exists(CONFIG_MAPS, "settings")
    assert await releases.history() == []
