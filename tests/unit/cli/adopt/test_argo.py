"""Argo CD's Applications as AppReleases, from manifests as people write them."""

from typing import Any

import pytest
import yaml

from pierhead.apps.model import RESOURCE
from pierhead.cli.adopt.argo import translate
from pierhead.cli.failures import CommandError

GUESTBOOK = """
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: guestbook, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}
spec:
  project: default
  destination: {server: "https://kubernetes.default.svc", namespace: guestbook}
  source: {repoURL: "https://git.example.com/apps.git", path: guestbook/overlays/prod, targetRevision: main}
  syncPolicy:
    automated: {prune: true, selfHeal: true}
    syncOptions: [ServerSideApply=true, CreateNamespace=true, PruneLast=true]
    retry: {limit: 5, backoff: {duration: 5s, factor: 2, maxDuration: 3m}}
  revisionHistoryLimit: 7
  ignoreDifferences:
  - group: apps
    kind: Deployment
    jsonPointers: [/spec/replicas]
    managedFieldsManagers: [kube-controller-manager]
  - {kind: ConfigMap, jqPathExpressions: [.data.x]}
"""
NGINX = """
repoURL: https://charts.example.com
chart: nginx
targetRevision: 15.1.0
helm:
  releaseName: web
  valueFiles: [values-prod.yaml, $config/nginx/values.yaml]
  values: |
    replicaCount: 2
    service: {type: ClusterIP}
  valuesObject: {service: {port: 80}}
  parameters:
  - {name: image.tag, value: "1.25"}
  - {name: debug, value: "true"}
  - {name: build, value: "7", forceString: true}
"""


def application(**spec: Any) -> dict[str, Any]:
    obj = yaml.safe_load(GUESTBOOK)
    obj["spec"] |= spec
    obj["spec"] = {name: value for name, value in obj["spec"].items() if value is not None}
    return obj


def test_a_kustomize_application() -> None:
    made = translate(yaml.safe_load(GUESTBOOK))
    assert (made.name, made.namespace) == ("guestbook", "guestbook")
    spec = made.app_release["spec"]
    assert spec == {
        "source": {"git": {"url": "https://git.example.com/apps.git", "ref": {"branch": "main"}}},
        "kustomize": {"path": "guestbook/overlays/prod"},
        "rollback": {"onFailure": False},
        "retry": {"limit": 5, "interval": "5s"},
        "historyLimit": 7,
        "objectRules": [
            {
                "target": {"group": "apps", "kind": "Deployment"},
                "ignoreDifferences": [{"pointer": "/spec/replicas"}, {"manager": "kube-controller-manager"}],
            }
        ],
    }
    RESOURCE.parse(made.app_release)
    for told in (
        "targetRevision main is taken for a branch",
        "create the namespace guestbook",
        "PruneLast=true",
        "the jq path .data.x",
        "backoff.factor",
    ):
        assert any(told in warning for warning in made.warnings), told
    assert not any("ServerSideApply" in warning for warning in made.warnings)
    assert made.hold.startswith("end the automated sync first")


def test_what_argo_leaves_to_people_stays_with_them() -> None:
    made = translate(application(syncPolicy=None))
    spec = made.app_release["spec"]
    assert (spec["approval"], spec["prune"], spec["drift"]) == ("Manual", False, "Report")
    assert made.hold == ""


def test_a_helm_application_and_the_order_of_its_values() -> None:
    source = yaml.safe_load(NGINX)
    source["helm"]["valueFiles"] = []
    made = translate(application(source=source))
    assert made.name == "web"
    spec = made.app_release["spec"]
    assert spec["source"] == {
        "helmRepository": {"url": "https://charts.example.com", "chart": "nginx", "version": "15.1.0"}
    }
    assert spec["helm"]["values"] == {
        "replicaCount": 2,
        "service": {"type": "ClusterIP", "port": 80},
        "image": {"tag": "1.25"},
        "debug": True,
        "build": "7",
    }


