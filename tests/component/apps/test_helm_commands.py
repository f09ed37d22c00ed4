"""Helm's commands of both major versions read and change what pierhead releases."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pierhead.kube.resources import CONFIG_MAPS
from pierhead_sandbox.helm3 import helm3, unavailable
from support.app_sources import chart_files
from support.helm_judge import documents, helm
from support.releases import at_revision, config_map, inline

Helm = Callable[..., Awaitable[Any]]

HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: hook, annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-weight: "3"}}
data: {greeting: {{ .Values.greeting }}}
"""
KUSTOMIZATION = {
    "kustomization.yaml": "resources: [app.yaml]\nnamePrefix: prod-\n",
    "app.yaml": json.dumps(config_map()),
}


@pytest.fixture(params=["helm 4", "helm 3"])
def command(request, operator_binaries, sandbox, tenant, tmp_path) -> Helm:
    """Runs Helm in the test's namespace; gives what it prints, parsed where it is asked for JSON."""
    if request.param == "helm 3" and (why := unavailable()):
        pytest.skip(why)
    program = operator_binaries.path("helm") if request.param == "helm 4" else helm3()

    async def run(*arguments: str) -> Any:
        place = ("--namespace", tenant)
        printed = await helm(
            program, *arguments, *place, folder=tmp_path, environment=dict(sandbox.environment)
        )
        return json.loads(printed) if "json" in arguments else printed

    return run


def of_chart(greeting: str) -> dict[str, Any]:
    files = chart_files(hook=HOOK)
    return {"source": {"inline": {"files": files}}, "helm": {"values": {"greeting": greeting}}}


async def two_revisions(releases) -> None:
    for greeting in ("one", "two"):
        await releases.apply(of_chart(greeting))
        await releases.until()


async def test_releases_of_every_kind_are_listed(controller, releases, command):
    await releases.apply(of_chart("hi"), name="chart")
    await releases.apply({"source": inline(config_map("plain"))}, name="plain")
    overlay = {"source": {"inline": {"files": KUSTOMIZATION}}, "kustomize": {"path": "."}}
    await releases.apply(overlay, name="overlay")
    for name in ("chart", "plain", "overlay"):
        await releases.until(name=name)
    listed = {entry["name"]: entry for entry in await command("list", "--output", "json")}
    assert listed.keys() == {"chart", "plain", "overlay"}
    assert {(entry["status"], entry["revision"]) for entry in listed.values()} == {("deployed", "1")}
    assert (listed["chart"]["chart"], listed["chart"]["app_version"]) == ("shop-1.0.0", "7")
    assert listed["overlay"]["chart"].startswith("overlay-0.0.0+")


async def test_every_part_of_a_revision_is_shown(controller, releases, command):
    await two_revisions(releases)
    history = await command("history", "shop", "--output", "json")
    assert [(entry["revision"], entry["status"], entry["description"]) for entry in history] == [
        (1, "superseded", "Install complete"),
        (2, "deployed", "Upgrade complete"),
    ]
    assert (await command("status", "shop", "--output", "json"))["info"]["status"] == "deployed"
    for revision, greeting in ((1, "one"), (2, "two")):
        at = ("shop", "--revision", str(revision))
        assert await command("get", "values", *at, "--output", "json") == {"greeting": greeting}
        (applied,) = documents(await command("get", "manifest", *at))
        assert applied["data"] == {"greeting": greeting, "release": f"shop-{revision}"}
        (hook,) = documents(await command("get", "hooks", *at))
        assert (hook["metadata"]["name"], hook["data"]) == ("hook", {"greeting": greeting})
        assert f"Greet with {greeting}." in await command("get", "notes", *at)
        assert "Greet with" in await command("get", "all", *at)


async def test_a_rollback_works_and_is_undone(controller, releases, command):
    await two_revisions(releases)
    await controller.stop()
    await command("rollback", "shop", "1")
    assert await releases.statuses() == ["superseded", "superseded", "deployed"]
    found = await releases.object(CONFIG_MAPS, "settings")
    assert found["data"]["greeting"] == "one"
    assert (await command("get", "values", "shop", "--output", "json")) == {"greeting": "one"}
    await controller.start()
    await releases.until(at_revision(4))
    assert (await releases.object(CONFIG_MAPS, "settings"))["data"]["greeting"] == "two"


async def test_an_uninstall_leaves_nothing(controller, releases, command):
    await two_revisions(releases)
    await controller.stop()
    await command("uninstall", "shop")
    assert await command("list", "--output", "json") == []
    assert await releases.history() == []
    assert not await releases.exists(CONFIG_MAPS, "settings")
