"""The Secret: repaired at once, never taken from somebody else, never emptied without proof."""

from typing import Any

import pytest

from pierhead.engine.cache import ObjectCache
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Resource
from pierhead.kube.resources import CONFIG_MAPS, SECRETS, SYNCED_SECRETS
from pierhead.kube.store import KindStore
from pierhead.secrets.decide import Live
from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.target import Targets
from pierhead_sandbox.aws.protocol import Fault
from support.objects import config_map
from support.secrets_lab import Lab, condition, values


def foreign(lab: Lab, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop-db", "namespace": lab.namespace, **fields},
        "stringData": {"A": "theirs", "OTHER": "theirs"},
    }


def synced_secret_of(lab: Lab) -> dict[str, Any]:
    return {
        "apiVersion": SYNCED_SECRETS.api_version,
        "kind": SYNCED_SECRETS.kind,
        "metadata": {"name": "shop-db", "namespace": lab.namespace},
        "spec": {"data": lab.data(("A", "db"))},
    }


async def synced(lab: Lab, **spec: Any) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), **spec)


@pytest.mark.parametrize(
    "patch",
    [
        {"data": {"A": "aGFuZA=="}},
        {"data": {"A": None}},
        {"data": {"EXTRA": "aGFuZA=="}},
        {"metadata": {"labels": {"pierhead.dev/managed-by": None}}},
        {"metadata": {"annotations": {"pierhead.dev/versions": "forged"}}},
    ],
    ids=["changed", "removed", "added", "unlabelled", "annotated"],
)
async def test_what_somebody_changes_is_put_right_at_once(lab: Lab, patch: dict[str, Any]) -> None:
    await synced(lab)
    operator = await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    operator.writes.clear()
    changed = await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, patch)
    after = await lab.until(
        SECRETS,
        "shop-db",
        lambda obj: (
            obj
            if int(obj["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])
            and values(obj) == {"A": b"pw"}
            else None
        ),
    )
    await lab.until(
        SYNCED_SECRETS,
        "shop-db",
        lambda obj: obj["status"]["target"]["resourceVersion"] == after["metadata"]["resourceVersion"],
    )

    assert after["metadata"]["labels"] == before["metadata"]["labels"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert len(operator.writes) <= 3


async def test_a_deleted_secret_comes_back_at_once(lab: Lab) -> None:
    await synced(lab)
    await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    await lab.kube.delete(SECRETS, "shop-db", lab.namespace)
    await lab.until(
        SECRETS, "shop-db", lambda obj: obj and obj["metadata"]["uid"] != before["metadata"]["uid"]
    )


async def test_a_secret_that_somebody_made_immutable_follows_all_the_same(lab: Lab) -> None:
    await synced(lab, refresh={"interval": "1s"})
    await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, {"immutable": True})
    lab.secret("db", "rotated")
    after = await lab.holds("shop-db", A="rotated")
    await lab.ready("shop-db")

    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_somebody_who_insists_is_not_fought_for_ever(lab: Lab) -> None:
    await synced(lab)
    operator = await lab.operator()
    await lab.ready("shop-db")
    operator.writes.clear()

    def contested(obj: dict[str, Any] | None) -> bool:
        return obj is not None and condition(obj, "Ready")["reason"] == "Contested"

    for number in range(20):
        found = lab.now(SYNCED_SECRETS, "shop-db")
        if contested(found):
            break
        changed = await lab.kube.merge_patch(
            SECRETS, "shop-db", lab.namespace, {"data": {"A": "aGFuZA==", f"E{number}": "eA=="}}
        )
        await lab.until(
            SYNCED_SECRETS,
            "shop-db",
            lambda obj, version=changed["metadata"]["resourceVersion"]: (
                contested(obj) or int(obj["status"]["target"]["resourceVersion"]) > int(version)
            ),
        )
    else:
        pytest.fail("repaired twenty times in a row")
    await lab.ready("shop-db", within=20)
    await lab.holds("shop-db", A="pw")


async def controlled(lab: Lab) -> dict[str, Any]:
    """Metadata of an object that a ConfigMap controls."""
    owner = await lab.kube.create(CONFIG_MAPS, config_map("owner", lab.namespace))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "controller": True}
    return {"ownerReferences": [reference | {"uid": owner["metadata"]["uid"]}]}


@pytest.mark.parametrize("whose", ["nobody's", "labelled", "controlled"])
async def test_a_secret_that_is_not_ours_is_refused_without_a_call_to_aws(lab: Lab, whose: str) -> None:
    metadata: dict[str, Any] = {}
    if whose == "labelled":
        metadata = {"labels": {"pierhead.dev/managed-by": "SyncedSecret"}}
    elif whose == "controlled":
        metadata = await controlled(lab)
    await lab.kube.create(SECRETS, foreign(lab, **metadata))
    await synced(lab)
    lab.aws.clear_calls()
    operator = await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="TargetNotOwned")

    assert condition(obj, "Stalled")["reason"] == "TargetNotOwned"
    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"theirs", "OTHER": b"theirs"}
    assert lab.reads() == {}
    assert lab.writes(operator) == ["PATCH syncedsecrets/status"]
    assert await operator.events.first(1) == [("Warning", "TargetNotOwned")]


