import base64
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.engine.outcome import Invalid
from pierhead.kube.inventory import Entry
from pierhead.kube.needs import Providers, needs_of
from pierhead.kube.objects import changed_paths, digest, flattened, prepared
from pierhead.kube.resources import CONFIG_MAPS, NAMESPACES, SECRETS


def test_what_only_the_server_writes_is_left_out_and_the_original_stays():
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "creationTimestamp": None,
            "uid": "u",
            "resourceVersion": "1",
            "managedFields": [],
            "labels": {"x": "y"},
        },
        "data": {"k": "v"},
        "status": {},
    }
    before = copy.deepcopy(obj)
    made = prepared(obj, CONFIG_MAPS, namespace="shop")
    assert made == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "labels": {"x": "y"}, "namespace": "shop"},
        "data": {"k": "v"},
    }
    assert obj == before
    assert prepared(made, CONFIG_MAPS, namespace="other") == made


def test_a_cluster_scoped_object_has_no_namespace_and_a_namespaced_one_needs_it():
    obj = {"metadata": {"name": "a", "namespace": "shop"}}
    assert prepared(obj, NAMESPACES)["metadata"] == {"name": "a"}
    with pytest.raises(Invalid, match="ConfigMap a: no namespace"):
        prepared({"metadata": {"name": "a"}}, CONFIG_MAPS)


def test_string_data_becomes_data():
    obj = {
        "metadata": {"name": "a", "namespace": "n"},
        "stringData": {"k": "é"},
        "data": {"k": "b2xk", "o": "eA=="},
    }
    made = prepared(obj, SECRETS)
    assert made["data"] == {"k": base64.b64encode("é".encode()).decode(), "o": "eA=="}
    assert "stringData" not in made
    wrong = prepared({"metadata": {"name": "a", "namespace": "n"}, "stringData": {"k": 1}}, SECRETS)
    assert wrong["data"] == {"k": 1}
    assert "data" not in prepared({"metadata": {"name": "a", "namespace": "n"}, "stringData": None}, SECRETS)


def test_lists_are_taken_apart():
    one, two, three = ({"kind": "ConfigMap", "metadata": {"name": name}} for name in "abc")
    inner = {"kind": "ConfigMapList", "items": [two]}
    assert list(flattened([one, {"kind": "List", "items": [inner, three]}])) == [one, two, three]
    assert list(flattened([{"kind": "AccessList", "spec": {}}])) == [{"kind": "AccessList", "spec": {}}]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), json))
def test_a_digest_does_not_see_the_order_of_keys(obj):
    assert digest(obj) == digest(dict(reversed(obj.items())))


@given(json, json)
def test_no_changed_path_means_no_change(one, other):
    def obj(spec):
        return {"metadata": {"name": "a"}, "spec": spec}

    assert (changed_paths(obj(one), obj(other)) == ()) == (digest(obj(one)) == digest(obj(other)))


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), (1, 1.0), ("1", 1), (None, "")])
def test_values_of_different_json_types_differ(one, other):
    live, desired = ({"metadata": {"name": "a"}, "spec": {"x": [value]}} for value in (one, other))
    assert changed_paths(live, desired) == ("/spec/x/0",)


def test_changed_paths_are_pointers_without_status_and_server_fields():
    live = {
        "metadata": {"name": "a", "resourceVersion": "1", "labels": {"a/b": "1"}},
        "spec": {"replicas": 1, "list": [1, {"x": 1}], "old": 1, "short": [1]},
        "status": {"x": 1},
    }
    desired = {
        "metadata": {"name": "a", "resourceVersion": "2", "labels": {"a/b": "2"}},
        "spec": {"replicas": 3, "list": [1, {"x": 2}], "new": 1, "short": [1, 2]},
    }
    assert changed_paths(live, desired) == (
        "/metadata/labels/a~1b",
        "/spec/list/1/x",
        "/spec/new",
        "/spec/old",
        "/spec/replicas",
        "/spec/short",
    )
    assert len(changed_paths(live, desired, limit=2)) == 2


def obj(api_version, kind, name, namespace="", **fields):
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


RBAC = "rbac.authorization.k8s.io/v1"
DEFINITION = obj(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "widgets.example.com",
    spec={
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True}, {"name": "v0", "served": False}],
    },
)


@pytest.mark.parametrize(
    ("subject", "other", "needed"),
    [
        (obj("v1", "ConfigMap", "a", "shop"), obj("v1", "Namespace", "shop"), True),
        (obj("v1", "ConfigMap", "a", "shop"), obj("v1", "Namespace", "other"), False),
        (obj("example.com/v1", "Widget", "w", "shop"), DEFINITION, True),
        (obj("other.com/v1", "Widget", "w", "shop"), DEFINITION, False),
        (
            obj(RBAC, "RoleBinding", "b", "shop", roleRef={"kind": "Role", "name": "r"}),
            obj(RBAC, "Role", "r", "shop"),
            True,
        ),
        (
            obj(RBAC, "RoleBinding", "b", "shop", roleRef={"kind": "Role", "name": "r"}),
            obj(RBAC, "Role", "r", "other"),
            False,
        ),
        (
            obj(RBAC, "RoleBinding", "b", "shop", roleRef={"kind": "ClusterRole", "name": "r"}),
            obj(RBAC, "ClusterRole", "r"),
            True,
        ),
        (
            obj("v1", "Pod", "p", "shop", spec={"serviceAccountName": "a"}),
            obj("v1", "ServiceAccount", "a", "shop"),
            True,
        ),
        (obj("v1", "Pod", "p", "shop"), obj("v1", "ServiceAccount", "default", "shop"), True),
        (
            obj("v1", "Pod", "p", "shop", spec={"priorityClassName": "high"}),
            obj("scheduling.k8s.io/v1", "PriorityClass", "high"),
            True,
        ),
        (
            obj("apps/v1", "Deployment", "d", "shop", spec={"serviceAccountName": "a"}),
            obj("v1", "ServiceAccount", "a", "shop"),
            False,
        ),
    ],
)
def test_only_what_the_api_server_checks_at_admission_is_needed(subject, other, needed):
    among = {Entry.of(subject): subject, Entry.of(other): other}
    assert needs_of(subject, among) == (frozenset({Entry.of(other)}) if needed else frozenset())


def test_a_definition_provides_the_versions_it_serves():
    providers = Providers([DEFINITION])
    found = providers.resource(obj("example.com/v1", "Widget", "w"))
    assert (found.plural, found.namespaced) == ("widgets", True)
    assert providers.resource(obj("example.com/v0", "Widget", "w")) is None
    assert providers.resource(obj("example.com/v1", "Gadget", "w")) is None
