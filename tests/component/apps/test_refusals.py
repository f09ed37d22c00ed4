"""What the cluster refuses or somebody takes away is told by object and cause, and nothing is lost."""

import json
from typing import Any

import pytest

from pierhead.kube.resources import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    ResourceType,
)
from support.objects import definition
from support.releases import because, condition, config_map, inline
from support.webhook import Webhook, never

WEBHOOKS = ResourceType(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)
RARELY = {"interval": "10m"}
"""Nothing is looked at again while a test looks at what it costs."""


def service(port: int = 80, name: str = "web") -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


# Admission


@pytest.fixture
async def webhook(kube, tenant, tmp_path):
    """A webhook that judges the namespace's ConfigMaps, in force."""
    made = Webhook(tmp_path, tenant, "configmaps")
    configuration = await made.start()
    await kube.create(WEBHOOKS, configuration)
    probe = config_map("probe")
    probe["metadata"]["namespace"] = tenant
    while not made.asked:
        # The API server takes a moment to know of it.
        await kube.apply(CONFIG_MAPS, probe, dry_run=True, field_manager="test")
    yield made
    await kube.delete(WEBHOOKS, configuration["metadata"]["name"])
    await made.stop()


async def test_an_admission_webhook_that_refuses_is_quoted(controller, releases, requests, webhook):
    async def refuse(obj: dict[str, Any]) -> str | None:
        return "no value may be bad" if obj["data"].get("a") == "bad" else None

    webhook.verdict = refuse
    await releases.apply({"source": inline(config_map(a="good"), config_map("two")), **RARELY})
    await releases.until()
    await releases.apply(
        {"source": inline(config_map(a="bad"), config_map("two", a="new"), service()), **RARELY}
    )
    stopped = await releases.until(because("Forbidden"))
    message = condition(stopped)["message"]
    assert f"ConfigMap {releases.namespace}/one: " in message
    assert 'admission webhook "judge.example.com" denied the request: no value may be bad' in message
    assert await requests() == []
    assert (await releases.object(CONFIG_MAPS, "two"))["data"] == {"a": "1"}
    assert await releases.statuses() == ["deployed"]


async def test_an_admission_webhook_that_does_not_answer_is_waited_out(controller, releases, webhook):
    await releases.apply({"source": inline(config_map(a="1")), **RARELY})
    await releases.until()
    webhook.verdict = never
    await releases.apply({"source": inline(config_map(a="2"), service()), **RARELY})
    failing = await releases.until(because("ServerError"))
    message = condition(failing)["message"]
    assert f"ConfigMap {releases.namespace}/one: " in message
    assert 'failed calling webhook "judge.example.com"' in message
    assert condition(failing, "Stalled") == {}
    assert not await releases.exists(SERVICES, "web")

    async def allow(_: dict[str, Any]) -> str | None:
        return None

    webhook.verdict = allow
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "2"}
    assert await releases.statuses() == ["superseded", "deployed"]


# Namespaces and rights


async def test_a_namespace_that_is_going_away_is_named(controller, releases, sandbox, kube, tenant):
    elsewhere = sandbox.create_namespace(f"{tenant}-more")
    account = f"--serviceaccount={tenant}:default"
    # A namespace that goes away takes its RoleBindings along.
    sandbox.kubectl("create", "clusterrolebinding", elsewhere, "--clusterrole=admin", account)
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": elsewhere}}
    held["metadata"]["finalizers"] = ["example.com/held"]
    await kube.create(CONFIG_MAPS, held)
    await kube.delete(NAMESPACES, elsewhere)
    there = config_map("there")
    there["metadata"]["namespace"] = elsewhere
    await releases.apply({"source": inline(config_map(), there), **RARELY})
    stopped = await releases.until(because("Forbidden"))
    message = condition(stopped)["message"]
    assert f"ConfigMap {elsewhere}/there: " in message
    assert f"namespace {elsewhere} because it is being terminated" in message
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert await releases.history() == []
    await kube.merge_patch(CONFIG_MAPS, "held", elsewhere, {"metadata": {"finalizers": None}})
    sandbox.kubectl("delete", "clusterrolebinding", elsewhere)


