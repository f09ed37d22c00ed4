"""What a new revision waits for, and who waits for whom."""

from pathlib import Path

import pytest
import yaml

from pierhead.kube.resources import APP_RELEASES, BATCH_JOBS, CONFIG_MAPS
from pierhead.model import API_VERSION
from support.releases import because, condition, config_map, inline

EXAMPLE = Path(__file__).parents[3] / "examples" / "migration"
READY_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "name": "flag", "ready": "object.data.ready == 'yes'"}


@pytest.fixture(autouse=True)
def reader(sandbox, tenant):
    """What the chart's roles give whoever may edit the namespace: the sight of our own kinds."""
    kinds = "appreleases.pierhead.dev,batchjobs.pierhead.dev"
    sandbox.kubectl("create", "role", "reader", "-n", tenant, "--verb=get,list,watch", f"--resource={kinds}")
    account = f"--serviceaccount={tenant}:default"
    sandbox.kubectl("create", "rolebinding", "reader", "-n", tenant, "--role=reader", account)


def waiting(obj) -> bool:
    return condition(obj).get("reason") == "DependencyNotReady"


def after(*names: str):
    return [{"apiVersion": API_VERSION, "kind": "AppRelease", "name": name} for name in names]


async def flag(releases, value: str) -> None:
    obj = {**config_map("flag", ready=value)}
    obj["metadata"]["namespace"] = releases.namespace
    await releases.kube.apply(CONFIG_MAPS, obj, field_manager="somebody")


async def test_a_new_revision_waits_for_an_expression_and_says_what_it_lacks(controller, releases):
    spec = {"source": inline(config_map(a="1")), "dependsOn": [READY_MAP]}
    await releases.apply(spec)
    missing = await releases.until(waiting)
    assert "ConfigMap flag, which does not exist" in condition(missing)["message"]
    assert condition(missing, "Reconciling")["status"] == "True"
    await flag(releases, "no")
    unready = await releases.until(
        lambda obj: "not yet object.data.ready" in condition(obj).get("message", "")
    )
    assert unready["status"].get("release") is None
    await flag(releases, "yes")
    await releases.until()
    assert await releases.statuses() == ["deployed"]


async def test_what_is_deployed_is_kept_while_its_successor_waits(controller, releases):
    await flag(releases, "yes")
    await releases.apply({"source": inline(config_map(a="old")), "dependsOn": [READY_MAP]})
    await releases.until()
    await flag(releases, "no")
    await releases.apply({"source": inline(config_map(a="new")), "dependsOn": [READY_MAP]})
    await releases.until(waiting)
    await releases.kube.merge_patch(CONFIG_MAPS, "one", releases.namespace, {"data": {"a": "meddled"}})
    await releases.object(CONFIG_MAPS, "one", lambda obj: obj["data"] == {"a": "old"})
    await flag(releases, "yes")
    await releases.until()
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "new"}


async def test_app_releases_come_one_after_the_other(controller, releases):
    await releases.apply({"source": inline(config_map("two")), "dependsOn": after("first")}, name="second")
    await releases.until(waiting, name="second")
    await releases.apply({"source": inline(config_map("one")), "dependsOn": [READY_MAP]}, name="first")
    held = await releases.until(
        lambda obj: "AppRelease first: waiting for ConfigMap" in condition(obj).get("message", ""),
        name="second",
    )
    assert held["status"].get("release") is None
    await flag(releases, "yes")
    await releases.until(name="second")


async def test_a_cycle_is_spelled_out_until_somebody_breaks_it(controller, releases):
    await releases.apply({"source": inline(config_map("one")), "dependsOn": after("b")}, name="a")
    await releases.apply({"source": inline(config_map("two")), "dependsOn": after("c")}, name="b")
    await releases.apply({"source": inline(config_map("three")), "dependsOn": after("a")}, name="c")
    for name in ("a", "b", "c"):
        stalled = await releases.until(because("DependencyCycle"), name=name)
        assert condition(stalled, "Stalled")["status"] == "True"
    assert "a -> b -> c -> a" in condition(await releases.get("a"))["message"]
    await releases.apply({"source": inline(config_map("three"))}, name="c")
    for name in ("a", "b", "c"):
        await releases.until(name=name)


async def test_an_expression_that_is_none_is_refused_where_it_is_written(controller, releases):
    bad = {**READY_MAP, "ready": "object.data.ready =="}
    await releases.apply({"source": inline(config_map()), "dependsOn": [bad]})
    refused = await releases.until(because("InvalidExpression"))
    assert condition(refused)["message"].startswith("spec.dependsOn[0].ready: is no CEL")


async def test_what_the_account_may_not_read_is_not_told(controller, releases, sandbox, tenant):
    """The operator may; a message would tell the tenant."""
    sandbox.kubectl("create", "clusterrole", f"{tenant}-role", "--verb=get", "--resource=pods")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": f"{tenant}-role"}
    await releases.apply({"source": inline(config_map()), "dependsOn": [role]})
    denied = await releases.until(lambda obj: condition(obj, "Stalled").get("status") == "True")
    assert "cannot get resource" in condition(denied)["message"]


async def test_a_migration_runs_before_the_release(controller, releases, kube):
    """The example, its job's end played: what runs jobs is tested with them."""
    job = yaml.safe_load((EXAMPLE / "batchjob.yaml").read_text())
    job["metadata"]["namespace"] = releases.namespace
    example = yaml.safe_load((EXAMPLE / "apprelease.yaml").read_text())["spec"]
    await releases.apply({"source": inline(config_map()), "dependsOn": example["dependsOn"][:1]})
    await releases.until(waiting)
    job["spec"]["suspend"] = True
    made = await kube.apply(BATCH_JOBS, job, field_manager="test")
    await releases.until(lambda obj: "not observed" in condition(obj).get("message", ""))
    status = {"observedGeneration": made["metadata"]["generation"]}
    place = (BATCH_JOBS, job["metadata"]["name"], releases.namespace)
    await kube.merge_patch(*place, {"status": status}, subresource="status")
    await releases.until(lambda obj: "suspended" in condition(obj).get("message", ""))
    await kube.merge_patch(
        *place, {"status": {**status, "conditions": [done("Complete")]}}, subresource="status"
    )
    await releases.until()


@pytest.mark.parametrize("file", ["apprelease.yaml", "batchjob.yaml"])
async def test_the_example_is_what_the_definitions_take(kube, releases, file: str):
    obj = yaml.safe_load((EXAMPLE / file).read_text())
    obj["metadata"]["namespace"] = releases.namespace
    resource = {"AppRelease": APP_RELEASES, "BatchJob": BATCH_JOBS}[obj["kind"]]
    answer = await kube.apply(resource, obj, field_manager="test", dry_run=True)
    assert answer["spec"] == obj["spec"]


def done(kind: str):
    return {
        "type": kind,
        "status": "True",
        "reason": "Played",
        "message": "",
        "lastTransitionTime": "2026-11-23T12:00:00Z",
    }
