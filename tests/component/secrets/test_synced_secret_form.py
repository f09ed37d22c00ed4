"""The Secret beside its values: type, labels, annotations, immutable; what stands in the way of a write."""

from functools import partial
from typing import Any

import pytest

from pierhead.engine.cache import ObjectCache
from pierhead.engine.outcome import Conflict, Denied
from pierhead.engine.resource import Resource
from pierhead.kube.errors import Rejected
from pierhead.kube.resources import CONFIG_MAPS, NAMESPACES, SECRETS, SYNCED_SECRETS
from pierhead.kube.store import KindStore
from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.refusals import refused
from pierhead.secrets.writing.target import Targets
from support.objects import config_map
from support.secrets_lab import Lab, condition, values


async def synced(lab: Lab, **target: Any) -> dict[str, Any]:
    given = {"target": target} if target else {}
    return await lab.synced_secret("shop-db", data=lab.data(("A", "db")), refresh={"interval": "1s"}, **given)


def metadata(lab: Lab) -> dict[str, Any]:
    secret = lab.now(SECRETS, "shop-db")
    assert secret is not None
    return dict(secret["metadata"])


def has_label(name: str, value: str | None, obj: dict[str, Any] | None) -> bool:
    return obj is not None and obj["metadata"].get("labels", {}).get(name) == value


async def test_labels_and_annotations_are_as_asked_and_nothing_is_copied(lab: Lab) -> None:
    lab.secret("db", "pw")
    await synced(lab, labels={"tier": "db"}, annotations={"example.com/note": "so"})
    await lab.kube.merge_patch(
        SYNCED_SECRETS, "shop-db", lab.namespace, {"metadata": {"labels": {"argocd/instance": "x"}}}
    )
    operator = await lab.operator()
    await lab.ready("shop-db")
    made = metadata(lab)
    assert made["labels"] == {"tier": "db", "pierhead.dev/managed-by": "SyncedSecret"}
    assert set(made["annotations"]) == {"example.com/note", "pierhead.dev/versions"}

    theirs = {"metadata": {"labels": {"tier": "web", "theirs": "1"}}}
    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, theirs)
    await lab.until(
        SECRETS, "shop-db", lambda obj: has_label("theirs", "1", obj) and has_label("tier", "db", obj)
    )

    await synced(lab)
    await lab.until(SECRETS, "shop-db", partial(has_label, "tier", None))
    await lab.ready("shop-db")
    after = metadata(lab)
    assert "example.com/note" not in after["annotations"]
    assert (after["uid"], after["labels"]["theirs"]) == (made["uid"], "1")
    operator.writes.clear()
    await lab.polled(2)
    assert operator.writes == []


async def test_an_immutable_secret_is_made_anew_for_what_is_new(lab: Lab) -> None:
    lab.secret("db", "one")
    await synced(lab, immutable=True, labels={"tier": "db"})
    await lab.operator()
    first = await lab.holds("shop-db", A="one")
    await lab.ready("shop-db")
    assert first["immutable"] is True

    await synced(lab, immutable=True, labels={"tier": "web"})
    await lab.until(SECRETS, "shop-db", partial(has_label, "tier", "web"))
    assert metadata(lab)["uid"] == first["metadata"]["uid"]

    lab.secret("db", "two")
    second = await lab.holds("shop-db", A="two")
    assert second["immutable"] is True
    assert second["metadata"]["uid"] != first["metadata"]["uid"]

    await synced(lab)
    await lab.until(SECRETS, "shop-db", lambda obj: obj is not None and "immutable" not in obj)
    await lab.ready("shop-db")
    await lab.holds("shop-db", A="two")


@pytest.mark.parametrize(("write", "phase"), [(1, "before"), (1, "after"), (2, "after")])
async def test_a_crash_while_a_secret_is_made_anew_leaves_nothing_half_done(
    lab: Lab, write: int, phase: str
) -> None:
    lab.secret("db", "one")
    await synced(lab, immutable=True)
    first = await lab.operator()
    before = await lab.holds("shop-db", A="one")
    await lab.ready("shop-db")
    await first.stop()
    lab.secret("db", "two")
    # Refused, deleted, made, told.
    dying = await lab.operator(crash_at=(write, phase))
    await dying.crashed.wait()
    await dying.stop()
    await lab.operator()
    after = await lab.holds("shop-db", A="two")
    uid = after["metadata"]["uid"]
    assert uid != before["metadata"]["uid"]
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: obj["status"]["target"]["uid"] == uid)


async def test_adoption_into_an_immutable_secret_takes_the_whole_of_it(lab: Lab) -> None:
    secret = {"metadata": {"name": "shop-db", "namespace": lab.namespace}, "stringData": {"OTHER": "theirs"}}
    await lab.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret})
    lab.secret("db", "pw")
    await synced(lab, immutable=True, adopt=True)
    await lab.operator()
    found = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    assert found["immutable"] is True


async def test_what_finalizers_hold_is_waited_for_and_then_made_anew(lab: Lab) -> None:
    lab.secret("db", "pw")
    await synced(lab)
    await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, held)
    await synced(lab, type="example.com/other")
    obj = await lab.ready("shop-db", "Unknown", reason="TargetTerminating")
    assert "finalizers" in condition(obj, "Ready")["message"]
    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"pw"}

    await lab.kube.merge_patch(SECRETS, "shop-db", lab.namespace, {"metadata": {"finalizers": None}})
    await lab.ready("shop-db")
    after = await lab.holds("shop-db", A="pw")
    assert after["type"] == "example.com/other"
    assert after["metadata"]["uid"] != before["metadata"]["uid"]