async def test_a_right_that_is_taken_away_for_one_kind_is_named(controller, releases, requests, sandbox):
    namespace = releases.namespace
    sandbox.kubectl("delete", "rolebinding", "tenant", "-n", namespace)
    for name, resources in (("most", "secrets,configmaps"), ("services", "services")):
        sandbox.kubectl("create", "role", name, "-n", namespace, "--verb=*", f"--resource={resources}")
        binding = ("create", "rolebinding", name, "-n", namespace, f"--role={name}")
        sandbox.kubectl(*binding, f"--serviceaccount={namespace}:default")
    await releases.apply({"source": inline(config_map(a="1"), service(80)), **RARELY})
    await releases.until()
    sandbox.kubectl("delete", "rolebinding", "services", "-n", namespace)
    await releases.apply({"source": inline(config_map(a="2"), service(81)), **RARELY})
    stopped = await releases.until(because("Forbidden"))
    message = condition(stopped)["message"]
    assert f"Service {namespace}/web: " in message
    assert 'cannot patch resource "services" in API group ""' in message
    assert f"ConfigMap {namespace}/one" not in message
    assert condition(stopped, "Stalled")["status"] == "True"
    assert await requests() == []
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    assert await releases.statuses() == ["deployed"]
    sandbox.kubectl(*binding, f"--serviceaccount={namespace}:default")
    await releases.apply({"source": inline(config_map(a="2"), service(81)), "interval": "1s"})
    await releases.until()


# What holds other people's data


async def test_a_crd_that_is_rendered_no_more_is_kept_and_named(controller, releases, sandbox, tenant):
    group = f"{tenant}.example.com"
    role = f"widgets-{tenant}"
    sandbox.kubectl("create", "clusterrole", role, "--verb=*", "--resource=*.*")
    account = f"--serviceaccount={tenant}:default"
    sandbox.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account)
    crd = definition("Widget", group)
    await releases.apply({"source": inline(crd, config_map())})
    await releases.until()
    theirs = {
        "apiVersion": f"{group}/v1",
        "kind": "Widget",
        "metadata": {"name": "theirs", "namespace": tenant},
        "spec": {"size": 1},
    }
    await releases.kube.create(ResourceType(group, "v1", "widgets", "Widget"), theirs)
    await releases.apply({"source": inline(config_map())})
    kept = await releases.until()
    name = crd["metadata"]["name"]
    assert (
        f"kept because every object of their kinds would go too: CustomResourceDefinition {name}"
        in (condition(kept)["message"])
    )
    await releases.delete()
    await releases.gone()
    left = await releases.kube.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    assert "deletionTimestamp" not in left["metadata"]
    assert await releases.exists(ResourceType(group, "v1", "widgets", "Widget"), "theirs")
    sandbox.kubectl("delete", "clusterrolebinding,clusterrole", role)


# The history


async def test_a_history_that_is_deleted_is_begun_anew(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"), config_map("two"))})
    await releases.until()
    before = await releases.object(CONFIG_MAPS, "one")
    await releases.kube.delete(SECRETS, "sh.helm.release.v1.shop.v1", releases.namespace)
    await releases.object(SECRETS, "sh.helm.release.v1.shop.v1")
    await releases.until()
    assert await releases.statuses() == ["deployed"]
    assert (await releases.object(CONFIG_MAPS, "one"))["metadata"]["uid"] == before["metadata"]["uid"]
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()
    assert not await releases.exists(CONFIG_MAPS, "two")


async def test_a_revision_that_is_edited_by_hand_says_what_it_says(controller, releases):
    """Labels that lie about a revision mislead nobody: its payload is what counts."""
    await releases.apply({"source": inline(config_map(a="1")), **RARELY})
    await releases.until()
    name = "sh.helm.release.v1.shop.v1"
    labels = {"metadata": {"labels": {"status": "failed", "version": "7"}}}
    await releases.kube.merge_patch(SECRETS, name, releases.namespace, labels)
    await releases.apply({"source": inline(config_map(a="2")), **RARELY})
    await releases.until()
    assert await releases.statuses() == ["superseded", "deployed"]
    assert json.dumps((await releases.object(CONFIG_MAPS, "one"))["data"]) == '{"a": "2"}'
