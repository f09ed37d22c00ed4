"""Rollouts: changes that come together are one, not all at once, and a failed one stops those behind it."""

from typing import Any

import pytest

from pierhead.kube.resources import CRON_JOBS, DEPLOYMENTS, PODS, STATEFUL_SETS, SYNCED_SECRETS
from pierhead.kube.transport import Call
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition
from support.waiting import eventually

HELD = {"replicas": 1, "minReadySeconds": 3600, "progressDeadlineSeconds": 7200}
"""Rolls out until minReadySeconds is taken away."""

NOWHERE = {
    "nodeSelector": {"there-is": "none"},
    "containers": [{"name": "main", "image": "example.com/main"}],
}
LOST = {"replicas": 1, "progressDeadlineSeconds": 1}


def template(name: str, **spec: Any) -> dict[str, Any]:
    pods = {"containers": [{"name": "main", "image": "example.com/main"}], **spec}
    return {"metadata": {"labels": {"app": name}}, "spec": pods}


def deployments(*names: str) -> list[dict[str, str]]:
    return [{"kind": "Deployment", "name": name} for name in names]


def markers(lab: Lab, name: str) -> dict[str, str]:
    live = lab.now(DEPLOYMENTS, name)
    assert live is not None
    found: dict[str, str] = live["spec"]["template"]["metadata"].get("annotations", {})
    return found


async def restarted(lab: Lab, name: str, *synced: str) -> None:
    """Returns once the pods of a Deployment were restarted for these SyncedSecrets."""
    keys = {f"restart.pierhead.dev/{one}" for one in synced}
    await lab.until(DEPLOYMENTS, name, lambda _obj: markers(lab, name).keys() >= keys)


async def told(lab: Lab, name: str, condition_type: str, words: str) -> None:
    await lab.until(
        SYNCED_SECRETS,
        name,
        lambda obj: (
            (found := condition(obj, condition_type))
            and found["status"] == "True"
            and words in found["message"]
        ),
    )


async def over(lab: Lab, name: str) -> None:
    """Returns once no restart of the SyncedSecret is open."""
    await lab.until(
        SYNCED_SECRETS,
        name,
        lambda obj: "restarts" not in obj["status"] and condition(obj, "RestartPending") is None,
    )


