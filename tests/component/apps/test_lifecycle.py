"""An AppRelease from its first apply to its deletion."""

from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS
from support.releases import because, condition, config_map, deployment, inline


async def test_objects_are_applied_and_the_release_is_deployed(controller, releases):
    await releases.apply({"source": inline(config_map(), deployment())})
    ready = await releases.until()
    assert condition(ready)["reason"] == "Deployed"
    assert condition(ready, "Healthy")["status"] == "True"
    assert ready["status"]["release"] == {
        "name": "shop",
        "revision": 1,
        "status": "deployed",
        "inputDigest": ready["status"]["release"]["inputDigest"],
    }
    assert ready["status"]["objects"] == 2
    assert await releases.statuses() == ["deployed"]


async def test_an_upgrade_prunes_what_is_no_longer_rendered(controller, releases):
    await releases.apply({"source": inline(config_map("one"), config_map("two"))})
    await releases.until()
    await releases.apply({"source": inline(config_map("one", a="2"))})
    await releases.until()
    assert await releases.exists(CONFIG_MAPS, "one")
    assert not await releases.exists(CONFIG_MAPS, "two")
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_with_prune_off_nothing_is_deleted(controller, releases):
    await releases.apply({"source": inline(config_map("one"), config_map("two")), "prune": False})
    await releases.until()
    await releases.apply({"source": inline(config_map("one")), "prune": False})
    await releases.until()
    assert await releases.exists(CONFIG_MAPS, "two")


async def test_deletion_takes_the_objects_and_the_history_along(controller, releases):
    await releases.apply({"source": inline(config_map(), deployment())})
    await releases.until()
    await releases.delete()
    await releases.gone()
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert not await releases.exists(DEPLOYMENTS, "web")
    assert await releases.history() == []


async def test_an_object_to_be_kept_outlives_its_release(controller, releases):
    kept = config_map("kept")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    await releases.apply({"source": inline(kept, config_map("other"))})
    await releases.until()
    await releases.delete()
    await releases.gone()
    assert await releases.exists(CONFIG_MAPS, "kept")
    assert not await releases.exists(CONFIG_MAPS, "other")


async def test_a_suspended_release_is_left_alone_and_resumed(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()
    await releases.apply({"source": inline(config_map(a="2")), "suspend": True})
    await releases.until(because("Suspended"))
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    await releases.apply({"source": inline(config_map(a="2"))})
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "2"}


async def test_history_is_kept_to_its_limit(controller, releases):
    for number in range(4):
        await releases.apply({"source": inline(config_map(a=str(number))), "historyLimit": 2})
        await releases.until()
    assert [release.revision for release in await releases.history()] == [3, 4]


async def test_a_settled_release_is_not_written_again(controller, releases, sandbox, tenant):
    await releases.apply({"source": inline(config_map(), deployment())})
    before = await releases.until()
    await releases.apply(
        {"source": inline(config_map(), deployment())}, **{"pierhead.dev/reconcile-at": "now"}
    )
    await releases.apply({"source": inline(config_map("other"))}, name="other")
    await releases.until(name="other")
    after = await releases.get()
    assert after["status"] == before["status"] | {"handledReconcileAt": "now"}
    assert await releases.statuses() == ["deployed"]


async def test_another_process_finds_everything_settled(controller, releases):
    await releases.apply({"source": inline(config_map(), deployment())})
    before = await releases.until()
    versions = [secret.resource_version for secret in await releases.history()]
    await controller.stop()
    await controller.start()
    await releases.apply({"source": inline(config_map("other"))}, name="other")
    await releases.until(name="other")
    assert (await releases.get())["status"] == before["status"]
    assert [secret.resource_version for secret in await releases.history()] == versions