async def test_the_secret_of_a_namesake_before_is_waited_for_and_not_taken_over(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The garbage collector looks for new kinds every 30 s; looks at 30 s and 90 s may miss it by a moment.
    monkeypatch.setattr("pierhead.secrets.memory.retry_seconds", lambda *_: 5.0)
    reference = {"apiVersion": "pierhead.dev/v1alpha1", "kind": "SyncedSecret", "name": "shop-db"}
    before = await lab.kube.create(
        SECRETS, foreign(lab, ownerReferences=[reference | {"uid": "before", "controller": True}])
    )
    await synced(lab)
    await lab.operator()
    after = await lab.holds("shop-db", A="pw", within=90)

    assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def test_adoption_takes_the_whole_secret(lab: Lab) -> None:
    await lab.kube.create(SECRETS, foreign(lab))
    await synced(lab, target={"adopt": True})
    await lab.operator()
    await lab.holds("shop-db", A="pw")
    obj = await lab.ready("shop-db")

    assert lab.now(SECRETS, "shop-db")["metadata"]["ownerReferences"][0]["uid"] == obj["metadata"]["uid"]


async def test_adoption_takes_nothing_that_somebody_controls(lab: Lab) -> None:
    await lab.kube.create(SECRETS, foreign(lab, **await controlled(lab)))
    await synced(lab, target={"adopt": True})
    await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="TargetNotOwned")

    assert "ConfigMap owner" in condition(obj, "Ready")["message"]


async def test_a_service_account_token_is_never_taken_over(lab: Lab) -> None:
    token = foreign(lab, annotations={"kubernetes.io/service-account.name": "default"})
    await lab.kube.create(SECRETS, {**token, "type": "kubernetes.io/service-account-token", "stringData": {}})
    await synced(lab, target={"adopt": True})
    await lab.operator()
    obj = await lab.ready("shop-db", "False", reason="TargetRefused")

    assert "type" in condition(obj, "Ready")["message"]
    assert "A" not in values(lab.now(SECRETS, "shop-db"))
    assert not lab.now(SECRETS, "shop-db")["metadata"].get("ownerReferences")


@pytest.mark.parametrize("how", ["deleted", "marked"])
async def test_the_secret_goes_with_its_sources_if_it_has_to(lab: Lab, how: str) -> None:
    await synced(lab, refresh={"interval": "1s"}, onSourceDelete="Delete")
    await lab.operator()
    await lab.ready("shop-db")
    force = {"ForceDeleteWithoutRecovery": True} if how == "deleted" else {"RecoveryWindowInDays": 7}
    lab.boto.delete_secret(SecretId=lab.aws_name("db"), **force)
    await lab.until(SECRETS, "shop-db", lambda obj: obj is None)
    obj = await lab.ready("shop-db", "False", reason="SourceDeleted")

    assert "target" not in obj["status"]
    if how == "marked":
        lab.boto.restore_secret(SecretId=lab.aws_name("db"))
        await lab.holds("shop-db", A="pw", within=45)
        await lab.ready("shop-db")


