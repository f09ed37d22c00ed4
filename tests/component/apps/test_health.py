"""Health: what an author's checks and the Pods themselves have to say, and what a trial ends in."""

from pierhead.kube.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from support.objects import served
from support.releases import because, condition, config_map, deployment, inline

DATABASES = ResourceType("health.example.com", "v1", "databases", "Database")
CHECK = {
    "apiVersion": "health.example.com/v1",
    "kind": "Database",
    "current": "object.status.phase == 'Up'",
    "failed": "object.status.phase == 'Lost'",
}


def unschedulable():
    made = deployment("web")
    made["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    return made


def database(size: int = 1):
    return {
        "apiVersion": "health.example.com/v1",
        "kind": "Database",
        "metadata": {"name": "shop"},
        "spec": {"size": size},
    }


async def databases(kube, sandbox, tenant) -> None:
    """A kind without conditions, which the tenant may use."""
    open_schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": open_schema},
    }
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "databases.health.example.com"},
        "spec": {
            "group": "health.example.com",
            "names": {"kind": "Database", "plural": "databases"},
            "scope": "Namespaced",
            "versions": [version],
        },
    }
    await kube.apply(CUSTOM_RESOURCE_DEFINITIONS, definition, field_manager="test")
    await served(kube, DATABASES)
    account = f"--serviceaccount={tenant}:default"
    kinds = "--resource=databases.health.example.com"
    sandbox.kubectl("create", "role", "databases", "-n", tenant, "--verb=*", kinds)
    sandbox.kubectl("create", "rolebinding", "databases", "-n", tenant, "--role=databases", account)


async def phase(releases, text: str) -> None:
    status = {"status": {"phase": text}}
    await releases.kube.merge_patch(DATABASES, "shop", releases.namespace, status, subresource="status")


async def test_a_check_decides_and_a_changed_check_is_heeded_at_once(
    controller, releases, kube, sandbox, tenant
):
    await databases(kube, sandbox, tenant)
    spec = {"source": inline(database()), "health": {"checks": [CHECK]}}
    await releases.apply(spec)
    waits = await releases.until(because("WaitingForHealth"))
    assert "Database team" not in condition(waits)["message"]
    assert "not yet object.status.phase == 'Up'" in condition(waits)["message"]
    await phase(releases, "Almost")
    await releases.apply(
        {**spec, "health": {"checks": [{**CHECK, "current": "object.status.phase == 'Almost'"}]}}
    )
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_what_fails_on_trial_is_rolled_back(controller, releases, kube, sandbox, tenant):
    await databases(kube, sandbox, tenant)
    health = {"checks": [CHECK], "bake": "10m"}
    await releases.apply({"source": inline(database(1), config_map(a="old")), "health": {"checks": [CHECK]}})
    await releases.object(DATABASES, "shop")
    await phase(releases, "Up")
    await releases.until()
    await releases.apply({"source": inline(database(2), config_map(a="new")), "health": health})
    baking = await releases.until(because("Baking"))
    assert "is on trial until" in condition(baking)["message"]
    assert await releases.statuses() == ["superseded", "deployed"]
    # Another process takes the trial up where this one left it.
    await controller.stop()
    await phase(releases, "Lost")
    await controller.start()
    await releases.until(lambda obj: (obj["status"].get("release") or {}).get("revision") == 3)
    rolled_back = await kube.get(DATABASES, "shop", releases.namespace)
    assert rolled_back["spec"] == {"size": 1}
    await phase(releases, "Up")
    ended = await releases.until(because("RolledBack"))
    assert "failed on trial" in condition(ended)["message"]
    assert await releases.statuses() == ["superseded", "failed", "deployed"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "old"}


async def test_a_trial_ends_well_and_is_not_begun_again(controller, releases, requests):
    await releases.apply({"source": inline(config_map()), "health": {"bake": "1s"}})
    await releases.until()
    (only,) = await releases.history()
    assert only.bookkeeping is not None
    assert only.bookkeeping.baking_since is None
    assert await requests() == []


