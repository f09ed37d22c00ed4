"""Objects that are replaced, kept, only created, or partly left to others, because somebody said so."""

import asyncio
import json
from typing import Any

import pytest

from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, ResourceType
from support.releases import because, condition, config_map, deployment, inline, settled

JOBS = ResourceType("batch", "v1", "jobs", "Job")
STATEFUL_SETS = ResourceType("apps", "v1", "statefulsets", "StatefulSet")

FORCE = {"force": True}


def annotated(obj: dict[str, Any], **annotations: str) -> dict[str, Any]:
    """The object with annotations of ours, given by names with _ for a dash."""
    ours = {f"pierhead.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return {**obj, "metadata": {**obj["metadata"], "annotations": ours}}


def job(image: str = "registry.example.com/app:1", **metadata: Any) -> dict[str, Any]:
    pod = {"restartPolicy": "Never", "containers": [{"name": "app", "image": image}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", **metadata},
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


def stateful_set(service: str) -> dict[str, Any]:
    made = deployment("db", replicas=0)
    return {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": service}}


async def image_of(releases, uid_before: str) -> str:
    found = await releases.object(JOBS, "once", lambda obj: obj["metadata"]["uid"] != uid_before)
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


# Force


async def test_an_immutable_change_is_told_by_object_and_field(controller, releases, requests):
    await releases.apply({"source": inline(job())})
    before = await releases.object(JOBS, "once")
    await releases.until()
    await releases.apply({"source": inline(job("registry.example.com/app:2")), "interval": "10m"})
    stopped = await releases.until(because("Rejected"))
    message = condition(stopped)["message"]
    assert f"Job {releases.namespace}/once: " in message
    assert "spec.template" in message
    assert message.endswith("field is immutable (spec.objectRules can have the object replaced: force)")
    assert await requests() == []
    assert (await releases.object(JOBS, "once"))["metadata"]["uid"] == before["metadata"]["uid"]
    assert await releases.statuses() == ["deployed"]


@pytest.mark.parametrize("by", ["rule", "annotation"])
async def test_an_immutable_change_replaces_the_object_when_asked(controller, releases, by):
    first, second = job(), job("registry.example.com/app:2")
    spec: dict[str, Any] = {"objectRules": [{"target": {"kind": "Job"}, "force": True}]}
    if by == "annotation":
        first, second, spec = annotated(first, force="true"), annotated(second, force="true"), {}
    await releases.apply({"source": inline(first), **spec})
    await releases.until()
    before = await releases.object(JOBS, "once")
    await releases.apply({"source": inline(second), **spec})
    assert await image_of(releases, before["metadata"]["uid"]) == "registry.example.com/app:2"
    await releases.until()
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_replacement_waits_for_what_holds_the_old_object(controller, releases, requests):
    """No worker waits: the AppRelease says what it waits for, and goes on by the event of the deletion."""
    spec = {"objectRules": [{"target": {"kind": "Job"}, **FORCE}], "interval": "10m"}
    await releases.apply({"source": inline(job()), **spec})
    await releases.until()
    before = await releases.object(JOBS, "once")
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    await releases.kube.merge_patch(JOBS, "once", releases.namespace, held)
    await releases.apply({"source": inline(job("registry.example.com/app:2")), **spec})
    waiting = await releases.until(because("Replacing"))
    assert f"Job {releases.namespace}/once" in condition(waiting)["message"]
    assert (await releases.statuses())[-1] == "pending-upgrade"
    await controller.stop()
    await controller.start()
    await releases.kube.merge_patch(JOBS, "once", releases.namespace, {"metadata": {"finalizers": None}})
    assert await image_of(releases, before["metadata"]["uid"]) == "registry.example.com/app:2"
    await releases.until()
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_data_is_replaced_only_when_said_twice(controller, releases):
    once = {"target": {"kind": "StatefulSet"}, "force": True}
    await releases.apply({"source": inline(stateful_set("a")), "objectRules": [once]})
    await releases.until()
    before = await releases.object(STATEFUL_SETS, "db")
    await releases.apply({"source": inline(stateful_set("b")), "objectRules": [once]})
    refused = await releases.until(because("Rejected"))
    assert "updates to statefulset spec" in condition(refused)["message"]
    twice = {**once, "recreateData": True}
    await releases.apply({"source": inline(stateful_set("b")), "objectRules": [twice]})
    await releases.until()
    after = await releases.object(STATEFUL_SETS, "db")
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["spec"]["serviceName"] == "b"


async def test_any_other_refusal_deletes_nothing(controller, releases):
    spec = {"objectRules": [FORCE]}
    await releases.apply({"source": inline(deployment()), **spec})
    await releases.until()
    before = await releases.object(DEPLOYMENTS, "web")
    broken = deployment()
    broken["spec"]["replicas"] = -1
    await releases.apply({"source": inline(broken), **spec})
    await releases.until(because("Rejected"))
    assert (await releases.object(DEPLOYMENTS, "web"))["metadata"]["uid"] == before["metadata"]["uid"]


# Prune


async def test_what_is_not_to_be_pruned_outlives_its_revision_and_the_release(controller, releases):
    kept, ruled = annotated(config_map("annotated"), prune="false"), config_map("ruled")
    rules = {"objectRules": [{"target": {"name": "ruled"}, "prune": False}]}
    await releases.apply({"source": inline(kept, ruled, config_map("dropped"), config_map("last")), **rules})
    await releases.until()
    await releases.apply({"source": inline(config_map("last")), **rules})
    await releases.until()
    assert not await releases.exists(CONFIG_MAPS, "dropped")
    await releases.delete()
    await releases.gone()
    assert await releases.exists(CONFIG_MAPS, "annotated")
    assert await releases.exists(CONFIG_MAPS, "ruled")
    assert not await releases.exists(CONFIG_MAPS, "last")


async def test_an_annotation_that_the_spec_overrules_is_not_sent(controller, releases):
    await releases.apply(
        {"source": inline(annotated(config_map(), prune="false")), "objectRules": [{"prune": True}]}
    )
    await releases.until()
    found = await releases.object(CONFIG_MAPS, "one")
    assert "pierhead.dev/prune" not in found["metadata"]["annotations"]
    await releases.delete()
    await releases.gone()
    assert not await releases.exists(CONFIG_MAPS, "one")


# If absent


async def test_what_is_only_created_is_never_changed(controller, releases):
    once = [{"target": {"name": "one"}, "apply": "IfAbsent"}]
    await releases.apply({"source": inline(config_map(a="1"), config_map("two")), "objectRules": once})
    await releases.until()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "theirs"}})
    await releases.apply({"source": inline(config_map(a="2"), config_map("two")), "objectRules": once})
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "theirs"}
    await releases.kube.delete(CONFIG_MAPS, "one", releases.namespace)
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "2"}
    await releases.apply({"source": inline(config_map("two"))})
    await releases.until()
    assert not await releases.exists(CONFIG_MAPS, "one")


