"""Flux's objects as AppReleases, from manifests as people write them."""

from typing import Any

import pytest
import yaml

from pierhead.apps.model import RESOURCE
from pierhead.cli.adopt import flux_helm, flux_kustomize
from pierhead.cli.adopt.flux_sources import source_of
from pierhead.cli.adopt.translation import Translation
from pierhead.cli.failures import CommandError

PODINFO = """
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: podinfo, namespace: apps}
spec:
  interval: 10m
  timeout: 8m
  releaseName: podinfo
  serviceAccountName: deployer
  chart:
    spec:
      chart: podinfo
      version: '>=6.5.0 <7'
      interval: 1h
      sourceRef: {kind: HelmRepository, name: podinfo}
  maxHistory: 5
  dependsOn:
  - {name: redis, readyExpr: "dep.status.lastAttemptedRevision == '1.2.3'"}
  - {name: elsewhere, namespace: other}
  install: {crds: Create, remediation: {retries: 3}}
  upgrade: {crds: CreateReplace, remediation: {retries: 3, remediateLastFailure: true}}
  test: {enable: true, ignoreFailures: true, filters: [{name: slow, exclude: true}]}
  driftDetection:
    mode: enabled
    ignore:
    - {paths: [/spec/replicas], target: {kind: Deployment, labelSelector: app=podinfo}}
  valuesFrom:
  - {kind: ConfigMap, name: defaults}
  - {kind: Secret, name: keys, valuesKey: password, targetPath: redis.password, literal: true, optional: true}
  values: {replicaCount: 2}
  postRenderers:
  - kustomize:
      patches:
      - {target: {kind: Deployment}, patch: '[{"op": "add", "path": "/spec/minReadySeconds", "value": 5}]'}
      images: [{name: podinfo, newTag: 6.5.1}]
  commonMetadata: {labels: {team: a}}
"""
REPOSITORY = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: podinfo, namespace: apps}
spec: {interval: 1h, url: https://stefanprodan.github.io/podinfo/, secretRef: {name: login}}
"""
APPS = """
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec:
  interval: 10m
  retryInterval: 2m
  path: ./clusters/production/apps
  prune: true
  wait: true
  force: true
  timeout: 3m
  targetNamespace: shop
  sourceRef: {kind: GitRepository, name: fleet}
  dependsOn: [{name: infrastructure}]
  postBuild: {substitute: {cluster: production}}
  healthCheckExprs:
  - {apiVersion: example.com/v1, kind: Thing, current: "status.phase == 'Done' && metadata.generation == 1"}
"""
FLEET = """
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: fleet, namespace: flux-system}
spec:
  url: ssh://git@git.example.com/fleet.git
  ref: {branch: main}
  secretRef: {name: fleet}
  recurseSubmodules: true
  ignore: "/docs"