@pytest.mark.parametrize(
    ("secret_type", "key", "value", "reason", "words"),
    [
        ("kubernetes.io/tls", "tls.crt", "canary", "MissingKey", "the key tls.key"),
        (
            "kubernetes.io/dockerconfigjson",
            ".dockerconfigjson",
            "canary",
            "NotJSON",
            "is not JSON",
        ),
    ],
)
async def test_what_a_type_asks_for_is_named_before_anything_is_written(
    lab: Lab, secret_type: str, key: str, value: str, reason: str, words: str
) -> None:
    lab.secret("db", value)
    await lab.synced_secret("shop-db", data=lab.data((key, "db")), target={"type": secret_type})
    operator = await lab.operator()
    obj = await lab.ready("shop-db", "False", reason=reason)

    assert words in condition(obj, "Ready")["message"]
    assert value not in str(obj["status"])
    assert lab.writes(operator) == ["PATCH syncedsecrets/status"]


async def resource_of(lab: Lab, namespace: str = "") -> Resource:
    obj = {
        "apiVersion": SYNCED_SECRETS.api_version,
        "kind": SYNCED_SECRETS.kind,
        "metadata": {"name": "shop-db", "namespace": namespace or lab.namespace},
        "spec": {"data": lab.data(("A", "db"))},
    }
    stored = await lab.kube.apply(SYNCED_SECRETS, obj)
    return Resource(stored, store=KindStore(lab.kube, SYNCED_SECRETS), cache=ObjectCache())


async def test_a_secret_that_appears_between_look_and_write_is_not_taken(lab: Lab) -> None:
    resource = await resource_of(lab)
    theirs = {"metadata": {"name": "shop-db", "namespace": lab.namespace}, "stringData": {"OTHER": "theirs"}}
    await lab.kube.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **theirs})
    with pytest.raises(Conflict):
        await Targets(lab.kube).write(
            resource, "shop-db", form=Form(), data={"A": b"pw"}, marker="m", live=None
        )
    found = await lab.kube.get(SECRETS, "shop-db", lab.namespace)
    assert values(found) == {"OTHER": b"theirs"}
    assert "ownerReferences" not in found["metadata"]


@pytest.mark.filterwarnings("ignore:Sending a large body")
async def test_too_much_for_the_api_server_is_refused_without_a_word_of_it(lab: Lab) -> None:
    resource = await resource_of(lab)
    data = {"A": b"canary" * 200_000}
    with pytest.raises(Rejected) as raised:
        await Targets(lab.kube).write(resource, "shop-db", form=Form(), data=data, marker="m", live=None)
    fault = refused(raised.value)
    assert fault.reason == "TargetRefused"
    assert "data" in fault.message
    assert "canary" not in fault.message


async def test_a_namespace_that_is_being_deleted_is_told(lab: Lab) -> None:
    namespace = f"{lab.namespace}-gone"
    await lab.kube.create(
        NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    )
    resource = await resource_of(lab, namespace)
    holding = config_map("holding", namespace)
    holding["metadata"]["finalizers"] = ["example.com/held"]
    await lab.kube.create(CONFIG_MAPS, holding)
    await lab.kube.delete(NAMESPACES, namespace)
    with pytest.raises(Denied) as raised:
        await Targets(lab.kube).write(resource, "shop-db", form=Form(), data={}, marker="m", live=None)
    assert isinstance(raised.value, Denied)
    assert refused(raised.value).reason == "NamespaceTerminating"
    await lab.kube.merge_patch(CONFIG_MAPS, "holding", namespace, {"metadata": {"finalizers": None}})


async def test_an_orphaned_secret_stays_and_can_be_adopted(lab: Lab) -> None:
    lab.secret("db", "pw")
    await synced(lab, adopt=True)
    operator = await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.ready("shop-db")
    operator.writes.clear()
    await lab.kube.delete(SYNCED_SECRETS, "shop-db", lab.namespace, propagation="Orphan")
    await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: obj is None)
    await lab.until(SECRETS, "shop-db", lambda obj: obj and not obj["metadata"].get("ownerReferences"))
    assert lab.writes(operator) == []

    await synced(lab, adopt=True)
    await lab.ready("shop-db")
    assert metadata(lab)["uid"] == before["metadata"]["uid"]


async def test_a_new_name_takes_along_what_has_no_source_any_more(lab: Lab) -> None:
    lab.secret("db", "pw")
    lab.secret("old", "kept")
    data = [*lab.data(("A", "db")), *lab.data(("B", "old"), optional=True)]
    await lab.synced_secret("shop-db", data=data)
    await lab.operator()
    await lab.holds("shop-db", A="pw", B="kept")
    await lab.ready("shop-db")
    lab.boto.delete_secret(SecretId=lab.aws_name("old"), ForceDeleteWithoutRecovery=True)
    await lab.synced_secret("shop-db", data=data, target={"name": "renamed"})
    await lab.holds("renamed", A="pw", B="kept")
    await lab.until(SECRETS, "shop-db", lambda obj: obj is None)