async def test_what_was_there_before_is_none_of_the_release(controller, releases):
    theirs = config_map(a="theirs")
    theirs["metadata"]["namespace"] = releases.namespace
    await releases.kube.apply(CONFIG_MAPS, theirs, field_manager="kubectl")
    once = annotated(config_map(a="ours"), apply="IfAbsent")
    await releases.apply({"source": inline(once, config_map("two"))})
    deployed = await releases.until()
    assert deployed["status"]["objects"] == 1
    await releases.delete()
    await releases.gone()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "theirs"}


# Differences that are ignored

IGNORED: dict[str, dict[str, Any]] = {
    "pointer": {"pointer": "/spec/replicas"},
    "manager": {"manager": "scaler"},
    "expression": {"expression": "path == '/spec/replicas' && object.spec.replicas > 1"},
}


def scale(sandbox, namespace: str, replicas: int, manager: str, *more: str) -> None:
    patch = json.dumps({"spec": {"replicas": replicas}})
    sandbox.kubectl(
        "patch", "deployment", "web", "-n", namespace, f"--field-manager={manager}", "-p", patch, *more
    )


@pytest.mark.parametrize("ignored", IGNORED.values(), ids=IGNORED)
async def test_an_ignored_difference_outlives_corrections_and_upgrades(
    controller, releases, sandbox, ignored
):
    rules = {"objectRules": [{"target": {"kind": "Deployment"}, "ignoreDifferences": [ignored]}]}
    await releases.apply({"source": inline(deployment(replicas=1), config_map(a="1")), **rules})
    await releases.until()
    await asyncio.to_thread(scale, sandbox, releases.namespace, 4, "scaler")
    changed = {"metadata": {"labels": {"pierhead.dev/apprelease": "theirs"}}}
    await releases.kube.merge_patch(DEPLOYMENTS, "web", releases.namespace, changed)
    ours = await releases.object(
        DEPLOYMENTS, "web", lambda obj: obj["metadata"]["labels"]["pierhead.dev/apprelease"] == "shop"
    )
    assert ours["spec"]["replicas"] == 4
    labelled = deployment(replicas=2, labels={"new": "yes"})
    await releases.apply({"source": inline(labelled, config_map(a="2")), **rules})
    await releases.until()
    upgraded = await releases.object(DEPLOYMENTS, "web", lambda obj: "new" in obj["metadata"]["labels"])
    assert upgraded["spec"]["replicas"] == 4
    await releases.apply({"source": inline(labelled, config_map(a="2"))})
    await releases.object(DEPLOYMENTS, "web", lambda obj: obj["spec"]["replicas"] == 2)


