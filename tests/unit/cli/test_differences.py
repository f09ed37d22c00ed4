"""Differences of objects, and what owns what."""

from datetime import UTC, datetime

from pierhead.cli.apps.differences import difference
from pierhead.cli.apps.tree import descendants, owned_by

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def config(**data: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "b"},
        "data": data,
    }


def test_what_only_the_api_server_writes_is_no_difference() -> None:
    live = config(x="1")
    live["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 2, "managedFields": []}
    assert difference({**live, "status": {"seen": True}}, config(x="1"), ()) == ""


def test_the_order_of_keys_is_no_difference() -> None:
    assert difference(config(x="1", y="2"), config(y="2", x="1"), ()) == ""


def test_an_object_that_comes_or_goes_is_shown_whole() -> None:
    came = difference(None, config(x="1"), ()).splitlines()
    assert came[:2] == ["--- /dev/null", "+++ wanted/ConfigMap/b/a"]
    assert "+  x: '1'" in came
    went = difference(config(x="1"), None, ()).splitlines()
    assert went[:2] == ["--- live/ConfigMap/b/a", "+++ /dev/null"]


def test_values_of_secrets_are_masked_wherever_they_are() -> None:
    text = difference(config(url="db://me:correct horse@db"), config(url="other"), {"correct horse"})
    assert "-  url: db://me:***@db" in text


def owned(kind: str, name: str, owner: str, **fields) -> dict:
    references = [{"uid": owner, "controller": True}, {"uid": "somebody"}]
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "uid": name, "ownerReferences": references},
        **fields,
    }


def test_children_are_what_an_object_controls_without_past_replica_sets() -> None:
    objects = [
        owned("ReplicaSet", "web-2", "web", spec={"replicas": 1}),
        owned("ReplicaSet", "web-1", "web", spec={"replicas": 0}),
        owned("Pod", "web-2-b", "web-2"),
        owned("Pod", "web-2-a", "web-2"),
    ]
    found = descendants({"metadata": {"uid": "web"}}, owned_by(objects), NOW)
    assert [(node["name"], [child["name"] for child in node["children"]]) for node in found] == [
        ("web-2", ["web-2-a", "web-2-b"])
    ]
    assert descendants({"metadata": {"uid": "somebody"}}, owned_by(objects), NOW) == []
