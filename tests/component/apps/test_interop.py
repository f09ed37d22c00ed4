"""Helm's own command and pierhead at work on the same releases."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from pierhead.apps.decide import FOREIGN_LOCK
from pierhead.apps.history.release import Release, Status, encode
from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, PODS, SECRETS
from support.app_sources import chart_files
from support.releases import because, condition, config_map, deployment, inline
from support.renders import write_tree

WEB = json.dumps(deployment())


def of_chart(*, values: dict[str, Any] | None = None, **templates: str) -> dict[str, Any]:
    """The spec of an AppRelease that renders a chart."""
    return {"source": {"inline": {"files": chart_files(**templates)}}, "helm": {"values": values or {}}}


async def taken_over(releases, revisions: int) -> None:
    """Returns once the AppRelease is deployed at this revision."""
    await releases.until(
        lambda obj: (
            condition(obj).get("status") == "True" and obj["status"]["release"]["revision"] == revisions
        )
    )


async def data_of(releases, name: str = "settings") -> dict[str, str]:
    return (await releases.object(CONFIG_MAPS, name))["data"]


# What helm shows


async def test_helm_shows_a_release_that_failed_and_was_rolled_back(controller, releases, helm):
    await releases.apply(of_chart())
    await releases.until()
    broken = deployment()
    broken["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    await releases.apply({**of_chart(web=json.dumps(broken)), "health": {"timeout": "2s"}})
    await releases.until(because("RolledBack"))
    history = await helm("history", "shop", "--output", "json")
    assert [entry["status"] for entry in history] == ["superseded", "failed", "deployed"]
    assert history[1]["description"].startswith("Upgrade failed: not healthy within 2s")
    assert history[2]["description"] == "Rollback to 1"


# What helm does by hand


async def test_a_rollback_by_hand_is_taken_over_again(controller, releases, helm):
    await releases.apply(of_chart(values={"greeting": "one"}))
    await releases.until()
    await releases.apply(of_chart(values={"greeting": "two"}))
    await releases.until()
    await helm("rollback", "shop", "1")
    await taken_over(releases, 4)
    assert (await data_of(releases))["greeting"] == "two"
    assert await releases.statuses() == ["superseded", "superseded", "superseded", "deployed"]


async def test_an_upgrade_by_hand_is_taken_over_again(controller, releases, helm, tmp_path):
    await releases.apply(of_chart(values={"greeting": "ours"}))
    await releases.until()
    extra = json.dumps(config_map("extra"))
    chart = write_tree(tmp_path / "chart", chart_files(extra=extra))
    await helm("upgrade", "shop", str(chart), "--set", "greeting=theirs")
    await taken_over(releases, 3)
    assert (await data_of(releases))["greeting"] == "ours"
    assert not await releases.exists(CONFIG_MAPS, "extra")


async def test_an_uninstall_by_hand_is_an_install_again(controller, releases, helm):
    await releases.apply(of_chart())
    await releases.until()
    before = await releases.object(CONFIG_MAPS, "settings")
    await helm("uninstall", "shop")
    await releases.object(
        CONFIG_MAPS, "settings", lambda obj: obj["metadata"]["uid"] != before["metadata"]["uid"]
    )
    await taken_over(releases, 1)
    assert await releases.statuses() == ["deployed"]


async def test_an_uninstall_that_keeps_the_history_is_an_install_again(controller, releases, helm):
    await releases.apply(of_chart())
    await releases.until()
    await helm("uninstall", "shop", "--keep-history")
    await taken_over(releases, 2)
    assert (await releases.statuses())[-1] == "deployed"
    await releases.object(CONFIG_MAPS, "settings")


async def test_what_is_done_by_hand_stays_while_the_release_is_suspended(controller, releases, helm):
    await releases.apply(of_chart(values={"greeting": "one"}))
    await releases.until()
    await releases.apply(of_chart(values={"greeting": "two"}))
    await releases.until()
    suspended = {**of_chart(values={"greeting": "two"}), "suspend": True}
    await releases.apply(suspended)
    await releases.until(because("Suspended"))
    await helm("rollback", "shop", "1")
    assert (await data_of(releases))["greeting"] == "one"
    await releases.apply({**suspended, "suspend": False})
    await taken_over(releases, 4)
    assert (await data_of(releases))["greeting"] == "two"


async def test_a_rollback_by_hand_is_kept_until_the_next_change_when_asked(controller, releases, helm):
    for greeting in ("one", "two"):
        await releases.apply({**of_chart(values={"greeting": greeting}), "driftOfRelease": "Keep"})
        await releases.until()
    await helm("rollback", "shop", "1")
    kept = await releases.until(because("ReleaseKept"))
    assert "revision 3 (Rollback to 1) was not made by pierhead" in condition(kept)["message"]
    assert kept["status"]["release"]["revision"] == 3
    assert (await data_of(releases))["greeting"] == "one"
    await controller.stop()
    await controller.start()
    await releases.apply({**of_chart(values={"greeting": "two"}), "driftOfRelease": "Keep", "interval": "9m"})
    await releases.until(because("ReleaseKept"))
    assert (await data_of(releases))["greeting"] == "one"
    await releases.apply({**of_chart(values={"greeting": "three"}), "driftOfRelease": "Keep"})
    await taken_over(releases, 4)
    assert (await data_of(releases))["greeting"] == "three"


# What helm began


async def test_a_release_of_helm_is_adopted_without_a_restart(controller, releases, helm, tmp_path, tenant):
    chart = write_tree(tmp_path / "chart", chart_files(web=WEB))
    await helm("install", "shop", str(chart), "--set", "greeting=hi")
    pod = await releases.object(DEPLOYMENTS, "web", lambda obj: obj["status"].get("readyReplicas") == 1)
    assert pod["metadata"]["generation"] == 1
    before = await pods(releases)
    await releases.apply(of_chart(values={"greeting": "hi"}, web=WEB))
    await taken_over(releases, 2)
    assert await releases.statuses() == ["superseded", "deployed"]
    assert await pods(releases) == before
    assert (await releases.object(DEPLOYMENTS, "web"))["metadata"]["generation"] == 1
    (listed,) = await helm("list", "--output", "json")
    assert (listed["name"], listed["revision"], listed["status"]) == ("shop", "2", "deployed")


async def pods(releases) -> set[str]:
    pages = releases.kube.pages(PODS, releases.namespace)
    return {pod["metadata"]["uid"] async for page in pages for pod in page.items}


async def test_what_only_helms_revision_had_goes_with_the_adoption(controller, releases, helm, tmp_path):
    """Objects that are no longer rendered, and fields of those that are."""
    files = chart_files(extra=json.dumps(config_map("extra")))
    files["templates/settings.yaml"] += "  old: field\n"
    await helm("install", "shop", str(write_tree(tmp_path / "chart", files)))
    assert "old" in await data_of(releases)
    await releases.apply(of_chart())
    await taken_over(releases, 2)
    assert not await releases.exists(CONFIG_MAPS, "extra")
    assert await data_of(releases) == {"greeting": "hello", "release": "shop-2"}


async def test_a_field_that_a_rollback_by_hand_brought_back_goes_again(controller, releases, helm):
    old = chart_files()
    old["templates/settings.yaml"] += "  old: field\n"
    await releases.apply({"source": {"inline": {"files": old}}, "helm": {}})
    await releases.until()
    await releases.apply(of_chart())
    await releases.until()
    assert "old" not in await data_of(releases)
    await helm("rollback", "shop", "1")
    await taken_over(releases, 4)
    assert "old" not in await data_of(releases)


async def test_what_others_added_to_an_adopted_object_stays(controller, releases, helm, tmp_path):
    await helm("install", "shop", str(write_tree(tmp_path / "chart", chart_files())))
    await releases.kube.merge_patch(CONFIG_MAPS, "settings", releases.namespace, {"data": {"theirs": "x"}})
    await releases.apply(of_chart())
    await taken_over(releases, 2)
    assert (await data_of(releases))["theirs"] == "x"


async def test_a_release_of_helm_that_was_never_taken_over_outlives_the_app_release(
    controller, releases, helm, tmp_path
):
    await helm("install", "shop", str(write_tree(tmp_path / "chart", chart_files())))
    await releases.apply({"source": {"inline": {"files": {"Chart.yaml": "not a chart"}}}, "helm": {}})
    await releases.until(because("RenderFailed"))
    await releases.delete()
    await releases.gone()
    assert await releases.statuses() == ["deployed"]
    assert await releases.exists(CONFIG_MAPS, "settings")


async def test_a_release_that_was_taken_over_goes_with_the_app_release(controller, releases, helm, tmp_path):
    await helm("install", "shop", str(write_tree(tmp_path / "chart", chart_files())))
    await releases.apply(of_chart())
    await taken_over(releases, 2)
    await releases.delete()
    await releases.gone()
    assert await helm("list", "--output", "json") == []
    assert not await releases.exists(CONFIG_MAPS, "settings")


# What helm left behind


def left_behind(releases, status: Status, *, ago: timedelta, revision: int = 1) -> Release:
    """A revision as a helm that was killed leaves it."""
    at = datetime.now(UTC) - ago
    return Release(
        name="shop",
        namespace=releases.namespace,
        revision=revision,
        status=status,
        description="Preparing upgrade",
        manifest="---\n" + json.dumps(config_map("theirs")),
        first_deployed=at,
        last_deployed=at,
        chart={"name": "shop", "version": "0.9.0", "apiVersion": "v2"},
    )


@pytest.mark.parametrize("status", [Status.PENDING_INSTALL, Status.PENDING_ROLLBACK, Status.UNINSTALLING])
async def test_a_pending_revision_of_helm_is_waited_for_and_then_taken_over(controller, releases, status):
    young = left_behind(releases, status, ago=timedelta(seconds=30))
    made = await releases.kube.create(SECRETS, encode(young, at=young.last_deployed))
    await releases.apply({"source": inline(config_map())})
    locked = await releases.until(because("Locked"))
    assert f"revision 1 is {status.value} by others: waiting until " in condition(locked)["message"]
    assert condition(locked, "Reconciling")["status"] == "True"
    assert not await releases.exists(CONFIG_MAPS, "one")
    old = replace(
        left_behind(releases, status, ago=FOREIGN_LOCK + timedelta(seconds=1)),
        resource_version=made["metadata"]["resourceVersion"],
    )
    await releases.kube.replace(SECRETS, encode(old, at=old.last_deployed))
    await taken_over(releases, 2)
    assert await releases.statuses() == ["failed", "deployed"]


async def test_a_pending_revision_that_helm_ends_is_taken_over_at_once(controller, releases):
    young = left_behind(releases, Status.PENDING_INSTALL, ago=timedelta(seconds=30))
    made = await releases.kube.create(SECRETS, encode(young, at=young.last_deployed))
    await releases.apply({"source": inline(config_map())})
    await releases.until(because("Locked"))
    done = replace(
        young.now(Status.DEPLOYED, "Install complete", young.last_deployed),
        resource_version=made["metadata"]["resourceVersion"],
    )
    await releases.kube.replace(SECRETS, encode(done, at=done.last_deployed))
    await taken_over(releases, 2)


# Values mean the same


SCALARS = """\
sexagesimal: 12:30:45
octal: 0o17
old_octal: 017
no_octal: 08
grouped: 1_000
exponent: 1e3
fraction: 1.50
whole: 2.0
hex: 0x1F
binary: 0b101
short: .5
huge: 1e400
long: 123456789012345678901234567890
yes: y
no: Off
nothing: ~
day: 2024-01-01
moment: 2001-12-14t21:59:43.10-05:00
sign: "="
equals: =x
version: 1.2.3
text: "1e3"
"""


async def test_values_mean_what_they_mean_to_helm(controller, releases, helm, tmp_path):
    """What a plain word of YAML is: Helm itself is the judge."""
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n"
    template = f"{head}data:\n  v: {{{{ toJson .Values | quote }}}}\n"
    files = chart_files() | {"templates/settings.yaml": template, "prod.yaml": SCALARS}
    chart = write_tree(tmp_path / "chart", files)
    rendered = yaml.safe_load(await helm("template", str(chart), "--values", str(chart / "prod.yaml")))
    await releases.apply({"source": {"inline": {"files": files}}, "helm": {"valuesFiles": ["prod.yaml"]}})
    await releases.until()
    assert json.loads((await data_of(releases))["v"]) == json.loads(rendered["data"]["v"])


async def test_a_stored_manifest_means_what_was_applied(controller, releases):
    """Written as people write YAML, it is compared and applied again as it was the first time."""
    text = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, annotations: {day: 2024-01-01}}\n"
        "data: {day: 2024-01-01, at: 12:30, sign: =, last: 2001-12-14t21:59:43.10-05:00}\n"
    )
    await releases.apply({"source": {"inline": {"files": {"app.yaml": text}}}})
    await releases.until()
    before = await releases.object(CONFIG_MAPS, "settings")
    assert before["data"] == {
        "day": "2024-01-01",
        "at": "12:30",
        "sign": "=",
        "last": "2001-12-14t21:59:43.10-05:00",
    }
    await controller.stop()
    await releases.kube.merge_patch(CONFIG_MAPS, "settings", releases.namespace, {"data": {"sign": "!"}})
    await controller.start()
    after = await releases.object(CONFIG_MAPS, "settings", lambda obj: obj["data"]["sign"] == "=")
    assert after["data"] == before["data"]
    await releases.until()
    assert await releases.statuses() == ["deployed"]