def test_values_of_another_repository_are_a_file_of_the_overlay() -> None:
    config = {"repoURL": "git@git.example.com:config.git", "targetRevision": "HEAD", "ref": "config"}
    source = yaml.safe_load(NGINX)
    source["helm"]["valueFiles"] = ["$config/nginx/values.yaml"]
    made = translate(application(source=None, sources=[source, config]))
    spec = made.app_release["spec"]
    assert spec["helm"]["valuesFrom"] == [{"file": {"path": "nginx/values.yaml", "from": "Overlay"}}]
    assert spec["kustomize"] == {
        "source": {"git": {"url": "ssh://git@git.example.com/config.git"}},
        "inline": {},
    }
    RESOURCE.parse(made.app_release)


def test_value_files_of_a_chart_in_git_are_relative_to_the_repository() -> None:
    source = {
        "repoURL": "https://git.example.com/apps.git",
        "path": "charts/shop",
        "targetRevision": "v1.2.3",
        "helm": {"valueFiles": ["values-prod.yaml", "../common.yaml", "/env/prod.yaml"]},
    }
    spec = translate(application(source=source)).app_release["spec"]
    assert spec["source"]["git"]["ref"] == {"tag": "v1.2.3"}
    assert spec["helm"]["path"] == "charts/shop"
    assert spec["helm"]["valuesFiles"] == [
        "charts/shop/values-prod.yaml",
        "charts/common.yaml",
        "env/prod.yaml",
    ]


@pytest.mark.parametrize(
    ("revision", "reference"),
    [
        ("HEAD", None),
        ("", None),
        ("a" * 40, {"commit": "a" * 40}),
        ("refs/tags/one", {"tag": "one"}),
        ("refs/heads/one", {"branch": "one"}),
        ("1.*", {"semver": "1.*"}),
        ("release-1.2", {"branch": "release-1.2"}),
    ],
)
def test_revisions(revision: str, reference: dict[str, str] | None) -> None:
    source = {"repoURL": "https://git.example.com/a.git", "path": "a", "targetRevision": revision}
    spec = translate(application(source=source)).app_release["spec"]
    assert spec["source"]["git"].get("ref") == reference


@pytest.mark.parametrize(
    ("source", "oci"),
    [
        (
            {"repoURL": "registry.example.com/charts", "chart": "shop", "targetRevision": "1.0.0"},
            {"url": "oci://registry.example.com/charts/shop", "tag": "1.0.0"},
        ),
        (
            {"repoURL": "oci://registry.example.com/charts/shop", "path": ".", "targetRevision": "1.x"},
            {"url": "oci://registry.example.com/charts/shop", "semver": "1.x"},
        ),
    ],
)
def test_charts_in_registries(source: dict[str, str], oci: dict[str, str]) -> None:
    spec = translate(application(source=source)).app_release["spec"]
    assert spec["source"] == {"oci": oci}
    assert "helm" in spec


def test_a_directory_of_all_manifests_is_rendered_as_it_is() -> None:
    source = {"repoURL": "https://git.example.com/a.git", "path": ".", "directory": {"recurse": True}}
    assert "kustomize" not in translate(application(source=source)).app_release["spec"]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"destination": {"server": "https://other", "namespace": "a"}}, "https://other is another cluster"),
        ({"project": "team-a"}, "what project team-a allows"),
        ({"somethingNew": 1}, "spec.somethingNew has no equal"),
        ({"source": {"repoURL": "https://x", "path": "a", "plugin": {"name": "x"}}}, "plug-ins do not run"),
        (
            {"source": {"repoURL": "https://x", "path": "a", "kustomize": {"images": ["a:1"]}}},
            "kustomize.images: write it into the kustomization.yaml of a",
        ),
        (
            {"sources": [{"repoURL": "https://x", "path": "a"}, {"repoURL": "https://y", "path": "b"}]},
            "make another AppRelease of it: https://y",
        ),
    ],
)
def test_what_has_no_equal_is_told(spec: dict[str, Any], told: str) -> None:
    warnings = translate(application(**spec)).warnings
    assert any(told in warning for warning in warnings), warnings


def test_what_has_no_equal_at_all_is_refused() -> None:
    with pytest.raises(CommandError, match="names no source"):
        translate(application(source=None, sourceHydrator={"drySource": {}}))
    source = yaml.safe_load(NGINX)
    with pytest.raises(CommandError, match="no source is called config"):
        translate(application(source=source))