async def test_a_newer_input_ends_a_trial_at_once(controller, releases):
    await releases.apply({"source": inline(config_map(a="1")), "health": {"bake": "1h"}})
    await releases.until(because("Baking"))
    await releases.apply({"source": inline(config_map(a="2"))})
    await releases.until()
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_failure_is_told_in_the_words_of_the_pods(controller, releases):
    """The scheduler's own message; no request for it was made while nobody had to be told."""
    spec = {"source": inline(unschedulable()), "health": {"timeout": "3s"}}
    await releases.apply(spec)
    failed = await releases.until(because("ReleaseFailed"))
    (only,) = await releases.history()
    assert "Deployment" in only.description
    assert "(Pod web-" in only.description
    assert "Unschedulable: 0/" in only.description
    assert condition(failed, "Healthy")["status"] != "True"


async def test_a_failed_install_is_taken_away_and_the_next_is_an_install(controller, releases):
    spec = {"health": {"timeout": "2s"}, "install": {"onFailure": "Uninstall"}}
    await releases.apply({"source": inline(config_map(a="bad"), unschedulable()), **spec})
    failed = await releases.until(lambda obj: "was taken away again" in condition(obj).get("message", ""))
    assert condition(failed, "Stalled")["status"] == "True"
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert await releases.statuses() == ["failed"]
    await releases.apply({"source": inline(config_map(a="good")), **spec})
    await releases.until()
    assert [release.description for release in await releases.history()][-1] == "Install complete"


async def test_an_input_is_tried_again_before_it_is_rejected(controller, releases):
    await releases.apply({"source": inline(config_map(a="good"))})
    await releases.until()
    spec = {"health": {"timeout": "1s"}, "retry": {"limit": 1, "interval": "1s"}}
    await releases.apply({"source": inline(config_map(a="bad"), unschedulable()), **spec})
    await releases.until(because("RolledBack"))
    assert await releases.statuses() == ["superseded", "failed", "failed", "deployed"]
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "good"}


async def test_a_rollback_is_ordered_once_and_holds_until_the_input_changes(controller, releases):
    for text in ("1", "2", "3"):
        await releases.apply({"source": inline(config_map(a=text))})
        await releases.until(lambda obj, text=text: obj["status"]["release"]["revision"] == int(text))
        await releases.until()
    order = {"pierhead.dev/rollback-to": "1@2026-11-23T12:00:00Z"}
    three = {"source": inline(config_map(a="3"))}
    await releases.apply(three, **order)
    rolled_back = await releases.until(because("RolledBack"))
    assert condition(rolled_back)["status"] == "True"
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    await controller.stop()
    await controller.start()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "meddled"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    assert await releases.statuses() == ["superseded", "superseded", "superseded", "deployed"]
    await releases.apply({"source": inline(config_map(a="5"))}, **order)
    await releases.until(lambda obj: obj["status"]["release"]["revision"] == 5)
    await releases.until(because("Deployed"))
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "5"}


async def test_an_order_that_cannot_be_carried_out_is_told_and_hinders_nothing(controller, releases):
    spec = {"source": inline(config_map(a="1"))}
    await releases.apply(spec, **{"pierhead.dev/rollback-to": "7@2026-11-23T12:00:00Z"})
    told = await releases.until(because("NoSuchRevision", "RollbackOrdered"))
    assert "there is no revision 7" in condition(told, "RollbackOrdered")["message"]
    assert condition(told)["status"] == "True"


async def test_an_order_that_the_cluster_refuses_is_told_and_hinders_nothing(controller, releases):
    """Its manifest has another value of a field that nobody may change any more."""
    await releases.apply({"source": inline({**config_map(a="1"), "immutable": False})})
    await releases.until()
    two = {"source": inline({**config_map(a="2"), "immutable": True})}
    await releases.apply(two)
    await releases.until(lambda obj: obj["status"]["release"]["revision"] == 2)
    await releases.apply(two, **{"pierhead.dev/rollback-to": "1@2026-11-23T12:00:00Z"})
    told = await releases.until(because("Refused", "RollbackOrdered"))
    assert "immutable" in condition(told, "RollbackOrdered")["message"]
    assert condition(told)["status"] == "True"
    assert await releases.statuses() == ["superseded", "deployed"]
