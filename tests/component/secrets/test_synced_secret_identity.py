"""As whom a SyncedSecret reads: a ServiceAccount by IRSA or EKS Pod Identity, and within the policy only."""

import time
from typing import Any

import pytest

from pierhead.kube.resources import PODS, SECRETS, SERVICE_ACCOUNTS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition, values

ROLE = "arn:aws:iam::123456789012:role/"
CLUSTER = "harbour"


async def account(lab: Lab, role: str | None = None) -> None:
    """The ServiceAccount `reader`, annotated with a role or not."""
    obj = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "reader",
            "namespace": lab.namespace,
            "annotations": {"eks.amazonaws.com/role-arn": role} if role else {},
        },
    }
    await lab.kube.apply(SERVICE_ACCOUNTS, obj, field_manager="person")


async def pod(lab: Lab) -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "shop-0", "namespace": lab.namespace},
        "spec": {"serviceAccountName": "reader", "containers": [{"name": "a", "image": "example.com/a"}]},
    }
    await lab.kube.create(PODS, obj)


async def synced(lab: Lab, name: str = "shop-db", **aws: Any) -> None:
    await lab.synced_secret(
        name, data=lab.data(("A", "db")), aws=aws, refresh={"interval": "1s"}, onSourceDelete="Delete"
    )


async def test_a_service_account_reads_with_its_role_until_that_is_taken_away(lab: Lab) -> None:
    lab.secret("db", "pw")
    await account(lab, f"{ROLE}{lab.namespace}-reader")
    for name in ("one", "two"):
        await synced(lab, name, serviceAccountName="reader")
    operator = await lab.operator()
    for name in ("one", "two"):
        await lab.holds(name, A="pw")
        await lab.ready(name)
    assert lab.aws.count("sts", "AssumeRoleWithWebIdentity") == 1
    assert lab.writes(operator).count("POST serviceaccounts/token") == 1

    await account(lab)
    obj = await lab.ready("one", "False", reason="KeyNotFound")
    assert "spec.aws.serviceAccountName" in condition(obj, "Ready")["message"]
    assert values(lab.now(SECRETS, "one")) == {"A": b"pw"}


async def test_a_service_account_that_is_not_there_yet_is_waited_for(lab: Lab) -> None:
    lab.secret("db", "pw")
    await synced(lab, serviceAccountName="reader")
    await lab.operator()
    await lab.ready("shop-db", "False", reason="ReferenceNotFound")
    assert lab.aws.count("secretsmanager", "BatchGetSecretValue") == 0

    await account(lab, f"{ROLE}{lab.namespace}-reader")
    await lab.holds("shop-db", A="pw")


async def test_eks_says_which_role_a_pods_account_has(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pierhead.aws.readiness.REFUSED_SECONDS", 0.5)
    monkeypatch.setattr("pierhead.secrets.refresh.FIRST_RETRY_SECONDS", 1.0)
    lab.secret("db", "pw")
    await account(lab)
    await synced(lab, serviceAccountName="reader", podIdentity=True)
    await lab.operator(cluster_name=CLUSTER)
    await lab.ready("shop-db", "False", reason="NoPodOfServiceAccount")
    assert lab.aws.count("eks-auth") == 0

    await pod(lab)
    obj = await lab.ready("shop-db", "False", reason="NoPodIdentityAssociation")
    assert "make one for it in EKS" in condition(obj, "Ready")["message"]

    lab.aws.associate_pod_identity(CLUSTER, lab.namespace, "reader", f"{ROLE}any")
    await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    asked = lab.aws.count("eks-auth", "AssumeRoleForPodIdentity", outcome="200")
    await lab.polled(2)
    assert asked == lab.aws.count("eks-auth", "AssumeRoleForPodIdentity", outcome="200") == 1


async def test_a_role_that_is_lost_proves_no_secret_deleted(lab: Lab) -> None:
    lab.secret("db", "pw")
    await account(lab)
    await pod(lab)
    lab.aws.associate_pod_identity(CLUSTER, lab.namespace, "reader", f"{ROLE}any")
    await synced(lab, serviceAccountName="reader", podIdentity=True)
    first = await lab.operator(cluster_name=CLUSTER)
    await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    await first.stop()

    lab.aws.associate_pod_identity(CLUSTER, lab.namespace, "reader", None)
    await lab.operator(cluster_name=CLUSTER)
    await lab.ready("shop-db", "False", reason="NoPodIdentityAssociation")
    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"pw"}


def aws(**given: Any) -> dict[str, Any]:
    return {"aws": given}


