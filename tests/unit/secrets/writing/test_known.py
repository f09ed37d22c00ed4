"""What is remembered of Secrets: never older than it was, and never a value."""

from typing import Any

from pierhead.engine.resource import ObjectKey
from pierhead.secrets.writing.form import Form
from pierhead.secrets.writing.known import KnownSecrets
from pierhead.secrets.writing.target import MARKER, manifest, surplus_keys
from support.secret_specs import resource_of

OWNER = {
    "apiVersion": "pierhead.dev/v1alpha1",
    "kind": "SyncedSecret",
    "name": "shop-db",
    "uid": "u1",
    "controller": True,
}
KEY = ObjectKey("shop", "shop-db")


def secret(
    version: int = 1, uid: str = "s1", owners: list[dict[str, Any]] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "s",
            "namespace": "shop",
            "uid": uid,
            "resourceVersion": str(version),
            "ownerReferences": [OWNER] if owners is None else owners,
            **metadata,
        }
    }


def test_our_own_write_is_no_news_whichever_comes_first() -> None:
    known = KnownSecrets(annotation=MARKER)
    known.observe(secret(5))
    assert known.told("MODIFIED", secret(5)) == set()
    assert known.told("MODIFIED", secret(4)) == set()
    assert known.told("MODIFIED", secret(6)) == {KEY}
    known.observe(secret(5))
    live = known.live("shop", "s", "u1")
    assert live is not None
    assert live.resource_version == "6"


def test_a_deletion_is_news_once_and_for_the_secret_that_is_known() -> None:
    known = KnownSecrets(annotation=MARKER)
    known.observe(secret(5))
    assert known.told("DELETED", secret(7, uid="another")) == set()
    assert known.told("DELETED", secret(8)) == {KEY}
    assert known.told("DELETED", secret(8)) == set()
    assert known.live("shop", "s", "u1") is None


def test_the_answer_to_a_write_does_not_bring_back_what_is_gone() -> None:
    known = KnownSecrets(annotation=MARKER)
    known.told("ADDED", secret(5))
    known.told("DELETED", secret(8))
    known.observe(secret(7))

    assert known.live("shop", "s", "u1") is None


def test_who_lost_the_secret_is_told_as_well_as_who_has_it() -> None:
    known = KnownSecrets(annotation=MARKER)
    known.observe(secret(5))

    assert known.told("MODIFIED", secret(6, owners=[OWNER | {"name": "other", "uid": "u2"}])) == {
        KEY,
        ObjectKey("shop", "other"),
    }


def test_ownership_is_a_matter_of_uid() -> None:
    known = KnownSecrets(annotation=MARKER)
    read = known.read(secret(annotations={MARKER: "m"}, labels={"pierhead.dev/managed-by": "SyncedSecret"}))

    assert (read.live("u1").ours, read.live("u1").controller, read.live("u1").marker) == (True, None, "m")
    assert (read.live("u2").ours, read.live("u2").controller) == (False, "SyncedSecret shop-db")
    assert not known.read(secret(owners=[])).live("u1").ours


def test_the_manifest_names_its_owner_and_its_versions() -> None:
    made = manifest(resource_of(), "s", form=Form(), data={"B": b"\xff", "A": b"x"}, marker="m")

    assert made["data"] == {"A": "eA==", "B": "/w=="}
    assert made["metadata"]["annotations"] == {MARKER: "m"}
    assert made["metadata"]["ownerReferences"] == [OWNER]


def test_keys_of_others_are_found_by_their_managers() -> None:
    def managed(manager: str, operation: str, *keys: str) -> dict[str, Any]:
        fields = {"f:data": {".": {}, **{f"f:{key}": {} for key in keys}}}
        return {"manager": manager, "operation": operation, "fieldsV1": fields}

    metadata = {
        "managedFields": [
            managed("pierhead", "Apply", "A", "B"),
            managed("kubectl-edit", "Update", "B", "C"),
            managed("pierhead", "Update", "D"),
            {"manager": "labels", "operation": "Update", "fieldsV1": {"f:metadata": {}}},
        ]
    }

    assert surplus_keys(metadata, {"A", "B"}) == ["C", "D"]
    assert surplus_keys({}, {"A"}) == []
