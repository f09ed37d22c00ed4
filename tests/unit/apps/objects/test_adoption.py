"""What is sent to an object of which some fields are left to others."""

from typing import Any

import pytest

from pierhead.apps.model.objects import rules_of
from pierhead.apps.objects.adoption import MOST_LEAVES, adopted, is_scaled, unscaled
from pierhead.apps.objects.treatment import treatment_of
from pierhead.engine.outcome import Invalid
from pierhead.expressions import Expressions

OURS = {"f:data": {"f:a": {}, "f:b": {}}, "f:metadata": {"f:labels": {"f:team": {}}}}


def config_map(data: dict[str, str], fields: dict[str, Any] | None = None) -> dict[str, Any]:
    made: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "one", "namespace": "team-a", "labels": {"team": "a"}},
        "data": data,
    }
    if fields is not None:
        entry = {"manager": "pierhead", "operation": "Apply", "fieldsV1": fields}
        made["metadata"]["managedFields"] = [entry]
    return made


def sent(wanted: dict[str, Any], live: dict[str, Any], *ignored: dict[str, str]) -> dict[str, Any]:
    rules = rules_of({"objectRules": [{"ignoreDifferences": list(ignored)}]})
    return adopted(wanted, live, treatment_of(wanted, rules), Expressions())


def test_an_expression_sees_the_path_and_the_live_object():
    wanted, live = config_map({"a": "new", "b": "new"}), config_map({"a": "old", "b": "keep"}, OURS)
    made = sent(wanted, live, {"expression": "path.startsWith('/data/') && object.data.b == 'keep'"})
    assert made["data"] == {"a": "old", "b": "keep"}
    made = sent(wanted, live, {"expression": "path == '/data/a' && object.data.b == 'no'"})
    assert made == wanted


def test_an_expression_sees_no_managed_fields():
    live = config_map({"a": "old"}, OURS)
    made = sent(config_map({"a": "new"}), live, {"expression": "has(object.metadata.managedFields)"})
    assert made["data"] == {"a": "new"}


def test_an_expression_about_too_many_fields_is_refused():
    data = {f"k{number}": "x" for number in range(MOST_LEAVES)}
    with pytest.raises(Invalid, match="at most 500 are") as caught:
        sent(config_map(data), config_map(data, OURS), {"expression": "true"})
    assert caught.value.field == "spec.objectRules[0].ignoreDifferences[0].expression"


def test_what_tells_the_object_from_others_stays_whatever_is_ignored():
    made = sent(config_map({"a": "new"}), config_map({"a": "old"}, OURS), {"expression": "true"})
    assert (made["kind"], made["metadata"]["name"], made["metadata"]["namespace"]) == (
        "ConfigMap",
        "one",
        "team-a",
    )
    assert made["data"] == {"a": "old"}


def test_an_object_of_which_nothing_is_ours_yet():
    made = sent(config_map({"a": "new", "b": "new"}), config_map({"a": "old"}), {"pointer": "/data/a"})
    assert made["data"] == {"b": "new"}


@pytest.mark.parametrize(
    ("manager", "subresource", "scaled"),
    [
        ("kube-controller-manager", "scale", True),
        ("kubectl", "scale", False),
        ("kube-controller-manager", "status", False),
    ],
)
def test_only_an_autoscaler_scales(manager, subresource, scaled):
    entry = {"manager": manager, "subresource": subresource, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    live = {"metadata": {"managedFields": [entry]}, "spec": {"replicas": 4}}
    assert is_scaled(live) == scaled


def test_what_is_scaled_is_sent_without_replicas():
    assert unscaled({"spec": {"replicas": 1, "paused": True}}) == {"spec": {"paused": True}}
