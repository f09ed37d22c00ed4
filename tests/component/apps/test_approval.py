"""A new revision that somebody has to approve: its plan, and what the approval begins."""

import base64
from datetime import timedelta

from pierhead.apps.gates import approval
from pierhead.kube.resources import CONFIG_MAPS
from support.releases import Releases, because, condition, config_map, inline, settled

WAITING = because("AwaitingApproval")


def spec(*objects, **more):
    return {"source": inline(*objects), "approval": "Manual", **more}


def named(name: str, **data: str) -> dict:
    return config_map(name, **data)


async def approve(releases: Releases, desired: dict, digest: str) -> None:
    await releases.apply(desired, **{"pierhead.dev/approve": digest})


async def test_the_first_revision_waits_for_approval_and_costs_nothing_meanwhile(
    controller, releases, requests
):
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key"},
        "stringData": {"token": "hunter-two"},
    }
    desired = spec(named("one", a="1"), secret)
    await releases.apply(desired)
    waiting = await releases.until(WAITING)
    plan = waiting["status"]["plan"]

    assert (plan["creates"], plan["updates"], plan["deletes"], plan["baseRevision"]) == (2, 0, 0, 0)
    assert {item["action"] for item in plan["objects"]} == {"Create"}
    assert "hunter" not in str(waiting["status"])
    assert base64.b64encode(b"hunter-two").decode() not in str(waiting["status"])
    assert plan["digest"] in condition(waiting)["message"]
    assert not await releases.exists(CONFIG_MAPS, "one")
    assert await releases.history() == []
    assert await requests() == []

    await approve(releases, desired, plan["digest"])
    done = await releases.until()

    assert "plan" not in done["status"]
    assert await releases.statuses() == ["deployed"]


async def test_an_approval_is_of_one_plan(controller, releases):
    first = spec(named("one", a="1"), named("gone", a="1"))
    await releases.apply(first)
    await approve(releases, first, (await releases.until(WAITING))["status"]["plan"]["digest"])
    await releases.until()

    second = spec(named("one", a="2"), named("new", a="1"))
    await releases.apply(second)
    plan = (await releases.until(WAITING))["status"]["plan"]
    told = {item["object"].rpartition("/")[2]: item for item in plan["objects"]}

    assert (plan["creates"], plan["updates"], plan["deletes"], plan["baseRevision"]) == (1, 1, 1, 1)
    assert {name: item["action"] for name, item in told.items()} == {
        "one": "Update",
        "new": "Create",
        "gone": "Delete",
    }
    assert told["one"]["changes"] == ["/data/a"]
    assert "-  a: '1'\n+  a: '2'" in told["one"]["diff"]

    await controller.stop()
    await controller.start()
    again = await releases.until(WAITING)

    assert again["status"]["plan"] == plan

    # The input moves on before the approval comes: what was approved is not what would be applied.
    third = spec(named("one", a="3"))
    await approve(releases, third, plan["digest"])
    moved = await releases.until(
        lambda obj: WAITING(obj) and "about another plan" in condition(obj)["message"]
    )

    assert moved["status"]["plan"]["digest"] != plan["digest"]
    assert await releases.statuses() == ["deployed"]

    await approve(releases, third, moved["status"]["plan"]["digest"])
    await releases.until(lambda obj: settled(obj) and obj["status"]["release"]["revision"] == 2)

    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "3"}
    assert not await releases.exists(CONFIG_MAPS, "gone")
    assert not await releases.exists(CONFIG_MAPS, "new")


async def test_what_could_not_be_applied_is_told_instead_of_a_plan(controller, releases):
    await releases.apply(spec({**named("one"), "data": {"a": 1}}))
    refused = await releases.until(because("Rejected"))

    assert "ConfigMap" in condition(refused)["message"]
    assert "plan" not in refused["status"]


async def test_a_plan_is_made_anew_when_what_it_is_about_drifts(controller, releases, requests, monkeypatch):
    monkeypatch.setattr(approval, "PLAN_AGAIN", timedelta(0))
    first = spec(named("one", a="1"), drift="Report")
    await releases.apply(first)
    await approve(releases, first, (await releases.until(WAITING))["status"]["plan"]["digest"])
    await releases.until()
    await releases.apply(spec(named("one", a="2"), drift="Report"))
    before = (await releases.until(WAITING))["status"]["plan"]

    changed = {**named("one", a="7"), "metadata": {"name": "one", "namespace": releases.namespace}}
    await releases.kube.apply(CONFIG_MAPS, changed, field_manager="somebody", force=True)
    after = await releases.until(lambda obj: WAITING(obj) and "liveDigest" in obj["status"]["plan"])

    assert "-  a: '1'" in before["objects"][0]["diff"]
    assert "-  a: '7'" in after["status"]["plan"]["objects"][0]["diff"]
    assert after["status"]["plan"]["digest"] == before["digest"]
    assert await requests() == []
