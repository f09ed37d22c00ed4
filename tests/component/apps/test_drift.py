"""What somebody else changes is put back, reported or left alone."""

import asyncio
import json
from typing import Any

import pytest

from pierhead.apps.objects.drift import MOST_CORRECTIONS
from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, SECRETS, ResourceType
from pierhead.kube.watch import Watch
from pierhead.secrets.restarts.plan import WorkloadKey
from pierhead.secrets.restarts.workloads import restart
from support.releases import because, condition, config_map, deployment, inline

AUTOSCALERS = ResourceType("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler")


async def test_a_changed_value_is_put_back(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"), deployment())})
    await releases.until()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    assert await releases.statuses() == ["deployed"]


async def test_a_deleted_object_comes_back(controller, releases):
    await releases.apply({"source": inline(config_map(), deployment())})
    await releases.until()
    before = await releases.object(DEPLOYMENTS, "web")
    await releases.kube.delete(DEPLOYMENTS, "web", releases.namespace)
    await releases.object(DEPLOYMENTS, "web", lambda obj: obj["metadata"]["uid"] != before["metadata"]["uid"])
    await releases.until()


async def test_a_changed_spec_is_put_back(controller, releases):
    await releases.apply({"source": inline(deployment(replicas=1))})
    await releases.until()
    await releases.kube.merge_patch(DEPLOYMENTS, "web", releases.namespace, {"spec": {"replicas": 5}})
    await releases.object(DEPLOYMENTS, "web", lambda obj: obj["spec"]["replicas"] == 1)


@pytest.mark.parametrize(
    ("unusable", "reason"),
    [
        ({"source": inline(deployment("Not A Name"))}, "Rejected"),
        ({"helm": {"path": "nowhere"}}, "PathNotFound"),
    ],
    ids=["refused by the API server", "cannot be rendered"],
)
async def test_what_is_deployed_is_kept_true_while_a_newer_input_cannot_be_used(
    controller, releases, unusable, reason
):
    spec = {"source": inline(config_map(a="1"))}
    await releases.apply(spec)
    await releases.until()
    await releases.apply(spec | unusable)
    await releases.until(because(reason))
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    assert await releases.statuses() == ["deployed"]


async def test_a_label_taken_away_is_put_back(controller, releases):
    made = config_map()
    made["metadata"]["labels"] = {"team": "a"}
    await releases.apply({"source": inline(made)})
    await releases.until()
    gone = {"metadata": {"labels": {"pierhead.dev/apprelease": None, "team": None}}}
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, gone)
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["metadata"]["labels"].get("team") == "a")


async def test_a_field_the_release_does_not_set_is_left_alone(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"b": "theirs"}})
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    found = await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"]["a"] == "1")
    assert found["data"] == {"a": "1", "b": "theirs"}


async def test_a_restart_for_a_secret_is_no_drift_and_outlasts_corrections_and_upgrades(controller, releases):
    await releases.apply({"source": inline(deployment(replicas=1))})
    await releases.until()
    workload = WorkloadKey(releases.namespace, "Deployment", "web")
    assert (await restart(releases.kube, workload, "db", {"db": "m"})).end == "Changed"
    marked = {"restart.pierhead.dev/db": "m"}

    await releases.kube.merge_patch(DEPLOYMENTS, "web", releases.namespace, {"spec": {"replicas": 5}})
    found = await releases.object(DEPLOYMENTS, "web", lambda obj: obj["spec"]["replicas"] == 1)
    assert found["spec"]["template"]["metadata"]["annotations"] == marked
    await releases.apply({"source": inline(deployment(replicas=2))})
    found = await releases.object(DEPLOYMENTS, "web", lambda obj: obj["spec"]["replicas"] == 2)
    assert found["spec"]["template"]["metadata"]["annotations"] == marked
    assert (await restart(releases.kube, workload, "db", {"db": "m"})).end == "Unchanged"


async def test_drift_is_only_reported_when_asked(controller, releases):
    await releases.apply({"source": inline(config_map(a="1")), "drift": "Report"})
    await releases.until()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    drifted = await releases.until(lambda obj: condition(obj, "Drifted").get("status") == "True")
    assert condition(drifted, "Drifted")["message"].startswith(
        f"ConfigMap {releases.namespace}/one: /data/a changed by "
    )
    assert "correctedAt" not in drifted["status"]["drift"][0]
    assert condition(drifted)["status"] == "True"
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "1"}})
    await releases.until(lambda obj: not condition(obj, "Drifted"))


