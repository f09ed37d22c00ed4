"""What the operator of SyncedSecrets alone may do, to the letter: whoever adds a right changes this table."""

from typing import Any

import pytest

from chart_files import Objects, Render

Right = tuple[str, str, str, str]
"""API group, resource, verbs, and the names it is bound to."""

ALONE: set[Right] = {
    ("events.k8s.io", "events", "create", ""),
    ("pierhead.dev", "syncedsecrets", "get list watch patch", ""),
    ("pierhead.dev", "syncedsecrets/status", "patch", ""),
    ("", "secrets", "get list watch create patch delete", ""),
    ("apps", "daemonsets", "get list watch patch", ""),
    ("apps", "deployments", "get list watch patch", ""),
    ("apps", "statefulsets", "get list watch patch", ""),
    ("batch", "cronjobs", "get list patch", ""),
    ("", "pods", "list", ""),
}
OF_THE_CLUSTER: set[Right] = {
    ("apiextensions.k8s.io", "customresourcedefinitions", "list watch", ""),
}


def rights(objects: Objects, kind: str, name: str = "pierhead") -> set[Right]:
    return {
        (group, resource, " ".join(rule["verbs"]), " ".join(rule.get("resourceNames", ())))
        for obj in objects
        if (obj["kind"], obj["metadata"]["name"]) == (kind, name)
        for rule in obj["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def tokens(names: str = "") -> set[Right]:
    return {("", "serviceaccounts/token", "create", names), ("", "serviceaccounts", "get", names)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ALONE),
        ({"serviceAccountTokens": {"create": True}}, ALONE | tokens()),
        ({"serviceAccountTokens": {"create": True, "names": ["a", "b"]}}, ALONE | tokens("a b")),
        ({"serviceAccountTokens": {"create": False, "names": ["a"]}}, ALONE),
    ],
    ids=["as it comes", "tokens", "tokens by name", "no tokens"],
)
def test_secrets_need_this_and_no_more(given: dict[str, Any], expected: set[Right], render: Render) -> None:
    values = {"settings": {"kinds": ["SyncedSecret"]}, "rbac": given}

    assert rights(render(values), "ClusterRole") == expected | OF_THE_CLUSTER
    namespaced = render({**values, "watchNamespaces": ["shop"]})
    assert rights(namespaced, "Role") == expected
    assert rights(namespaced, "ClusterRole") == OF_THE_CLUSTER


@pytest.mark.parametrize(
    ("create", "kinds", "given"),
    [
        (None, ["AppRelease"], True),
        (None, ["SyncedSecret"], False),
        (None, ["BatchJob"], False),
        (True, ["BatchJob"], True),
        (False, ["AppRelease", "SyncedSecret"], False),
    ],
)
def test_tokens_are_given_where_they_are_used(
    create: bool | None, kinds: list[str], given: bool, render: Render
) -> None:
    values = {"settings": {"kinds": kinds}, "rbac": {"serviceAccountTokens": {"create": create}}}
    found = {resource for _, resource, *_ in rights(render(values), "ClusterRole")}

    assert ("serviceaccounts/token" in found) == given


def test_an_associated_accounts_pods_are_listed_only_where_the_cluster_has_a_name(render: Render) -> None:
    def listed(cluster: str) -> bool:
        settings = {"kinds": ["AppRelease"], "clusterName": cluster}
        return ("", "pods", "list", "") in rights(render({"settings": settings}), "ClusterRole")

    assert listed("harbour")
    assert not listed("")
