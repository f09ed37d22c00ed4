"""Restarts: exactly one for a rotation, whenever it happened and whatever died; none without one."""

from typing import Any

import pytest

from pierhead.kube.resources import DEPLOYMENTS, SECRETS, SYNCED_SECRETS
from support.secrets_lab import Lab, condition, values

RESTART = [{"kind": "Deployment", "name": "shop"}]


async def synced(lab: Lab, **spec: Any) -> None:
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), restart=RESTART, **spec)


def generation(lab: Lab) -> int:
    deployment = lab.now(DEPLOYMENTS, "shop")
    assert deployment is not None
    return int(deployment["metadata"]["generation"])


def annotations(lab: Lab) -> dict[str, str]:
    deployment = lab.now(DEPLOYMENTS, "shop")
    assert deployment is not None
    found: dict[str, str] = deployment["spec"]["template"]["metadata"].get("annotations", {})
    return found


async def restarted(lab: Lab, times: int) -> None:
    """Returns once the template has changed so often and the status says that it is done."""
    marker = await lab.until(
        DEPLOYMENTS,
        "shop",
        lambda obj: obj["metadata"]["generation"] >= 1 + times and list(annotations(lab).values()),
    )
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: [obj["status"]["marker"]] == marker)
    assert generation(lab) == 1 + times


async def test_the_first_sync_restarts_nothing_and_each_rotation_restarts_once(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await synced(lab, refresh={"interval": "1s"})
    operator = await lab.operator()
    await lab.ready("shop-db")
    await lab.polled(2)
    assert generation(lab) == 1

    lab.secret("db", "two")
    await lab.holds("shop-db", A="two")
    await restarted(lab, 1)
    await lab.polled(2)
    assert generation(lab) == 2
    first = annotations(lab)

    lab.secret("db", "three")
    await lab.holds("shop-db", A="three")
    await restarted(lab, 2)
    await lab.polled(2)
    assert generation(lab) == 3
    assert annotations(lab).keys() == first.keys() == {"restart.pierhead.dev/shop-db"}
    assert lab.writes(operator).count("PATCH deployments") == 2
    live = await lab.kube.get(DEPLOYMENTS, "shop", lab.namespace)
    managers = {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert "pierhead-restart" in managers


@pytest.mark.parametrize(("rotations", "restarts"), [(0, 0), (1, 1), (3, 1)])
async def test_what_happened_while_the_operator_was_down_is_one_restart(
    lab: Lab, rotations: int, restarts: int
) -> None:
    lab.secret("db", "0")
    await lab.deployment("shop")
    await synced(lab)
    first = await lab.operator()
    await lab.ready("shop-db")
    await first.stop()
    for number in range(rotations):
        lab.secret("db", str(number + 1))
    await lab.operator()
    await lab.polled(1)
    await lab.holds("shop-db", A=str(rotations))
    if restarts:
        await restarted(lab, restarts)
    await lab.synced_secret("fence", data=lab.data(("A", "db")))
    await lab.ready("fence")

    assert generation(lab) == 1 + restarts


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("write", range(3))
async def test_a_crash_at_any_write_of_a_rotation_leads_to_one_restart(
    lab: Lab, write: int, phase: str
) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await synced(lab)
    first = await lab.operator()
    await lab.ready("shop-db")
    await first.stop()
    lab.secret("db", "two")
    dying = await lab.operator(crash_at=(write, phase))
    await dying.crashed.wait()
    await dying.stop()
    assert [shown.split()[1] for shown in lab.writes(dying)] == [
        "secrets",
        "deployments",
        "syncedsecrets/status",
    ][: write + 1]
    await lab.operator()
    await lab.holds("shop-db", A="two")
    await restarted(lab, 1)
    await lab.ready("shop-db")

    assert generation(lab) == 2


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("write", range(2))
async def test_a_crash_in_the_first_sync_loses_no_rotation_after_it(lab: Lab, write: int, phase: str) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await synced(lab)
    dying = await lab.operator(crash_at=(write, phase))
    await dying.crashed.wait()
    await dying.stop()
    written = (write, phase) != (0, "before")
    if written:
        await lab.holds("shop-db", A="one")
    lab.secret("db", "two")
    await lab.operator()
    await lab.holds("shop-db", A="two")
    await lab.ready("shop-db")
    if written:  # pods may run with the first value
        await restarted(lab, 1)

    assert generation(lab) == (2 if written else 1)


async def test_a_paused_deployment_is_left_until_it_is_resumed(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop", paused=True)
    await synced(lab, refresh={"interval": "1s"})
    await lab.operator()
    await lab.ready("shop-db")
    lab.secret("db", "two")
    obj = await lab.until(
        SYNCED_SECRETS, "shop-db", lambda obj: obj if condition(obj, "RestartPending") else None
    )
    assert condition(obj, "Ready")["status"] == "True"
    assert "Deployment shop is paused" in condition(obj, "RestartPending")["message"]
    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"two"}
    assert annotations(lab) == {}

    lab.aws.clear_calls()
    await lab.deployment("shop", paused=False)
    await lab.until(DEPLOYMENTS, "shop", lambda _obj: annotations(lab))
    obj = await lab.until(
        SYNCED_SECRETS, "shop-db", lambda obj: obj if not condition(obj, "RestartPending") else None
    )
    assert "restarts" not in obj["status"]


async def test_workloads_that_are_not_there_are_no_failure(lab: Lab) -> None:
    lab.secret("db", "one")
    await synced(lab, refresh={"interval": "1s"})
    operator = await lab.operator()
    await lab.ready("shop-db")
    lab.secret("db", "two")
    await lab.holds("shop-db", A="two")
    obj = await lab.ready("shop-db")

    assert condition(obj, "RestartPending") is None
    assert "PATCH deployments" not in lab.writes(operator)


async def test_two_secrets_of_one_workload_keep_each_others_marks(lab: Lab) -> None:
    lab.secret("a", "one")
    lab.secret("b", "one")
    await lab.deployment("shop")
    for name in ("a", "b"):
        await lab.synced_secret(name, data=lab.data(("K", name)), restart=RESTART, refresh={"interval": "1s"})
    await lab.operator()
    for number, name in enumerate(("a", "b", "a")):
        await lab.ready(name)
        lab.secret(name, f"round {number}")
        await lab.until(
            DEPLOYMENTS, "shop", lambda obj, least=number + 2: obj["metadata"]["generation"] == least
        )

    assert annotations(lab).keys() == {"restart.pierhead.dev/a", "restart.pierhead.dev/b"}


async def test_repairing_the_secret_restarts_nothing(lab: Lab) -> None:
    lab.secret("db", "one")
    await lab.deployment("shop")
    await synced(lab)
    await lab.operator()
    await lab.ready("shop-db")
    before = lab.now(SECRETS, "shop-db")
    await lab.kube.delete(SECRETS, "shop-db", lab.namespace)
    await lab.until(
        SECRETS, "shop-db", lambda obj: obj and obj["metadata"]["uid"] != before["metadata"]["uid"]
    )
    await lab.until(
        SYNCED_SECRETS,
        "shop-db",
        lambda obj: obj["status"]["target"]["uid"] != before["metadata"]["uid"],
    )

    assert generation(lab) == 1