@pytest.mark.parametrize("policy", ["Retain", "Delete"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault.deny("secretsmanager"),
        Fault.deny("secretsmanager", "GetSecretValue"),
        Fault.server_error("secretsmanager"),
        Fault.throttle("secretsmanager"),
        Fault.drop("secretsmanager"),
        Fault.decryption_failure("*"),
    ],
    ids=["denied", "gets denied", "broken", "throttled", "dropped", "locked"],
)
async def test_a_failed_read_proves_nothing(lab: Lab, policy: str, fault: Fault) -> None:
    await synced(lab, refresh={"interval": "1s"}, onSourceDelete=policy)
    operator = await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    operator.writes.clear()
    lab.aws.add_fault(fault)
    obj = await lab.ready("shop-db", "False", within=30)

    after = lab.now(SECRETS, "shop-db")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert set(lab.writes(operator)) == {"PATCH syncedsecrets/status"}
    assert obj["status"]["keys"][0]["versionId"]
    lab.aws.remove_fault()
    await lab.ready("shop-db", within=45)


async def test_a_source_that_only_cannot_be_described_is_not_gone(lab: Lab) -> None:
    await synced(lab, refresh={"interval": "1s"}, onSourceDelete="Delete")
    await lab.operator()
    await lab.ready("shop-db")
    lab.aws.add_fault(Fault.deny("secretsmanager", "DescribeSecret"))
    lab.boto.delete_secret(SecretId=lab.aws_name("db"), ForceDeleteWithoutRecovery=True)
    await lab.ready("shop-db", "False", reason="SecretNotFound")

    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"pw"}


async def test_retained_is_retained(lab: Lab) -> None:
    await synced(lab, refresh={"interval": "1s"})
    operator = await lab.operator()
    await lab.ready("shop-db")
    operator.writes.clear()
    lab.boto.delete_secret(SecretId=lab.aws_name("db"), ForceDeleteWithoutRecovery=True)
    obj = await lab.ready("shop-db", "False", reason="SecretNotFound")

    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"pw"}
    assert lab.writes(operator) == ["PATCH syncedsecrets/status"]
    assert lab.reads().get("DescribeSecret") is None
    assert lab.aws_name("db") in condition(obj, "Ready")["message"]


async def test_an_optional_key_is_left_out_comes_later_and_stays_when_its_source_goes(lab: Lab) -> None:
    lab.secret("db", "pw")
    spec = {
        "data": [*lab.data(("A", "db")), *lab.data(("B", "later"), optional=True)],
        "refresh": {"interval": "1s"},
    }
    await lab.synced_secret("shop-db", **spec)
    operator = await lab.operator()
    await lab.holds("shop-db", A="pw")
    obj = await lab.ready("shop-db")
    assert obj["status"]["keys"][1]["reason"] == "SecretNotFound"

    lab.secret("later", "b")
    await lab.holds("shop-db", A="pw", B="b")
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: "reason" not in obj["status"]["keys"][1])
    lab.boto.delete_secret(SecretId=lab.aws_name("later"), ForceDeleteWithoutRecovery=True)
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: "reason" in obj["status"]["keys"][1])
    operator.writes.clear()
    await lab.polled(2)
    assert operator.writes == []

    lab.secret("db", "rotated")
    await lab.holds("shop-db", A="rotated", B="b")
    await lab.synced_secret("shop-db", **spec, onSourceDelete="Delete")
    await lab.holds("shop-db", A="rotated")


@pytest.mark.parametrize("there", [True, False], ids=["replaced", "gone"])
async def test_a_write_decided_for_one_secret_never_lands_on_another(lab: Lab, there: bool) -> None:
    obj = await lab.kube.apply(SYNCED_SECRETS, synced_secret_of(lab))
    if there:
        await lab.kube.create(SECRETS, foreign(lab))
    resource = Resource(obj, store=KindStore(lab.kube, SYNCED_SECRETS), cache=ObjectCache())
    stale = Live(uid="11111111-2222-3333-4444-555555555555", resource_version="1", ours=True)
    with pytest.raises(Conflict):
        await Targets(lab.kube).write(
            resource, "shop-db", form=Form(), data={"A": b"pw"}, marker="m", live=stale
        )
    found = lab.now(SECRETS, "shop-db")

    assert (values(found) if found else None) == ({"A": b"theirs", "OTHER": b"theirs"} if there else None)