def key(**source: Any) -> dict[str, Any]:
    return {"data": [{"key": "A", "from": source}]}


def extract(**source: Any) -> dict[str, Any]:
    return {"dataFrom": [{"extract": source}]}


def find(**wanted: Any) -> dict[str, Any]:
    return {"dataFrom": [{"find": wanted}]}


OTHER = "arn:aws:secretsmanager:us-east-1:123456789012:secret:other/db-AbCdEf"


@pytest.mark.parametrize(
    ("spec", "annotated", "field", "power"),
    [
        (aws(region="eu-west-1"), "", "spec.aws.region", "region"),
        (
            aws(region="eu-west-1", serviceAccountName="reader", podIdentity=True),
            "",
            "spec.aws.region",
            "region",
        ),
        (aws(roleArn=f"{ROLE}admin"), "", "spec.aws.roleArn", "role"),
        (aws(roleArn=f"{ROLE}admin", serviceAccountName="reader"), "", "spec.aws.roleArn", "role"),
        (aws(serviceAccountName="reader"), f"{ROLE}admin", "spec.aws.serviceAccountName", "role"),
        (aws(serviceAccountName="reader"), "no-role", "spec.aws.serviceAccountName", "role"),
        (key(secret="other/db"), "", "spec.data[0].from.secret", "secret"),
        (key(secret=OTHER), "", "spec.data[0].from.secret", "secret"),
        (key(secret="other/db", versionStage="AWSPENDING"), "", "spec.data[0].from.secret", "secret"),
        (key(parameter="/other/db"), "", "spec.data[0].from.parameter", "parameter"),
        (extract(secret="other/db"), "", "spec.dataFrom[0].extract.secret", "secret"),
        (extract(parameter="/other/db"), "", "spec.dataFrom[0].extract.parameter", "parameter"),
        (find(namePrefix="other/"), "", "spec.dataFrom[0].find.namePrefix", "secret"),
        (find(path="/other"), "", "spec.dataFrom[0].find.path", "parameter"),
        (key(ecr={}), "", "spec.data[0].from.ecr", "repository"),
        (key(ecr={"region": "eu-west-1"}), "", "spec.data[0].from.ecr.region", "region"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("spec.") else "",
)
async def test_outside_the_allow_list_nothing_is_asked_of_aws(
    lab: Lab, spec: dict[str, Any], annotated: str, field: str, power: str
) -> None:
    """Every value of AWS that a SyncedSecret can name has a row here."""
    await account(lab, annotated)
    await pod(lab)
    given = spec if "data" in spec or "dataFrom" in spec else {"data": lab.data(("A", "db")), **spec}
    await lab.synced_secret("shop-db", **given)
    since = time.time()
    await lab.operator(cluster_name=CLUSTER)
    obj = await lab.ready("shop-db", "False", reason="PolicyDenied")

    message = condition(obj, "Ready")["message"]
    assert message.startswith(f"{field}: ")
    assert power in message
    assert lab.aws.call_log(since=since) == []
    assert lab.now(SECRETS, "shop-db") is None


async def test_without_the_clusters_name_there_is_no_pod_identity(lab: Lab) -> None:
    await synced(lab, serviceAccountName="reader", podIdentity=True)
    await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="ClusterNameMissing")
    assert "PIERHEAD_CLUSTER_NAME" in condition(obj, "Ready")["message"]


@pytest.mark.parametrize(
    ("service", "operation", "given", "words"),
    [
        ("sts", "AssumeRole", {"externalId": "shop"}, "sts:TagSession with this external id"),
        ("sts", "AssumeRoleWithWebIdentity", {"serviceAccountName": "reader"}, ":reader"),
        (
            "eks-auth",
            "AssumeRoleForPodIdentity",
            {"serviceAccountName": "reader", "podIdentity": True},
            "eks-auth:AssumeRoleForPodIdentity",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("Assume") else "",
)
async def test_a_refused_role_says_who_has_to_allow_what(
    lab: Lab, service: str, operation: str, given: dict[str, Any], words: str
) -> None:
    lab.secret("db", "pw")
    role = f"{ROLE}{lab.namespace}-reader"
    await account(lab, role)
    await pod(lab)
    lab.aws.add_fault(Fault.deny(service, operation))
    await synced(lab, **given, **({"roleArn": role} if "externalId" in given else {}))
    await lab.operator(cluster_name=CLUSTER)
    obj = await lab.ready("shop-db", "False", reason="RoleNotAssumable")

    assert words in condition(obj, "Ready")["message"]
    assert lab.reads() == {}