async def test_what_was_put_back_is_told_by_field_and_manager(controller, releases, sandbox):
    await releases.apply({"source": inline(config_map(a="1", b="2"), config_map("two"))})
    await releases.until()
    sandbox.kubectl(
        *("patch", "configmap", "one", "-n", releases.namespace, "--field-manager=somebody"),
        *("-p", json.dumps({"data": {"a": "3", "theirs": "x"}})),
    )
    corrected = await releases.until(because("Corrected", "Drifted"))
    (told,) = corrected["status"]["drift"]
    assert told.pop("correctedAt")
    name = f"ConfigMap {releases.namespace}/one"
    assert told == {"object": name, "fields": ["/data/a"], "manager": "somebody"}
    assert condition(corrected, "Drifted")["status"] == "False"
    assert condition(corrected, "Drifted")["message"] == f"put back: {name}: /data/a changed by somebody"
    assert condition(corrected)["status"] == "True"
    await releases.kube.delete(CONFIG_MAPS, "two", releases.namespace)
    corrected = await releases.until(lambda obj: len(obj["status"].get("drift") or ()) == 2)
    assert "fields" not in corrected["status"]["drift"][0]
    assert f"ConfigMap {releases.namespace}/two was deleted" in condition(corrected, "Drifted")["message"]
    await controller.stop()
    await controller.start()
    await releases.apply({"source": inline(config_map(a="1", b="2"), config_map("two")), "historyLimit": 5})
    kept = await releases.until()
    assert kept["status"]["drift"] == corrected["status"]["drift"]
    await releases.apply({"source": inline(config_map(a="4"))})
    assert "drift" not in (await releases.until())["status"]


async def test_the_values_of_a_secret_that_was_changed_are_told_nowhere(controller, releases):
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "hunter1"}}
    await releases.apply({"source": inline(secret)})
    await releases.until()
    await releases.kube.merge_patch(SECRETS, "s", releases.namespace, {"stringData": {"k": "hunter2"}})
    corrected = await releases.until(because("Corrected", "Drifted"))
    assert corrected["status"]["drift"][0]["fields"] == ["/data/k"]
    assert "hunter" not in str(corrected["status"])


async def test_a_correction_costs_the_object_the_apply_and_the_status(
    controller, releases, sandbox, requests
):
    await releases.apply({"source": inline(config_map(a="1"), deployment(), config_map("two"))})
    await releases.until()
    assert await requests() == []
    agent = f"pierhead-{releases.namespace}"
    before = sandbox.request_counts(agent)
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.until(because("Corrected", "Drifted"))
    assert await requests() == []
    made = (sandbox.request_counts(agent) - before).elements()
    assert sorted((kind.verb, kind.resource) for kind in made) == [
        ("get", "configmaps"),
        ("patch", "appreleases"),
        ("patch", "configmaps"),
    ]


async def test_drift_while_nobody_watched_is_put_back_at_the_start(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"), deployment())})
    await releases.until()
    await controller.stop()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.kube.delete(DEPLOYMENTS, "web", releases.namespace)
    await controller.start()
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    await releases.object(DEPLOYMENTS, "web", lambda obj: "deletionTimestamp" not in obj["metadata"])


SCALER = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "maxReplicas": 5,
    },
}


@pytest.mark.parametrize("replicas", [1, 3])
async def test_replicas_of_an_autoscaled_workload_are_left_to_the_autoscaler(controller, releases, replicas):
    await releases.apply({"source": inline(deployment(replicas=replicas), SCALER, config_map(a="1"))})
    await releases.object(AUTOSCALERS, "web")
    await releases.object(DEPLOYMENTS, "web")
    await releases.kube.merge_patch(DEPLOYMENTS, "web", releases.namespace, {"spec": {"replicas": 4}})
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    assert (await releases.object(DEPLOYMENTS, "web"))["spec"]["replicas"] == 4


@pytest.mark.parametrize("rendered", ["with replicas", "without"])
async def test_an_autoscaler_that_comes_later_finds_the_replicas_as_they_were(controller, releases, rendered):
    await releases.apply({"source": inline(deployment(replicas=4))})
    await releases.object(DEPLOYMENTS, "web")
    await releases.until()
    web = deployment(replicas=4)
    if rendered == "without":
        del web["spec"]["replicas"]
    for greeting in ("hello", "again"):
        await releases.apply({"source": inline(web, SCALER, config_map(a=greeting))})
        await releases.object(CONFIG_MAPS, "one", lambda obj, said=greeting: obj["data"] == {"a": said})
        await releases.until()
        assert (await releases.object(DEPLOYMENTS, "web"))["spec"]["replicas"] == 4


async def test_a_contest_is_told_and_costs_little(controller, releases, requests, sandbox):
    """Somebody who undoes every correction at once makes no endless loop of it."""
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()
    changes = 0

    def insist(_: str, obj: dict[str, Any]) -> None:
        nonlocal changes
        if obj["metadata"]["name"] == "one" and obj["data"]["a"] == "1":
            changes += 1
            patch = releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
            pending.add(asyncio.create_task(patch))

    pending: set[asyncio.Task[Any]] = set()
    watch = asyncio.create_task(Watch(releases.kube, CONFIG_MAPS, insist, namespace=releases.namespace).run())
    contested = await releases.until(because("Contested"))
    message = condition(contested)["message"]
    assert f"ConfigMap {releases.namespace}/one: /data/a changed by " in message
    assert "each time it was put back (5 times within a minute)" in message
    assert await requests() == []
    assert changes <= MOST_CORRECTIONS + 1
    watch.cancel()
    await asyncio.gather(watch, *pending, return_exceptions=True)