async def test_all_changes_within_the_window_are_one_rollout_and_then_nothing_is_watched(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    spec: dict[str, Any] = {
        "data": lab.data(("A", "db")),
        "restart": deployments("shop"),
        "refresh": {"interval": "1s"},
    }
    await lab.synced_secret("shop-db", **spec, restartPolicy={"window": "1h"})
    operator = await lab.operator()
    await lab.ready("shop-db")
    for value in ("two", "three"):
        lab.secret("db", value)
        await lab.holds("shop-db", A=value)
        await told(lab, "shop-db", "RestartPending", "Deployment shop waits for further changes")
    assert "PATCH deployments" not in lab.writes(operator)
    await lab.synced_secret("shop-db", **spec, restartPolicy={"window": "0s"})
    await restarted(lab, "shop", "shop-db")
    await over(lab, "shop-db")
    obj = lab.now(SYNCED_SECRETS, "shop-db")

    assert obj is not None
    assert markers(lab, "shop") == {"restart.pierhead.dev/shop-db": obj["status"]["marker"]}
    assert lab.writes(operator).count("PATCH deployments") == 1
    assert len(operator.controller._reconciler._restarter._watched) == 0


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("write", range(4))
async def test_a_crash_at_any_write_around_the_window_leads_to_one_restart(
    lab: Lab, write: int, phase: str
) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await lab.synced_secret(
        "shop-db",
        data=lab.data(("A", "db")),
        restart=deployments("shop"),
        restartPolicy={"window": "1s"},
    )
    first = await lab.operator()
    await lab.ready("shop-db")
    await first.stop()
    lab.secret("db", "two")
    dying = await lab.operator(crash_at=(write, phase))
    await dying.crashed.wait()
    await dying.stop()
    assert [shown.split()[1] for shown in lab.writes(dying)] == [
        "secrets",
        "syncedsecrets/status",
        "deployments",
        "syncedsecrets/status",
    ][: write + 1]
    await lab.operator()
    await lab.holds("shop-db", A="two")
    await restarted(lab, "shop", "shop-db")
    await lab.ready("shop-db")
    await over(lab, "shop-db")
    live = lab.now(DEPLOYMENTS, "shop")

    assert live is not None
    assert live["metadata"]["generation"] == 2


@pytest.mark.parametrize("write", [None, 1, 2, 3, 4])
async def test_two_secrets_that_changed_while_nobody_looked_are_one_rollout(
    lab: Lab, write: int | None
) -> None:
    await lab.deployment("shop")
    for name in ("a", "b"):
        lab.secret(name, "one")
        await lab.synced_secret(name, data=lab.data(("K", name)), restart=deployments("shop"))
    first = await lab.operator()
    for name in ("a", "b"):
        await lab.ready(name)
    await first.stop()
    for name in ("a", "b"):
        lab.secret(name, "two")
    if write is not None:
        dying = await lab.operator(crash_at=(write, "before"))
        await dying.crashed.wait()
        await dying.stop()
    await lab.operator()
    for name in ("a", "b"):
        await lab.holds(name, K="two")
    await restarted(lab, "shop", "a", "b")
    for name in ("a", "b"):
        await over(lab, name)
    live = lab.now(DEPLOYMENTS, "shop")

    assert live is not None
    assert live["metadata"]["generation"] == 2


async def test_a_restart_that_is_open_needs_no_aws(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop", paused=True)
    await lab.synced_secret(
        "db", data=lab.data(("K", "db")), restart=deployments("shop"), refresh={"interval": "1s"}
    )
    await lab.operator()
    await lab.ready("db")
    lab.secret("db", "two")
    await told(lab, "db", "RestartPending", "Deployment shop is paused")
    lab.aws.add_fault(Fault.server_error("secretsmanager"))
    await lab.ready("db", "False", reason="AwsUnavailable")
    await lab.deployment("shop", paused=False)

    await restarted(lab, "shop", "db")
    await lab.until(
        SYNCED_SECRETS,
        "db",
        lambda obj: "restarts" not in obj["status"] and condition(obj, "RestartPending")["status"] == "False",
    )


async def test_a_workload_that_is_scaled_meanwhile_keeps_its_scale_and_is_restarted_once(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await lab.synced_secret(
        "db", data=lab.data(("K", "db")), restart=deployments("shop"), refresh={"interval": "1s"}
    )
    operator = await lab.operator()
    await lab.ready("db")
    transport: Any = operator.client._transport
    on_write, moments = transport.on_write, []

    async def scale(call: Call, phase: str) -> None:
        if "/deployments/" in call.path:
            moments.append(phase)
            if moments == ["before"]:
                await lab.kube.merge_patch(DEPLOYMENTS, "shop", lab.namespace, {"spec": {"replicas": 2}})
        await on_write(call, phase)

    transport.on_write = scale
    lab.secret("db", "two")
    await restarted(lab, "shop", "db")
    await over(lab, "db")
    live = lab.now(DEPLOYMENTS, "shop")

    assert live is not None
    assert live["spec"]["replicas"] == 2
    # The watch may tell of a write before its answer is here.
    await eventually(lambda: "after" in moments)
    assert moments.count("before") > moments.count("after") == 1
    assert live["metadata"]["generation"] == 3


async def test_no_more_rollouts_are_begun_than_a_namespace_may_have(lab: Lab) -> None:
    lab.secret("db", "one")
    for name in ("first", "second"):
        await lab.deployment(name, **HELD)
    await lab.synced_secret(
        "db", data=lab.data(("K", "db")), restart=deployments("first", "second"), refresh={"interval": "1s"}
    )
    await lab.operator(restarts_at_once_per_namespace=1)
    await lab.ready("db")
    lab.secret("db", "two")
    await restarted(lab, "first", "db")
    await told(
        lab, "db", "RestartPending", "Deployment first is rolling out; Deployment second waits for its"
    )
    assert markers(lab, "second") == {}
    await lab.deployment("first", **{**HELD, "minReadySeconds": 0})

    await restarted(lab, "second", "db")
    await lab.deployment("second", **{**HELD, "minReadySeconds": 0})
    await over(lab, "db")


async def test_limits_count_the_rollouts_that_a_process_before_has_begun(lab: Lab) -> None:
    for name in ("first", "second"):
        lab.secret(name, "one")
        await lab.deployment(name, **HELD)
        await lab.synced_secret(name, data=lab.data(("K", name)), restart=deployments(name))
    before = await lab.operator(restarts_at_once=1)
    for name in ("first", "second"):
        await lab.ready(name)
    lab.secret("first", "two")
    await lab.synced_secret(
        "first", data=lab.data(("K", "first")), restart=deployments("first"), suspend=False
    )
    await restarted(lab, "first", "first")
    await told(lab, "first", "RestartPending", "is rolling out")
    await before.stop()
    lab.secret("second", "two")
    await lab.operator(restarts_at_once=1)
    await told(lab, "second", "RestartPending", "waits for its turn")
    assert markers(lab, "second") == {}
    await lab.deployment("first", **{**HELD, "minReadySeconds": 0})

    await restarted(lab, "second", "second")


@pytest.mark.parametrize("answer", ["health", "annotation", "values", "spec"])
async def test_a_failed_rollout_stops_the_others_until_it_is_answered(lab: Lab, answer: str) -> None:
    lab.secret("db", "one")
    await lab.deployment("bad", **LOST, template=template("bad", **NOWHERE))
    await lab.deployment("good")
    spec: dict[str, Any] = {
        "data": lab.data(("K", "db")),
        "restart": deployments("bad", "good"),
        "restartPolicy": {"maxConcurrent": 1},
        "refresh": {"interval": "1s"},
    }
    await lab.synced_secret("db", **spec)
    await lab.operator()
    await lab.ready("db")
    lab.secret("db", "two")
    await told(lab, "db", "RestartFailed", "timed out progressing")
    await told(
        lab, "db", "RestartPending", "Deployment good waits because the rollout of Deployment bad failed"
    )
    assert markers(lab, "good") == {}
    first = markers(lab, "bad")
    if answer == "health":
        await lab.deployment("bad", **LOST)
    elif answer == "annotation":
        await lab.synced_secret("db", annotations={"pierhead.dev/reconcile-at": "now"}, **spec)
    elif answer == "values":
        lab.secret("db", "three")
        await lab.until(DEPLOYMENTS, "bad", lambda _obj: markers(lab, "bad") != first)
        await lab.deployment("bad", **LOST)
    else:
        await lab.synced_secret("db", **{**spec, "onSourceDelete": "Retain"})

    await restarted(lab, "good", "db")
    await over(lab, "db")
    assert condition(lab.now(SYNCED_SECRETS, "db") or {}, "RestartFailed") is None


async def test_a_workload_whose_rollout_failed_is_not_restarted_by_another(lab: Lab) -> None:
    await lab.deployment("bad", **LOST, template=template("bad", **NOWHERE))
    for name in ("a", "b"):
        lab.secret(name, "one")
    spec: dict[str, Any] = {"restart": deployments("bad"), "refresh": {"interval": "1s"}}
    for name in ("a", "b"):
        await lab.synced_secret(name, data=lab.data(("K", name)), **spec)
    await lab.operator()
    for name in ("a", "b"):
        await lab.ready(name)
    lab.secret("a", "two")
    await told(lab, "a", "RestartFailed", "timed out progressing")
    lab.secret("b", "two")
    await told(lab, "b", "RestartPending", "its rollout failed for SyncedSecret a")
    assert markers(lab, "bad").keys() == {"restart.pierhead.dev/a"}

    await lab.synced_secret(
        "b", annotations={"pierhead.dev/reconcile-at": "now"}, data=lab.data(("K", "b")), **spec
    )
    await restarted(lab, "bad", "a", "b")


async def test_pods_that_crash_after_the_restart_are_a_failure(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pierhead.secrets.restarts.rollout.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("pierhead.secrets.restarts.rollout._LONGEST_LOOK", 0.5)
    lab.secret("db", "one")
    await lab.deployment("shop", **HELD)
    await lab.synced_secret(
        "db", data=lab.data(("K", "db")), restart=deployments("shop"), refresh={"interval": "1s"}
    )
    await lab.operator()
    await lab.ready("db")
    lab.secret("db", "two")
    await restarted(lab, "shop", "db")
    waiting = {"name": "main", "image": "x", "imageID": "", "ready": False, "restartCount": 3}
    waiting["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
    status = {"phase": "Running", "containerStatuses": [waiting]}

    async def crashed() -> bool:
        async for page in lab.kube.pages(PODS, lab.namespace):
            for pod in page.items:
                new = "restart.pierhead.dev/db" in pod["metadata"].get("annotations", {})
                # Before, whoever plays the kubelet would write its own status over this one.
                if new and pod["status"]["phase"] == "Running":
                    await lab.kube.merge_patch(
                        PODS, pod["metadata"]["name"], lab.namespace, {"status": status}, subresource="status"
                    )
                    return True
        return False

    await eventually(crashed, seconds=45)
    await told(lab, "db", "RestartFailed", "container main: CrashLoopBackOff")


async def test_a_stateful_set_without_progress_has_failed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pierhead.secrets.restarts.rollout.LOOK_SECONDS", 0.2)
    lab.secret("db", "one")
    await lab.kube.apply(
        STATEFUL_SETS,
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": "shop", "namespace": lab.namespace},
            "spec": {
                "serviceName": "shop",
                "selector": {"matchLabels": {"app": "shop"}},
                "template": template("shop", **NOWHERE),
            },
        },
    )
    await lab.synced_secret(
        "db",
        data=lab.data(("K", "db")),
        restart=[{"kind": "StatefulSet", "name": "shop"}],
        refresh={"interval": "1s"},
    )
    await lab.operator(restart_deadline_seconds=1)
    await lab.ready("db")
    lab.secret("db", "two")

    await told(lab, "db", "RestartFailed", "StatefulSet shop: has made no progress for 1 s: ")


async def test_what_is_found_by_labels_or_use_is_restarted_and_nothing_else(lab: Lab) -> None:
    lab.secret("db", "one")
    uses = {"name": "main", "image": "x", "envFrom": [{"secretRef": {"name": "db"}}]}
    await lab.deployment("uses", template=template("uses", containers=[uses]))
    await lab.deployment("other")
    pods = {"containers": [{"name": "main", "image": "x"}], "restartPolicy": "Never"}
    for name, labels in (("nightly", {"app": "shop"}), ("weekly", {})):
        await lab.kube.apply(
            CRON_JOBS,
            {
                "apiVersion": "batch/v1",
                "kind": "CronJob",
                "metadata": {"name": name, "namespace": lab.namespace, "labels": labels},
                "spec": {
                    "schedule": "0 0 1 1 *",
                    "suspend": True,
                    "jobTemplate": {"spec": {"template": {"spec": pods}}},
                },
            },
        )
    await lab.synced_secret(
        "db",
        data=lab.data(("K", "db")),
        restart=[{"uses": "Secret"}, {"kind": "CronJob", "matchLabels": {"app": "shop"}}],
        refresh={"interval": "1s"},
    )
    operator = await lab.operator()
    await lab.ready("db")
    lab.secret("db", "two")
    await restarted(lab, "uses", "db")
    await lab.until(
        SYNCED_SECRETS, "db", lambda obj: list(markers(lab, "uses").values()) == [obj["status"]["marker"]]
    )
    await over(lab, "db")
    found = {}
    for name in ("nightly", "weekly"):
        live = await lab.kube.get(CRON_JOBS, name, lab.namespace)
        metadata = live["spec"]["jobTemplate"]["spec"]["template"].get("metadata") or {}
        found[name] = metadata.get("annotations")

    assert found == {"nightly": markers(lab, "uses"), "weekly": None}
    assert markers(lab, "other") == {}
    assert lab.writes(operator).count("PATCH cronjobs") == 1
