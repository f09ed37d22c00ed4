"""Whose word holds for an object: the spec's over its annotations, later rules over earlier ones."""

from typing import Any

import pytest

from pierhead.apps.model.objects import rules_of
from pierhead.apps.objects.treatment import PLAIN, Treatment, treatment_of, truthful
from pierhead.engine.outcome import Invalid


def workload(kind: str = "Deployment", **annotations: str) -> dict[str, Any]:
    ours = {f"pierhead.dev/{key}": value for key, value in annotations.items()}
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"theirs": "x", **ours}},
    }


def treated(obj: dict[str, Any], *rules: dict[str, Any]) -> Treatment:
    return treatment_of(obj, rules_of({"objectRules": list(rules)}))


TABLE: dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, bool]]] = {
    "nothing said": (workload(), [], {}),
    "annotations": (
        workload(force="true", prune="false", apply="IfAbsent"),
        [],
        {"force": True, "prune": False, "once": True},
    ),
    "the spec over annotations": (
        workload(force="true", prune="false", apply="IfAbsent"),
        [{"force": False, "prune": True, "apply": "Always"}],
        {},
    ),
    "later over earlier": (workload(), [{"prune": False}, {"prune": True}], {}),
    "what a later rule does not say stays": (
        workload(),
        [{"prune": False}, {"force": True}],
        {"prune": False, "force": True},
    ),
    "a stateful set by annotation alone": (workload("StatefulSet", force="true"), [], {}),
    "a stateful set by one rule alone": (workload("StatefulSet"), [{"force": True}], {}),
    "a stateful set by annotation and rule": (
        workload("StatefulSet", force="true"),
        [{"recreateData": True}],
        {"force": True},
    ),
    "a stateful set whose data only may go": (workload("StatefulSet"), [{"recreateData": True}], {}),
}


@pytest.mark.parametrize(("obj", "rules", "expected"), TABLE.values(), ids=TABLE)
def test_is_treated(obj, rules, expected):
    assert treated(obj, *rules) == Treatment(**expected)


TARGETS: dict[str, tuple[dict[str, Any], bool]] = {
    "all": ({}, True),
    "its kind": ({"kind": "Deployment"}, True),
    "another kind": ({"kind": "Service"}, False),
    "its group": ({"group": "apps"}, True),
    "the core group": ({"group": ""}, False),
    "its name and another kind": ({"name": "web", "kind": "Service"}, False),
    "its label": ({"labelSelector": {"matchLabels": {"app": "web"}}}, True),
    "another label": ({"labelSelector": {"matchLabels": {"app": "db"}}}, False),
    "one of": (
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}},
        True,
    ),
    "none of": (
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}},
        False,
    ),
    "none of, without the label": (
        {"labelSelector": {"matchExpressions": [{"key": "no", "operator": "NotIn", "values": ["web"]}]}},
        True,
    ),
    "there": ({"labelSelector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, True),
    "not there": (
        {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
        False,
    ),
}


@pytest.mark.parametrize(("target", "fits"), TARGETS.values(), ids=TARGETS)
def test_a_target_fits(target, fits):
    assert treated(workload(), {"target": target, "prune": False}).prune is not fits


def test_ignored_differences_add_up():
    obj = workload(**{"ignore-differences": "/spec/replicas, /metadata/labels/x~1y"})
    found = treated(obj, {"ignoreDifferences": [{"manager": "scaler"}]}, {"ignoreDifferences": []})
    told = [item.difference.pointer or item.difference.manager for item in found.ignored]
    assert told == ["/spec/replicas", "/metadata/labels/x~1y", "scaler"]
    assert found.needs_live


@pytest.mark.parametrize(
    "rule", [{"pointer": "/metadata/name"}, {"pointer": "/metadata"}, {"manager": "pierhead"}]
)
def test_what_tells_an_object_from_others_cannot_be_left_to_them(rule):
    with pytest.raises(Invalid, match=r"spec\.objectRules\[0\]\.ignoreDifferences\[0\]"):
        treated(workload(), {"ignoreDifferences": [rule]})


def test_an_object_without_a_word_is_not_looked_at_twice():
    assert treated(workload()) is PLAIN
    assert not treated(workload(), {"prune": False}).needs_live


def test_only_annotations_that_are_true_are_sent():
    rules = rules_of({"objectRules": [{"prune": True, "force": True}]})
    made = truthful(workload(prune="false", force="true", apply="IfAbsent"), rules)
    assert set(made["metadata"]["annotations"]) == {"theirs", "pierhead.dev/force", "pierhead.dev/apply"}
