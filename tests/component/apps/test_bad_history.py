"""A history that is damaged, too large or long-named, and objects that belong to somebody else."""

import base64
import json
import random

import pytest

from pierhead.apps.names import release_name
from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from support.app_sources import GitRepository
from support.releases import because, condition, config_map, inline

RARELY = {"interval": "10m"}
"""Nothing is looked at again while a test looks at what it costs."""

# What is stored


async def damage(releases, revision: int = 1) -> str:
    name = f"sh.helm.release.v1.shop.v{revision}"
    data = {"release": base64.b64encode(b"damaged").decode()}
    await releases.kube.merge_patch(SECRETS, name, releases.namespace, {"data": data})
    return name


async def test_a_damaged_release_is_told_and_nothing_is_touched(controller, releases, requests):
    await releases.apply({"source": inline(config_map(a="1")), **RARELY})
    await releases.until()
    name = await damage(releases)
    stopped = await releases.until(because("DamagedRelease"))
    assert name in condition(stopped)["message"]
    assert await requests() == []
    await releases.apply({"source": inline(config_map(a="2")), **RARELY})
    await releases.until(because("DamagedRelease"))
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    await releases.kube.delete(SECRETS, name, releases.namespace)
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "2"}


async def test_a_damaged_release_that_is_restored_goes_on(controller, releases):
    await releases.apply({"source": inline(config_map()), **RARELY})
    await releases.until()
    name = "sh.helm.release.v1.shop.v1"
    good = (await releases.kube.get(SECRETS, name, releases.namespace))["data"]
    await damage(releases)
    await releases.until(because("DamagedRelease"))
    await releases.kube.merge_patch(SECRETS, name, releases.namespace, {"data": good})
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_a_damaged_release_can_be_deleted_once_it_is_told(controller, releases):
    await releases.apply({"source": inline(config_map()), **RARELY})
    await releases.until()
    name = await damage(releases)
    await releases.until(because("DamagedRelease"))
    await releases.delete()
    stuck = await releases.until(
        lambda obj: (
            "deletionTimestamp" in obj["metadata"] and condition(obj).get("reason") == "DamagedRelease"
        )
    )
    assert name in condition(stuck)["message"]
    assert await releases.exists(CONFIG_MAPS, "one")
    await releases.kube.delete(SECRETS, name, releases.namespace)
    await releases.gone()


async def test_a_release_over_the_limit_of_a_secret_is_refused_before_anything_is_written(
    controller, releases, requests, tmp_path
):
    repository = GitRepository(tmp_path / "repository")
    noise = random.Random(1)
    big = {
        f"{name}.json": json.dumps(
            config_map(name, noise=base64.b85encode(noise.randbytes(500_000)).decode())
        )
        for name in ("one", "two", "three")
    }
    repository.commit(big)
    await releases.apply({"source": repository.source(branch="main"), **RARELY}, name="big")
    stopped = await releases.until(because("ReleaseTooLarge"), name="big")
    assert "a Secret holds 1048576" in condition(stopped)["message"]
    assert await requests() == []
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert await releases.history("big") == []


async def test_a_long_name_is_a_release_that_helm_can_have(controller, releases):
    name = "shop-" + "x" * 120
    await releases.apply({"source": inline(config_map())}, name=name)
    deployed = await releases.until(name=name)
    assert deployed["status"]["release"]["name"] == release_name(name)
    assert len(release_name(name)) == 53
    assert await releases.statuses(release_name(name)) == ["deployed"]
    await releases.delete(name)
    await releases.gone(name)
    assert await releases.history(release_name(name)) == []


# Others


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_object_of_another_release_is_not_taken(controller, releases, requests, restarted):
    await releases.apply({"source": inline(config_map("shared", a="first"))}, name="first")
    await releases.until(name="first")
    if restarted:
        await releases.apply(
            {"source": inline(config_map("shared", a="first")), "suspend": True}, name="first"
        )
        await releases.until(because("Suspended"), name="first")
        await controller.stop()
        await controller.start()
    await releases.apply(
        {"source": inline(config_map("own"), config_map("shared", a="second")), **RARELY}, name="second"
    )
    stopped = await releases.until(because("OwnedByAnother"), name="second")
    assert f"ConfigMap {releases.namespace}/shared belongs to " in condition(stopped)["message"]
    assert f"{releases.namespace}/first" in condition(stopped)["message"]
    assert (await releases.object(CONFIG_MAPS, "shared"))["data"] == {"a": "first"}
    assert not await releases.exists(CONFIG_MAPS, "own")
    assert await releases.history("second") == []
    await releases.delete("second")
    await releases.gone("second")
    assert await releases.exists(CONFIG_MAPS, "shared")


async def test_an_object_of_a_release_that_is_gone_is_adopted(controller, releases):
    kept = config_map("kept", a="1")
    kept["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    await releases.apply({"source": inline(kept)}, name="first")
    await releases.until(name="first")
    await releases.delete("first")
    await releases.gone("first")
    await releases.apply({"source": inline(config_map("kept", a="2"))}, name="second")
    await releases.until(name="second")
    assert (await releases.object(CONFIG_MAPS, "kept"))["data"] == {"a": "2"}


async def test_an_object_that_nobody_releases_is_adopted(controller, releases):
    obj = config_map("found", a="1")
    obj["metadata"]["namespace"] = releases.namespace
    await releases.kube.apply(CONFIG_MAPS, obj, field_manager="kubectl")
    await releases.apply({"source": inline(config_map("found", a="2"))})
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "found"))["data"] == {"a": "2"}
