"""Custom resource definitions: brought up to date where asked, and never taken back."""

import json
import secrets
from typing import Any

import pytest

from pierhead.engine.resource import Object
from pierhead.kube.errors import NotFound
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from support.app_sources import chart_files
from support.hooks import config_hook, hook_job
from support.objects import definition
from support.releases import because, condition


@pytest.fixture
def group(sandbox, releases) -> str:
    """An API group of this test's own, in which the tenant may do anything; it may make CRDs too."""
    made = f"g{secrets.randbelow(10**9)}.example.com"
    role = f"everything-{releases.namespace}"
    account = f"--serviceaccount={releases.namespace}:default"
    sandbox.kubectl("create", "clusterrole", role, "--verb=*", "--resource=*.*")
    sandbox.kubectl("create", "clusterrolebinding", role, f"--clusterrole={role}", account)
    yield made
    sandbox.kubectl("delete", "clusterrolebinding,clusterrole", role)
    # Nobody needs to see it go, and with its objects that can take minutes.
    sandbox.kubectl("delete", "crd", f"widgets.{made}", "--ignore-not-found", "--wait=false")


def crd(group: str, *versions: str, note: str = "") -> dict[str, Any]:
    """A CRD with these versions, of which the last is stored; `note` makes it another one."""
    made = definition("Widget", group)
    first = made["spec"]["versions"][0]
    made["spec"]["versions"] = [
        {**first, "name": version, "storage": version == versions[-1]} for version in versions
    ]
    made["spec"]["names"]["categories"] = [note] if note else []
    return made


def in_folder(definition: dict[str, Any], mode: str = "", **more: str) -> dict[str, Any]:
    files = chart_files(**more) | {"crds/widgets.yaml": json.dumps(definition)}
    return {"source": {"inline": {"files": files}}, "helm": {"crds": mode} if mode else {}}


async def live(releases, group: str) -> Object:
    return await releases.kube.get(CUSTOM_RESOURCE_DEFINITIONS, f"widgets.{group}")


def note_of(found: Object) -> str:
    return (found["spec"]["names"].get("categories") or [""])[0]


def widget(group: str) -> str:
    return json.dumps(
        {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}}
    )


@pytest.mark.parametrize(("mode", "note"), [("", "old"), ("Create", "old"), ("CreateReplace", "new")])
async def test_what_becomes_of_a_crd_that_is_there(controller, releases, group, mode, note):
    await releases.apply(in_folder(crd(group, "v1", note="old")))
    await releases.until()
    before = (await live(releases, group))["metadata"]["uid"]
    await releases.apply(in_folder(crd(group, "v1", note="new"), mode, extra=widget(group)))
    await releases.until()
    after = await live(releases, group)
    assert note_of(after) == note
    assert after["metadata"]["uid"] == before
    assert "annotations" not in after["metadata"] or not any(
        key.startswith("meta.helm.sh/") for key in after["metadata"]["annotations"]
    )


async def test_crds_are_skipped_when_asked(controller, releases, group):
    await releases.apply(in_folder(crd(group, "v1"), "Skip"))
    await releases.until()
    with pytest.raises(NotFound):
        await live(releases, group)


async def test_several_releases_may_bring_the_same_crds(controller, releases, group):
    for name in ("one", "two"):
        spec = in_folder(crd(group, "v1", note=name), "CreateReplace")
        spec["helm"]["values"] = {"name": name}
        await releases.apply(spec, name=name)
        await releases.until(name=name)
    assert note_of(await live(releases, group)) == "two"


async def test_a_version_in_which_objects_are_stored_stays(controller, releases, group):
    await releases.apply(in_folder(crd(group, "v1")))
    await releases.until()
    await releases.apply(in_folder(crd(group, "v2"), "CreateReplace"))
    refused = await releases.until(because("CRDVersionDropped"))
    message = condition(refused)["message"]
    assert "would lose version v1, in which objects are stored" in message
    assert message.startswith("spec.helm.crds: ")
    assert await releases.statuses() == ["deployed"]
    await releases.apply(in_folder(crd(group, "v1", "v2"), "CreateReplace"))
    await releases.until()
    assert [version["name"] for version in (await live(releases, group))["spec"]["versions"]] == ["v1", "v2"]


async def test_crds_come_before_the_first_hook(controller, releases, group):
    hook = json.loads(widget(group))
    hook["metadata"]["annotations"] = {"helm.sh/hook": "pre-install"}
    plain = json.loads(widget(group))
    plain["metadata"]["name"] = "plain"
    await releases.apply(in_folder(crd(group, "v1"), hook=json.dumps(hook), plain=json.dumps(plain)))
    await releases.until()
    resource = ResourceType(group, "v1", "widgets", "Widget")
    assert await releases.exists(resource, "w")
    assert await releases.exists(resource, "plain")
    assert await releases.statuses() == ["deployed"]


@pytest.mark.parametrize("place", ["folder", "template"])
async def test_a_rollback_leaves_crds_as_they_are(controller, releases, group, place):
    def spec(note: str, *hooks: dict[str, Any]) -> dict[str, Any]:
        more = {f"hook{index}": json.dumps(hook) for index, hook in enumerate(hooks)}
        if place == "folder":
            return in_folder(crd(group, "v1", note=note), "CreateReplace", **more)
        more["crd"] = json.dumps(crd(group, "v1", note=note))
        return {"source": {"inline": {"files": chart_files(**more)}}, "helm": {}}

    await releases.apply(spec("old"))
    await releases.until()
    failing = hook_job("broken", "post-upgrade", stuck=True, spec={"activeDeadlineSeconds": 1})
    await releases.apply(spec("new", failing))
    await releases.until(because("RolledBack"))
    assert note_of(await live(releases, group)) == "new"
    # Another process compares the release anew.
    await controller.stop()
    await controller.start()
    other = {"source": {"inline": {"files": chart_files()}}, "helm": {"values": {"name": "other"}}}
    await releases.apply(other, name="other")
    await releases.until(name="other")
    await releases.until(because("RolledBack"))
    assert note_of(await live(releases, group)) == "new"
    assert await releases.statuses() == ["superseded", "failed", "deployed"]


async def test_a_crd_that_is_no_longer_rendered_stays(controller, releases, group):
    with_crd = chart_files(crd=json.dumps(crd(group, "v1")))
    await releases.apply({"source": {"inline": {"files": with_crd}}, "helm": {}})
    await releases.until()
    await releases.apply({"source": {"inline": {"files": chart_files()}}, "helm": {}})
    await releases.until()
    await releases.delete()
    await releases.gone()
    assert await live(releases, group)


async def test_a_crd_that_is_a_hook_is_never_deleted(controller, releases, group):
    hook = crd(group, "v1", note="hook")
    hook["metadata"]["annotations"] = {
        "helm.sh/hook": "pre-install,pre-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    spec = in_folder(
        crd(group, "v1"), "Skip", hook=json.dumps(hook), more=json.dumps(config_hook("x", "test"))
    )
    await releases.apply(spec)
    await releases.until()
    before = (await live(releases, group))["metadata"]["uid"]
    spec["helm"]["values"] = {"greeting": "again"}
    await releases.apply(spec)
    await releases.until()
    assert (await live(releases, group))["metadata"]["uid"] == before
