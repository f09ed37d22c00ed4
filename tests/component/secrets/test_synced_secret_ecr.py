"""Pull secrets of ECR: one password for all, renewed by its own expiry, without a restart."""

import json
from typing import Any

import pytest

from pierhead.kube.resources import DEPLOYMENTS, SECRETS, SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, Object, condition, values

KEY = ".dockerconfigjson"
HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PULL: dict[str, Any] = {"target": {"type": "kubernetes.io/dockerconfigjson"}}


def allowed(lab: Lab) -> dict[str, Any]:
    """A policy under which the namespace may have passwords."""
    rule = {"namespaces": [lab.namespace], "powers": ["repository"], "values": ["*"]}
    return {"aws_policy": [rule]}


def data(**ecr: str) -> list[Object]:
    return [{"key": KEY, "from": {"ecr": ecr}}]


def login(secret: Object) -> tuple[str, str]:
    """Registry and password of a pull secret."""
    ((host, given),) = json.loads(values(secret)[KEY])["auths"].items()
    assert given["username"] == "AWS"
    return host, given["password"]


async def renewed(lab: Lab, name: str, former: str) -> str:
    """The password of a Secret once it is another one."""

    def another(obj: Object | None) -> str | None:
        password = login(obj)[1] if obj else former
        return password if password != former else None

    return str(await lab.until(SECRETS, name, another))


async def test_a_pull_secret_needs_no_secret_and_all_share_one_password(lab: Lab) -> None:
    for number in range(4):
        await lab.synced_secret(f"pull-{number}", data=data(), **PULL)
    await lab.synced_secret("other", data=data(registryId="210987654321"), **PULL)
    lab.secret("hub", "pw")
    await lab.synced_secret(
        "both",
        data=[*data(), *lab.data(("HUB", "hub"))],
        template={
            "data": {
                KEY: f'{{{{ "{KEY}" | key | fromjson | merge(HUB | dockerconfigjson("hub", "me") | fromjson)'
                " | tojson }}"
            }
        },
        **PULL,
    )
    await lab.operator(**allowed(lab))
    names = [*(f"pull-{number}" for number in range(4)), "other", "both"]
    objects = [await lab.ready(name) for name in names]

    assert lab.aws.count("ecr", "GetAuthorizationToken") == 1
    secrets = [await lab.kube.get(SECRETS, name, lab.namespace) for name in names]
    assert {secret["type"] for secret in secrets} == {"kubernetes.io/dockerconfigjson"}
    assert {login(secret)[0] for secret in secrets[:4]} == {HOST}
    assert login(secrets[4])[0] == HOST.replace("123456789012", "210987654321")
    assert json.loads(values(secrets[5])[KEY])["auths"].keys() == {HOST, "hub"}
    assert objects[0]["status"]["keys"] == [{"key": KEY, "versionId": HOST}]
    assert condition(objects[0], "Ready")["message"] == "1 key from 1 registry"
    assert objects[0]["status"]["renewAt"] < objects[0]["status"]["expiresAt"]


@pytest.mark.parametrize("refresh", [{"mode": "Once"}, {"interval": "1h"}, {"interval": "1s"}])
async def test_a_password_is_renewed_before_it_ends_and_restarts_nothing(
    lab: Lab, refresh: dict[str, str]
) -> None:
    lab.aws.registry_passwords_last(4.5)
    await lab.deployment("shop")
    restart = [{"kind": "Deployment", "name": "shop"}]
    await lab.synced_secret("pull", data=data(), refresh=refresh, restart=restart, **PULL)
    operator = await lab.operator(**allowed(lab))
    first = await lab.ready("pull")
    passwords = [login(await lab.kube.get(SECRETS, "pull", lab.namespace))[1]]

    for _ in range(2):
        passwords.append(await renewed(lab, "pull", passwords[-1]))
    latest = await lab.until(
        SYNCED_SECRETS,
        "pull",
        lambda obj: obj if obj["status"]["renewAt"] > first["status"]["renewAt"] else None,
    )

    assert len(set(passwords)) == 3
    assert latest["status"]["marker"] == first["status"]["marker"]
    assert latest["status"]["keys"] == first["status"]["keys"]
    assert (lab.now(DEPLOYMENTS, "shop") or {})["metadata"]["generation"] == 1
    calls = lab.aws.count("ecr", "GetAuthorizationToken")
    assert lab.writes(operator).count("PATCH secrets") <= calls
    assert "PATCH deployments" not in lab.writes(operator)


