"""Helm's hooks of an AppRelease: their order, what is deleted, and what a failed one does to its release."""

import json
from typing import Any

import pytest

from pierhead.kube.resources import CONFIG_MAPS, JOBS, PODS
from support.app_sources import chart_files
from support.hooks import config_hook, hook_job
from support.releases import because, condition


def spec_of(*hooks: dict[str, Any], helm: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """The spec of a chart with these hooks."""
    templates = {f"hook{index}": json.dumps(hook) for index, hook in enumerate(hooks)}
    return {"source": {"inline": {"files": chart_files(**templates)}}, "helm": helm or {}, **more}


async def phases(releases) -> dict[str, str]:
    """What the newest revision says of each hook."""
    return {hook["name"]: hook["last_run"]["phase"] for hook in (await releases.history())[-1].hooks}


async def test_hooks_run_by_event_weight_and_name(controller, releases):
    await releases.apply(
        spec_of(
            config_hook("c", "pre-install"),
            config_hook("b", "pre-install"),
            config_hook("a", "pre-install", weight=1),
            hook_job("first", "pre-install", weight=-1),
            config_hook("last", "post-install"),
            config_hook("not-yet", "pre-upgrade"),
        )
    )
    await releases.until()
    assert await releases.statuses() == ["deployed"]
    (revision,) = await releases.history()
    ran = sorted(revision.hooks, key=lambda hook: hook["last_run"]["started_at"])
    assert [hook["name"] for hook in ran] == ["not-yet", "first", "b", "c", "a", "last"]
    assert await phases(releases) == {
        "a": "Succeeded",
        "b": "Succeeded",
        "c": "Succeeded",
        "first": "Succeeded",
        "last": "Succeeded",
        "not-yet": "",
    }


async def test_a_job_is_waited_for_before_the_first_object(controller, releases):
    await releases.apply(spec_of(hook_job("slow", "pre-install", suspend=True)))
    waiting = await releases.until(because("RunningHook"))
    assert "pre-install hook slow" in condition(waiting)["message"]
    assert condition(waiting, "Reconciling")["status"] == "True"
    assert not await releases.exists(CONFIG_MAPS, "settings")
    await releases.kube.merge_patch(JOBS, "slow", releases.namespace, {"spec": {"suspend": False}})
    await releases.until()
    assert await releases.exists(CONFIG_MAPS, "settings")


async def test_an_upgrade_replaces_the_hook_of_the_one_before(controller, releases):
    hook = hook_job("migrate", "pre-install,pre-upgrade")
    await releases.apply(spec_of(hook))
    await releases.until()
    before = await releases.object(JOBS, "migrate")
    await releases.apply(spec_of(hook, helm={"values": {"greeting": "hey"}}))
    await releases.until()
    after = await releases.object(JOBS, "migrate")
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_hook_is_deleted_when_its_policy_says_so(controller, releases):
    await releases.apply(
        spec_of(
            hook_job("gone", "pre-install", **{"helm.sh/hook-delete-policy": "hook-succeeded"}),
            config_hook("gone-too", "post-install", **{"helm.sh/hook-delete-policy": "hook-succeeded"}),
            config_hook("stays", "post-install"),
        )
    )
    await releases.until()
    await releases.gone("gone", JOBS)
    assert not await releases.exists(CONFIG_MAPS, "gone-too")
    assert await releases.exists(CONFIG_MAPS, "stays")


async def test_a_job_that_would_expire_is_kept_until_it_was_seen_to_end(controller, releases):
    await releases.apply(spec_of(hook_job("brief", "pre-install", spec={"ttlSecondsAfterFinished": 0})))
    await releases.until()
    await releases.gone("brief", JOBS)
    assert await phases(releases) == {"brief": "Succeeded"}


async def test_a_failed_hook_fails_the_upgrade_which_is_rolled_back(controller, releases):
    await releases.apply(spec_of(helm={"values": {"greeting": "good"}}))
    await releases.until()
    hooks = [
        config_hook("before", "pre-upgrade", **{"helm.sh/hook-delete-policy": "hook-succeeded"}),
        hook_job("broken", "pre-upgrade", weight=1, spec={"activeDeadlineSeconds": 1}, stuck=True),
        config_hook("never", "pre-upgrade", weight=2),
    ]
    await releases.apply(spec_of(*hooks, helm={"values": {"greeting": "bad"}}))
    failed = await releases.until(because("RolledBack"))
    assert "pre-upgrade hook Job broken failed: DeadlineExceeded" in condition(failed)["message"]
    assert await releases.statuses() == ["superseded", "failed", "deployed"]
    assert (await releases.object(CONFIG_MAPS, "settings"))["data"]["greeting"] == "good"
    assert not await releases.exists(CONFIG_MAPS, "before")
    assert not await releases.exists(CONFIG_MAPS, "never")
    assert await releases.exists(JOBS, "broken")


async def test_a_hook_has_the_time_of_the_release(controller, releases):
    await releases.apply(
        spec_of(hook_job("late", "post-install", stuck=True), health={"timeout": "2s"}),
    )
    failed = await releases.until(because("ReleaseFailed"))
    assert condition(failed, "Stalled")["status"] == "True"
    (revision,) = await releases.history()
    assert revision.description.startswith(
        "Install failed: post-install hook Job late failed: not finished within 2s: "
    )


async def test_a_hook_that_cannot_be_made_says_why(controller, releases):
    await releases.apply(spec_of(config_hook("UPPER", "pre-install")))
    failed = await releases.until(because("ReleaseFailed"))
    (revision,) = await releases.history()
    assert "ConfigMap UPPER" in revision.description
    assert condition(failed, "Stalled")["status"] == "True"


async def test_an_object_of_another_release_is_not_replaced_by_a_hook(controller, releases):
    await releases.apply({"source": {"inline": {"files": chart_files()}}, "helm": {}}, name="other")
    await releases.until(name="other")
    before = await releases.object(CONFIG_MAPS, "settings")
    hooks = [config_hook("settings", "pre-install")]
    await releases.apply(spec_of(*hooks, helm={"values": {"name": "mine"}}))
    await releases.until(because("ReleaseFailed"))
    assert (await releases.object(CONFIG_MAPS, "settings"))["metadata"]["uid"] == before["metadata"]["uid"]


async def test_a_rollback_runs_the_hooks_of_what_it_brings_back(controller, releases):
    await releases.apply(spec_of(config_hook("back", "pre-rollback"), config_hook("done", "post-rollback")))
    await releases.until()
    broken = hook_job("broken", "pre-upgrade", spec={"activeDeadlineSeconds": 1}, stuck=True)
    await releases.apply(spec_of(broken))
    await releases.until(because("RolledBack"))
    assert await phases(releases) == {"back": "Succeeded", "done": "Succeeded"}
    assert await releases.exists(CONFIG_MAPS, "back")
    assert await releases.exists(CONFIG_MAPS, "done")


async def test_hooks_that_are_disabled_do_not_run(controller, releases):
    await releases.apply(spec_of(config_hook("no", "pre-install"), helm={"disableHooks": True}))
    await releases.until()
    assert not await releases.exists(CONFIG_MAPS, "no")
    assert (await releases.history())[0].hooks == ()


async def test_a_newer_input_does_not_wait_for_a_hook(controller, releases):
    await releases.apply(spec_of(hook_job("slow", "pre-install", stuck=True)))
    await releases.until(because("RunningHook"))
    await releases.apply(spec_of(hook_job("slow", "pre-install")))
    await releases.until()
    assert await releases.statuses() == ["failed", "deployed"]


async def test_a_restart_goes_on_with_the_hook_that_runs(controller, releases):
    await releases.apply(spec_of(hook_job("slow", "pre-install", suspend=True)))
    await releases.until(because("RunningHook"))
    before = await releases.object(JOBS, "slow")
    await controller.stop()
    await releases.kube.merge_patch(JOBS, "slow", releases.namespace, {"spec": {"suspend": False}})
    await controller.start()
    await releases.until()
    after = await releases.object(JOBS, "slow")
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    assert await releases.statuses() == ["deployed"]


# The uninstall


async def test_a_deletion_runs_its_hooks_around_the_objects(controller, releases):
    await releases.apply(
        spec_of(
            hook_job("backup", "pre-delete", suspend=True),
            config_hook("farewell", "post-delete"),
        )
    )
    await releases.until()
    await releases.delete()
    waiting = await releases.until(because("RunningHook"))
    assert "pre-delete hook" in condition(waiting)["message"]
    assert await releases.exists(CONFIG_MAPS, "settings")
    assert await releases.statuses() == ["uninstalling"]
    await releases.kube.merge_patch(JOBS, "backup", releases.namespace, {"spec": {"suspend": False}})
    await releases.gone()
    assert not await releases.exists(CONFIG_MAPS, "settings")
    assert await releases.exists(CONFIG_MAPS, "farewell")
    assert await releases.history() == []


@pytest.mark.parametrize("way_out", ["forced", "disabled"])
async def test_a_failed_hook_holds_the_deletion_until_somebody_decides(controller, releases, way_out):
    broken = hook_job("backup", "pre-delete", spec={"activeDeadlineSeconds": 1}, stuck=True)
    spec = spec_of(broken)
    await releases.apply(spec)
    await releases.until()
    await releases.delete()
    held = await releases.until(because("HookFailed"))
    assert "pre-delete hook Job backup failed: DeadlineExceeded" in condition(held)["message"]
    assert await releases.exists(CONFIG_MAPS, "settings")
    before = await releases.object(JOBS, "backup")
    if way_out == "disabled":
        await releases.apply({**spec, "helm": {"disableHooks": True}})
        await releases.gone()
        return
    await releases.apply(spec, **{"pierhead.dev/reconcile-at": "again"})
    await releases.object(JOBS, "backup", lambda job: job["metadata"]["uid"] != before["metadata"]["uid"])
    assert await releases.exists(CONFIG_MAPS, "settings")


# Pods


async def test_a_pod_is_waited_for_until_it_succeeds(controller, releases):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "check", "annotations": {"helm.sh/hook": "post-install"}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "c", "image": "registry.example.com/c:1"}],
        },
    }
    await releases.apply(spec_of(pod))
    await releases.until(because("RunningHook"))
    await releases.object(PODS, "check", lambda obj: (obj.get("status") or {}).get("phase") == "Running")
    status = {"status": {"phase": "Succeeded"}}
    await releases.kube.merge_patch(PODS, "check", releases.namespace, status, subresource="status")
    await releases.until()


async def test_a_failed_install_that_is_taken_away_runs_the_hooks_of_a_deletion(controller, releases):
    broken = hook_job("broken", "post-install", spec={"activeDeadlineSeconds": 1}, stuck=True)
    around = [config_hook("before", "pre-delete"), config_hook("after", "post-delete")]
    await releases.apply(spec_of(broken, *around, install={"onFailure": "Uninstall"}))
    await releases.until(
        lambda obj: (
            condition(obj).get("reason") == "ReleaseFailed" and "taken away" in condition(obj)["message"]
        )
    )
    assert not await releases.exists(CONFIG_MAPS, "settings")
    assert await releases.exists(CONFIG_MAPS, "before")
    assert await releases.exists(CONFIG_MAPS, "after")
    (revision,) = await releases.history()
    assert revision.status.value == "failed"
    assert "post-install hook Job broken failed" in revision.description
