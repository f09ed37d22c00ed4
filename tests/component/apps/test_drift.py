"""What somebody else changes is put back, reported or left alone."""

import pytest

from pierhead.kube.resources import CONFIG_MAPS, DEPLOYMENTS, ResourceType
from support.releases import condition, config_map, deployment, inline

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


async def test_drift_is_only_reported_when_asked(controller, releases):
    await releases.apply({"source": inline(config_map(a="1")), "drift": "Report"})
    await releases.until()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    drifted = await releases.until(lambda obj: condition(obj, "Drifted").get("status") == "True")
    assert "ConfigMap" in condition(drifted, "Drifted")["message"]
    assert condition(drifted)["status"] == "True"
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "1"}})
    await releases.until(lambda obj: not condition(obj, "Drifted"))


async def test_drift_while_nobody_watched_is_put_back_at_the_start(controller, releases):
    await releases.apply({"source": inline(config_map(a="1"), deployment())})
    await releases.until()
    await controller.stop()
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.kube.delete(DEPLOYMENTS, "web", releases.namespace)
    await controller.start()
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    await releases.object(DEPLOYMENTS, "web", lambda obj: "deletionTimestamp" not in obj["metadata"])


@pytest.mark.parametrize("replicas", [1, 3])
async def test_replicas_of_an_autoscaled_workload_are_left_to_the_autoscaler(controller, releases, replicas):
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "maxReplicas": 5,
        },
    }
    await releases.apply({"source": inline(deployment(replicas=replicas), scaler, config_map(a="1"))})
    await releases.object(AUTOSCALERS, "web")
    await releases.object(DEPLOYMENTS, "web")
    await releases.kube.merge_patch(DEPLOYMENTS, "web", releases.namespace, {"spec": {"replicas": 4}})
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "2"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "1"})
    assert (await releases.object(DEPLOYMENTS, "web"))["spec"]["replicas"] == 4
