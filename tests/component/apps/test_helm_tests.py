"""The chart's tests: run when a revision is deployed, and what a failed one does to it."""

import json
from typing import Any

from pierhead.kube.resources import CONFIG_MAPS, JOBS
from support.app_sources import chart_files
from support.hooks import config_hook, hook_job
from support.releases import because, condition

FAILING: dict[str, Any] = {"stuck": True, "spec": {"activeDeadlineSeconds": 1}}


def spec_of(*hooks: dict[str, Any], greeting: str = "hello", **test: Any) -> dict[str, Any]:
    """The spec of a chart with these tests; `test` is `spec.helm.test`."""
    templates = {f"test{index}": json.dumps(hook) for index, hook in enumerate(hooks)}
    helm = {"values": {"greeting": greeting}, **({"test": test} if test else {})}
    return {"source": {"inline": {"files": chart_files(**templates)}}, "helm": helm}


def of_tests(reason: str):
    return because(reason, "Tested")


async def test_tests_run_when_they_are_asked_for(controller, releases):
    await releases.apply(spec_of(hook_job("check", "test")))
    plain = await releases.until()
    assert condition(plain, "Tested") == {}
    assert not await releases.exists(JOBS, "check")
    await releases.apply(spec_of(hook_job("check", "test"), enabled=True))
    passed = await releases.until(of_tests("Succeeded"))
    assert condition(passed, "Tested")["message"] == "1 tests passed"
    assert await releases.statuses() == ["deployed"]
    (revision,) = await releases.history()
    assert revision.hooks[0]["last_run"]["phase"] == "Succeeded"


async def test_a_release_is_not_ready_while_its_tests_run(controller, releases):
    await releases.apply(spec_of(hook_job("check", "test", suspend=True), enabled=True))
    running = await releases.until(because("RunningHook"))
    assert condition(running)["status"] == "Unknown"
    assert condition(running, "Tested")["status"] == "Unknown"
    assert await releases.statuses() == ["deployed"]
    await releases.kube.merge_patch(JOBS, "check", releases.namespace, {"spec": {"suspend": False}})
    await releases.until()


async def test_a_failed_test_is_rolled_back(controller, releases):
    await releases.apply(spec_of(config_hook("check", "test"), greeting="good", enabled=True))
    await releases.until()
    await releases.apply(spec_of(hook_job("check-2", "test", **FAILING), greeting="bad", enabled=True))
    rolled_back = await releases.until(because("RolledBack"))
    assert "test hook Job check-2 failed: DeadlineExceeded" in condition(rolled_back)["message"]
    assert await releases.statuses() == ["superseded", "failed", "deployed"]
    assert (await releases.object(CONFIG_MAPS, "settings"))["data"]["greeting"] == "good"


async def test_a_first_install_whose_test_failed_stays_failed(controller, releases):
    await releases.apply(spec_of(hook_job("check", "test", **FAILING), enabled=True))
    failed = await releases.until(because("ReleaseFailed"))
    assert condition(failed, "Healthy")["status"] == "True"
    assert condition(failed, "Tested")["status"] == "False"
    assert condition(failed, "Stalled")["status"] == "True"
    assert await releases.statuses() == ["failed"]


async def test_a_failed_test_may_be_ignored(controller, releases):
    await releases.apply(spec_of(hook_job("check", "test", **FAILING), enabled=True, ignoreFailures=True))
    ready = await releases.until(of_tests("Failed"))
    assert condition(ready)["status"] == "True"
    assert "Job check failed: DeadlineExceeded" in condition(ready, "Tested")["message"]
    assert await releases.statuses() == ["deployed"]


async def test_filters_choose_among_tests(controller, releases):
    tests = [config_hook(name, "test") for name in ("one", "two", "three")]
    filters = [{"name": "one"}, {"name": "two"}, {"name": "two", "exclude": True}]
    await releases.apply(spec_of(*tests, enabled=True, filters=filters))
    await releases.until(of_tests("Succeeded"))
    assert [name for name in ("one", "two", "three") if await releases.exists(CONFIG_MAPS, name)] == ["one"]