async def test_an_ignored_field_that_only_we_own_is_not_taken_away(controller, releases):
    """A field that is left out of what we apply, and that nobody else owns, would be deleted."""
    rules = {"objectRules": [{"ignoreDifferences": [{"pointer": "/data/a"}]}]}
    await releases.apply({"source": inline(config_map(a="1", b="1")), **rules})
    await releases.until()
    await releases.apply({"source": inline(config_map(a="2", b="2")), **rules})
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("policy", "restarted"),
    [("Correct", False), ("Correct", True), ("Report", False), ("Ignore", False)],
)
async def test_replicas_are_left_to_an_autoscaler_of_somebody_else(
    controller, releases, sandbox, policy, restarted
):
    spec = {"drift": policy}
    await releases.apply({"source": inline(deployment(replicas=1)), **spec})
    await releases.until()
    if restarted:
        await controller.stop()
    manager = ("kube-controller-manager", "--subresource=scale", "--type=merge")
    await asyncio.to_thread(scale, sandbox, releases.namespace, 4, *manager)
    if restarted:
        await controller.start()
    scaled = await releases.until(lambda obj: settled(obj) and not obj["status"].get("drift"))
    assert condition(scaled, "Drifted") == {}
    await releases.apply({"source": inline(deployment(replicas=1, labels={"new": "yes"})), **spec})
    upgraded = await releases.object(
        DEPLOYMENTS, "web", lambda obj: "new" in (obj["metadata"].get("labels") or {})
    )
    assert upgraded["spec"]["replicas"] == 4
    await releases.until()
    assert (await releases.object(DEPLOYMENTS, "web"))["spec"]["replicas"] == 4


# Rules that are none

WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "an annotation without a meaning": (
        {"source": inline(annotated(config_map(), prune="maybe"))},
        "InvalidAnnotation",
        "ConfigMap one: the annotation pierhead.dev/prune is one of true, false",
    ),
    "an annotation that is no pointer": (
        {"source": inline(annotated(config_map(), ignore_differences="/data/a, b"))},
        "InvalidAnnotation",
        "ConfigMap one: the annotation pierhead.dev/ignore-differences: 'b' is no JSON pointer",
    ),
    "an expression that is none": (
        {
            "source": inline(config_map()),
            "objectRules": [{"ignoreDifferences": [{"pointer": "/data"}, {"expression": "path ="}]}],
        },
        "InvalidExpression",
        "spec.objectRules[0].ignoreDifferences[1].expression: ",
    ),
}


@pytest.mark.parametrize(("spec", "reason", "message"), WRONG.values(), ids=WRONG)
async def test_a_rule_that_cannot_be_followed_is_told(controller, releases, requests, spec, reason, message):
    await releases.apply({**spec, "interval": "10m"})
    stopped = await releases.until(because(reason))
    assert message in condition(stopped)["message"]
    assert await requests() == []
    assert await releases.history() == []
