"""Releases that fail: rolled back, remembered, and tried again only when something changed."""

import asyncio

from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, ResourceType
from support.releases import because, condition, config_map, deployment, inline

WEBHOOKS = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
QUOTAS = ResourceType("", "v1", "resourcequotas", "ResourceQuota")
QUICK = {"timeout": "3s"}


def unschedulable(name: str = "web", **more):
    """A Deployment whose pods fit on no node."""
    made = deployment(name, **more)
    made["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    return made


async def test_a_failed_upgrade_is_rolled_back_and_not_tried_again(controller, releases):
    await releases.apply({"source": inline(config_map(a="good"), deployment()), "health": QUICK})
    await releases.until()
    bad = {"source": inline(config_map(a="bad"), config_map("new"), unschedulable()), "health": QUICK}
    await releases.apply(bad)
    rolled_back = await releases.until(because("RolledBack"))
    assert condition(rolled_back, "Stalled")["status"] == "True"
    assert "not healthy within 3s" in condition(rolled_back)["message"]
    assert rolled_back["status"]["rejected"]["revision"] == 2
    assert await releases.statuses() == ["superseded", "failed", "deployed"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "good"}
    assert not await releases.exists(CONFIG_MAPS, "new")
    await releases.apply(bad, unrelated="change")
    await releases.apply({"source": inline(config_map("other"))}, name="other")
    await releases.until(name="other")
    assert await releases.statuses() == ["superseded", "failed", "deployed"]


async def test_a_corrected_spec_is_released_after_a_rollback(controller, releases):
    await releases.apply({"source": inline(config_map(a="good")), "health": QUICK})
    await releases.until()
    await releases.apply({"source": inline(config_map(a="bad"), unschedulable()), "health": QUICK})
    await releases.until(because("RolledBack"))
    await releases.apply({"source": inline(config_map(a="better"), deployment()), "health": QUICK})
    deployed = await releases.until()
    assert "rejected" not in deployed["status"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "better"}


async def test_the_same_input_is_tried_again_when_forced(controller, releases):
    good = {"source": inline(config_map(a="good")), "health": QUICK}
    bad = {"source": inline(config_map(a="bad"), unschedulable()), "health": QUICK}
    await releases.apply(good)
    await releases.until()
    await releases.apply(bad)
    await releases.until(because("RolledBack"))
    await releases.apply(bad, **{"pierhead.dev/reconcile-at": "again"})
    await releases.until(lambda obj: (obj["status"].get("rejected") or {}).get("revision") == 4)
    assert (await releases.statuses())[3] == "failed"


async def test_without_rollback_a_failed_upgrade_stays(controller, releases):
    await releases.apply({"source": inline(config_map(a="good"))})
    await releases.until()
    failing = {"health": QUICK, "rollback": {"onFailure": False}}
    await releases.apply({"source": inline(config_map(a="bad"), unschedulable()), **failing})
    await releases.until(because("ReleaseFailed"))
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "bad"}
    assert await releases.statuses() == ["deployed", "failed"]


async def test_a_first_install_that_fails_recovers_when_it_becomes_healthy(controller, releases, sandbox):
    await releases.apply({"source": inline(unschedulable()), "health": QUICK})
    await releases.until(because("ReleaseFailed"))
    assert await releases.statuses() == ["failed"]
    node = sandbox.kubectl("get", "nodes", "-o", "name").stdout.split()[0]
    sandbox.kubectl("label", node, "no=such-node")
    try:
        await releases.until()
    finally:
        sandbox.kubectl("label", node, "no-")
    assert await releases.statuses() == ["deployed"]


async def test_a_newer_input_does_not_wait_for_an_older_one(controller, releases):
    await releases.apply({"source": inline(unschedulable()), "health": {"timeout": "10m"}})
    await releases.until(because("WaitingForHealth"))
    await releases.apply({"source": inline(deployment()), "health": {"timeout": "10m"}})
    await releases.until()
    assert await releases.statuses() == ["failed", "deployed"]


async def test_an_upgrade_that_is_refused_half_way_is_rolled_back(controller, releases, sandbox, tenant):
    """The dry run passes, and then a quota that it does not count refuses the second object."""
    await releases.apply({"source": inline(config_map(a="good"))})
    await releases.until()
    sandbox.kubectl("create", "quota", "few", "-n", tenant, "--hard=count/services=0")
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}},
    }
    await releases.object(
        QUOTAS, "few", lambda obj: (obj.get("status") or {}).get("hard") == {"count/services": "0"}
    )
    await releases.apply({"source": inline(config_map(a="bad"), service)})
    stopped = await releases.until(lambda obj: condition(obj).get("status") == "False")
    assert "exceeded quota" in condition(stopped)["message"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "good"}


async def test_a_restart_in_the_middle_of_a_wait_goes_on(controller, releases):
    await releases.apply({"source": inline(deployment(), unschedulable("late"))})
    await releases.until(because("WaitingForHealth"))
    await controller.stop()
    await releases.apply({"source": inline(deployment(), deployment("late"))})
    await controller.start()
    await releases.until()
    assert await releases.exists(DEPLOYMENTS, "late")
    assert await releases.statuses() == ["failed", "deployed"]


def unreachable_webhook(namespace: str):
    """A webhook without which nobody may write a ConfigMap there, and which nobody answers."""
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["configmaps"],
    }
    webhook = {
        "name": "silent.example.com",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [rule],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"silent-{namespace}"},
        "webhooks": [webhook],
    }


async def test_an_apply_that_others_hinder_is_tried_until_it_succeeds(controller, releases, kube, tenant):
    """Longer than the release's own timeout, by an operator that has to apply a pending revision again."""
    spec = {"source": inline(config_map(a="1"), unschedulable()), "health": {"timeout": "2s"}}
    before = {**spec, "health": {"timeout": "10m"}}
    await releases.apply(before)
    await releases.until(because("WaitingForHealth"))
    await controller.stop()
    await kube.delete(CONFIG_MAPS, "one", tenant)
    webhook = unreachable_webhook(tenant)
    await kube.apply(WEBHOOKS, webhook, field_manager="test")
    try:
        await releases.apply(spec)
        await controller.start()
        hindered = await releases.until(lambda obj: "failed calling webhook" in str(condition(obj)))
        assert not condition(hindered, "Stalled")
        await asyncio.sleep(3)
        assert await releases.statuses() == ["pending-install"]
    finally:
        await kube.delete(WEBHOOKS, webhook["metadata"]["name"])
    await releases.until(because("ReleaseFailed"), seconds=90)
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    assert "not healthy within 2s" in (await releases.history())[0].description