@pytest.mark.parametrize(("refresh", "calls"), [({"mode": "Once"}, 0), ({"interval": "1h"}, 1)])
async def test_the_next_process_leaves_a_password_that_is_good(
    lab: Lab, refresh: dict[str, str], calls: int
) -> None:
    await lab.synced_secret("pull", data=data(), refresh=refresh, **PULL)
    first = await lab.operator(**allowed(lab))
    before = await lab.ready("pull")
    await first.stop()
    lab.aws.clear_calls()

    second = await lab.operator(**allowed(lab))
    await lab.synced_secret("fence", data=data(), **PULL)
    await lab.ready("fence")
    assert lab.aws.count("ecr", "GetAuthorizationToken") == 1
    if not calls:
        await lab.kube.delete(SYNCED_SECRETS, "fence", lab.namespace)
    assert lab.now(SYNCED_SECRETS, "pull")["status"] == before["status"]
    assert lab.writes(second).count("PATCH secrets") == 1


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("write", range(2))
async def test_a_crash_in_a_renewal_leaves_a_good_password_and_restarts_nothing(
    lab: Lab, write: int, phase: str
) -> None:
    lab.aws.registry_passwords_last(4.5)
    await lab.deployment("shop")
    restart = [{"kind": "Deployment", "name": "shop"}]
    spec = {"data": data(), "refresh": {"mode": "Once"}, "restart": restart, **PULL}
    await lab.synced_secret("pull", **spec)
    first = await lab.operator(**allowed(lab))
    before = await lab.ready("pull")
    password = login(await lab.kube.get(SECRETS, "pull", lab.namespace))[1]
    await first.stop()

    dying = await lab.operator(crash_at=(write, phase), **allowed(lab))
    await dying.crashed.wait()
    await dying.stop()
    lab.aws.registry_passwords_last(3600)
    await lab.operator(**allowed(lab))
    await lab.until(
        SYNCED_SECRETS, "pull", lambda obj: obj["status"]["expiresAt"] > before["status"]["expiresAt"], 90
    )
    secret = await lab.kube.get(SECRETS, "pull", lab.namespace)
    status = (await lab.ready("pull"))["status"]

    assert login(secret)[1] != password
    assert status["target"]["resourceVersion"] == secret["metadata"]["resourceVersion"]
    assert status["marker"] == before["status"]["marker"]
    assert (lab.now(DEPLOYMENTS, "shop") or {})["metadata"]["generation"] == 1


async def test_a_password_that_cannot_be_renewed_stays_and_is_told(lab: Lab) -> None:
    lab.aws.registry_passwords_last(4.5)
    await lab.synced_secret("pull", data=data(), refresh={"interval": "1h"}, **PULL)
    await lab.operator(**allowed(lab))
    await lab.ready("pull")
    password = login(await lab.kube.get(SECRETS, "pull", lab.namespace))[1]
    fault = lab.aws.add_fault(Fault.deny("ecr", "GetAuthorizationToken"))

    obj = await lab.ready("pull", "False", reason="AccessDenied")
    assert condition(obj, "Ready")["message"].startswith(f"spec.data[0] ({KEY}): GetAuthorizationToken")
    assert login(lab.now(SECRETS, "pull"))[1] == password
    lab.aws.remove_fault(fault)
    await lab.ready("pull")
    assert await renewed(lab, "pull", password)


async def test_a_namespace_without_the_power_has_no_password(lab: Lab) -> None:
    await lab.synced_secret("pull", data=data(), **PULL)
    await lab.synced_secret("elsewhere", data=data(region="eu-west-1"), **PULL)
    await lab.operator()

    refused = condition(await lab.ready("pull", "False", reason="PolicyDenied"), "Ready")["message"]
    assert refused.startswith("spec.data[0].from.ecr: ")
    assert '"powers": ["repository"], "values": ["*"]' in refused
    region = condition(await lab.ready("elsewhere", "False", reason="PolicyDenied"), "Ready")["message"]
    assert region.startswith("spec.data[0].from.ecr.region: ")
    assert lab.aws.count("ecr") == 0