"""


def finder(*texts: str):
    objects = [yaml.safe_load(text) for text in texts]

    def find(kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        for obj in objects:
            metadata = obj["metadata"]
            if (obj["kind"], metadata["namespace"], metadata["name"]) == (kind, namespace, name):
                return obj
        return None

    return find


def test_a_helm_release_with_everything() -> None:
    made = flux_helm.translate(yaml.safe_load(PODINFO), finder(REPOSITORY))
    assert (made.name, made.namespace) == ("podinfo", "apps")
    spec = made.app_release["spec"]
    assert spec["source"] == {
        "helmRepository": {
            "url": "https://stefanprodan.github.io/podinfo",
            "chart": "podinfo",
            "semver": ">=6.5.0 <7",
            "secret": {"name": "login"},
        }
    }
    assert spec["helm"] == {
        "values": {"replicaCount": 2},
        "valuesFrom": [
            {"configMap": {"name": "defaults"}},
            {
                "secret": {"name": "keys", "key": "password"},
                "targetPath": "redis.password",
                "optional": True,
            },
        ],
        "crds": "CreateReplace",
        "test": {"enabled": True, "ignoreFailures": True, "filters": [{"name": "slow", "exclude": True}]},
    }
    assert spec["kustomize"]["inline"]["labels"] == [{"pairs": {"team": "a"}}]
    assert spec["kustomize"]["inline"]["images"] == [{"name": "podinfo", "newTag": "6.5.1"}]
    assert len(spec["kustomize"]["inline"]["patches"]) == 1
    ready = "object.status.lastAttemptedRevision == '1.2.3'"
    assert {key: spec[key] for key in ("interval", "health", "retry", "historyLimit", "dependsOn")} == {
        "interval": "10m",
        "health": {"timeout": "8m"},
        "retry": {"limit": 3},
        "historyLimit": 5,
        "dependsOn": [
            {"apiVersion": "pierhead.dev/v1alpha1", "kind": "AppRelease", "name": "redis", "ready": ready}
        ],
    }
    assert spec["objectRules"] == [
        {
            "target": {"kind": "Deployment", "labelSelector": {"matchLabels": {"app": "podinfo"}}},
            "ignoreDifferences": [{"pointer": "/spec/replicas"}],
        }
    ]
    assert "drift" not in spec
    assert "rollback" not in spec
    assert spec["serviceAccountName"] == "deployer"
    assert any("other/elsewhere" in warning for warning in made.warnings)
    RESOURCE.parse(made.app_release)


def test_what_flux_does_not_do_by_default_is_written_out() -> None:
    obj = yaml.safe_load(PODINFO)
    obj["spec"] = {"chart": obj["spec"]["chart"]}
    spec = flux_helm.translate(obj, finder(REPOSITORY)).app_release["spec"]
    assert (spec["drift"], spec["rollback"]) == ("Ignore", {"onFailure": False})


def test_a_suspension_is_the_hand_overs() -> None:
    obj = yaml.safe_load(PODINFO)
    assert flux_helm.translate(obj, finder(REPOSITORY)).hold.startswith("suspend the HelmRelease first")
    obj["spec"]["suspend"] = True
    made = flux_helm.translate(obj, finder(REPOSITORY))
    assert made.hold == ""
    assert "suspend" not in made.app_release["spec"]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("kubeConfig", {"secretRef": {"name": "other"}}, "spec.kubeConfig: an AppRelease works in its own"),
        ("storageNamespace", "flux-system", "keeps the release's history in flux-system"),
        ("uninstall", {"keepHistory": True}, "spec.uninstall: its options have no equal"),
        ("install", {"createNamespace": True}, "spec.install.createNamespace: create the namespace"),
        ("install", {"disableHooks": True}, "spec.helm.disableHooks is for installs and upgrades alike"),
        ("upgrade", {"preserveValues": True}, "spec.upgrade.preserveValues"),
        ("install", {"remediation": {"retries": -1}}, "endless retries become 10"),
        ("somethingNew", {"a": 1}, "spec.somethingNew has no equal in an AppRelease, and is left out"),
    ],
)
def test_what_has_no_equal_is_told(field: str, value: Any, told: str) -> None:
    obj = yaml.safe_load(PODINFO)
    obj["spec"][field] = value
    warnings = flux_helm.translate(obj, finder(REPOSITORY)).warnings
    assert any(told in warning for warning in warnings), warnings


def test_a_chart_in_git_has_a_path() -> None:
    obj = yaml.safe_load(PODINFO)
    where = {"kind": "GitRepository", "name": "fleet", "namespace": "flux-system"}
    obj["spec"]["chart"]["spec"] = {"chart": "./charts/shop", "sourceRef": where, "valuesFiles": ["./v.yaml"]}
    made = flux_helm.translate(obj, finder(FLEET))
    helm = made.app_release["spec"]["helm"]
    assert (helm["path"], helm["valuesFiles"]) == ("charts/shop", ["v.yaml"])
    assert any("Secret flux-system/fleet is of another namespace" in warning for warning in made.warnings)


def test_a_chart_of_an_oci_repository_is_named_by_reference() -> None:
    repository = """
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: OCIRepository
    metadata: {name: podinfo, namespace: apps}
    spec: {url: "oci://registry.example.com/charts/podinfo", ref: {semver: 6.x, tag: old}, provider: aws}
    """
    obj = yaml.safe_load(PODINFO)
    del obj["spec"]["chart"]
    obj["spec"]["chartRef"] = {"kind": "OCIRepository", "name": "podinfo"}
    spec = flux_helm.translate(obj, finder(repository)).app_release["spec"]
    assert spec["source"] == {"oci": {"url": "oci://registry.example.com/charts/podinfo", "semver": "6.x"}}
    RESOURCE.parse({"metadata": {"name": "a"}, "spec": spec})


def test_an_oci_helm_repository_and_its_chart_are_one_address() -> None:
    repository = yaml.safe_load(REPOSITORY)
    repository["spec"] = {"type": "oci", "url": "oci://registry.example.com/charts"}
    made = source_of(repository, Translation("a", "apps"), chart="shop", version="1.2.3")
    assert made["oci"]["url"] == "oci://registry.example.com/charts/shop"
    assert made["oci"]["tag"] == "1.2.3"


def test_a_kustomization() -> None:
    made = flux_kustomize.translate(yaml.safe_load(APPS), finder(FLEET))
    assert (made.name, made.namespace) == ("apps", "shop")
    RESOURCE.parse(made.app_release)
    current = "object.status.phase == 'Done' && object.metadata.generation == 1"
    assert made.app_release["spec"] == {
        "source": {
            "git": {
                "url": "ssh://git@git.example.com/fleet.git",
                "ref": {"branch": "main"},
                "secret": {"name": "fleet"},
                "submodules": True,
            }
        },
        "kustomize": {"path": "clusters/production/apps"},
        "interval": "10m",
        "rollback": {"onFailure": False},
        "retry": {"limit": 10, "interval": "2m"},
        "health": {
            "timeout": "3m",
            "checks": [{"apiVersion": "example.com/v1", "kind": "Thing", "current": current}],
        },
        "dependsOn": [
            {"apiVersion": "pierhead.dev/v1alpha1", "kind": "AppRelease", "name": "infrastructure"}
        ],
        "objectRules": [{"force": True}],
    }
    for told in (
        "spec.postBuild: variables",
        "GitRepository fleet: spec.ignore",
        "needs a kustomization.yaml",
    ):
        assert any(told in warning for warning in made.warnings), told
    assert made.steps[0].startswith("flux suspend kustomization apps -n flux-system")


def test_a_kustomization_that_does_not_prune_does_not_prune() -> None:
    obj = yaml.safe_load(APPS)
    obj["spec"]["prune"] = False
    assert flux_kustomize.translate(obj, finder(FLEET)).app_release["spec"]["prune"] is False


def test_a_source_that_is_not_given_is_asked_for() -> None:
    with pytest.raises(
        CommandError, match="there is no GitRepository flux-system/fleet; give it with -f too"
    ):
        flux_kustomize.translate(yaml.safe_load(APPS), finder())


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        (
            {"provider": "aws", "bucketName": "releases", "prefix": "shop/", "region": "eu-west-1"},
            {"bucket": {"name": "releases", "prefix": "shop/"}},
        ),
        (
            {"provider": "azure", "bucketName": "releases", "endpoint": "https://shop.blob.core.windows.net"},
            {"bucket": {"name": "releases", "prefix": None, "azure": {"account": "shop", "secret": None}}},
        ),
    ],
)
def test_a_bucket(spec: dict[str, str], made: dict[str, Any]) -> None:
    obj = {"kind": "Bucket", "metadata": {"name": "a", "namespace": "a"}, "spec": spec}
    translation = Translation("a", "a")
    assert source_of(obj, translation) == made
    assert translation.spec.get("aws") == ({"region": "eu-west-1"} if "region" in spec else None)
