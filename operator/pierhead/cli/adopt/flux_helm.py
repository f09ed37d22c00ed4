"""Flux's HelmRelease as an AppRelease.

Invariant: pure. What Flux does by default and an AppRelease does not is written out, so that the two are
equal: no correction of drift, no rollback without remediation.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.cli.adopt import flux
from pierhead.cli.adopt.flux_sources import source_of
from pierhead.cli.adopt.translation import (
    MOST_RETRIES,
    Fields,
    Translation,
    joined,
    metadata_overlay,
    path_of,
    without_nothing,
)
from pierhead.engine.resource import Object

_NO_SUCH_CHOICE = "there is no such choice here"
_APPLY_OPTIONS = (
    "cleanupOnFail",
    "disableOpenAPIValidation",
    "disableSchemaValidation",
    "disableTakeOwnership",
    "disableWait",
    "disableWaitForJobs",
    "force",
    "preserveValues",
    "replace",
    "serverSideApply",
    "skipCRDs",
    "timeout",
)


def translate(obj: Object, find: flux.Find) -> Translation:
    """The AppRelease that equals a HelmRelease. Raises CommandError for a source that is not found."""
    metadata = obj["metadata"]
    spec = obj.get("spec") or {}
    home = metadata.get("namespace", "default")
    target = spec.get("targetNamespace")
    composed = f"{target}-{metadata['name']}" if target else metadata["name"]
    made = Translation(name=spec.get("releaseName") or composed, namespace=target or home)
    fields = Fields(spec, "spec", made)
    suspended = bool(fields.take("suspend"))
    for name in ("releaseName", "targetNamespace"):
        fields.take(name)
    storage = fields.take("storageNamespace", home)
    if storage != made.namespace:
        made.warn(
            f"Flux keeps the release's history in {storage}, an AppRelease in {made.namespace}: it begins "
            f"anew, and its objects are taken over; at the end delete the Secrets "
            f"sh.helm.release.v1.{made.name}.* in {storage}"
        )
    source, helm = _chart(fields, find, home, made)
    made.spec |= {"source": source, "helm": helm, "interval": fields.take("interval")}
    _values(fields, helm, made, home)
    overlay = _overlay(fields, made)
    if overlay:
        made.spec["kustomize"] = {"inline": overlay}
    _delivery(fields, helm, made)
    made.spec["serviceAccountName"] = flux.account(fields, made)
    fields.without_equal("kubeConfig", "an AppRelease works in its own cluster alone")
    fields.without_equal("persistentClient", "a matter of Flux's own", unless=True)
    fields.end()
    made.steps = flux.steps(made, "HelmRelease", home, metadata["name"])
    # The suspension is the hand-over's; the AppRelease has to work.
    made.hold = "" if suspended else f"suspend the HelmRelease first: {made.steps[0]}"
    return made


def _chart(
    fields: Fields, find: flux.Find, home: str, made: Translation
) -> tuple[dict[str, Any], dict[str, Any]]:
    reference = fields.take("chartRef")
    if reference and reference["kind"] == "OCIRepository":
        return source_of(flux.referred(find, reference, home), made), {}
    if reference:
        described = Fields(flux.referred(find, reference, home).get("spec"), "HelmChart: spec", made)
    else:
        chart = fields.section("chart")
        chart.without_equal("metadata", "the chart is no object of its own")
        described = chart.section("spec")
        chart.end()
    name, version = str(described.take("chart", "")), str(described.take("version", "*"))
    where = described.take("sourceRef", {})
    for unneeded in ("interval", "suspend"):
        described.take(unneeded)
    described.without_equal("reconcileStrategy", "what is rendered is compared", unless="ChartVersion")
    described.without_equal("ignoreMissingValuesFiles", "a values file that is missing is an error")
    described.without_equal("verify", "write spec.source.oci.verify with the key of the signature")
    files = described.take("valuesFiles")
    described.end()
    source = source_of(flux.referred(find, where, home), made, chart=name, version=version)
    helm: dict[str, Any] = {}
    if where.get("kind") in {"GitRepository", "Bucket"}:
        path = path_of(name)
        helm["path"] = path if path != "." else None
        helm["valuesFiles"] = [path_of(file) for file in files] if files else None
        if files:
            made.warn(
                "spec.chart.spec.valuesFiles stand for values.yaml in Flux; here they are merged over it"
            )
    elif files:
        made.warn(
            f"spec.chart.spec.valuesFiles ({', '.join(files)}) of a packaged chart are not read: write values"
        )
    return source, helm


def _values(fields: Fields, helm: dict[str, Any], made: Translation, home: str) -> None:
    found = []
    for entry in fields.take("valuesFrom", []):
        kind = {"ConfigMap": "configMap", "Secret": "secret"}[entry["kind"]]
        key = entry.get("valuesKey", "values.yaml")
        one: dict[str, Any] = {kind: {"name": entry["name"], "key": None if key == "values.yaml" else key}}
        if entry.get("targetPath"):
            one["targetPath"] = entry["targetPath"]
            one["format"] = None if entry.get("literal") else "YAML"
        one["optional"] = True if entry.get("optional") else None
        found.append(without_nothing(one))
    helm["valuesFrom"] = found or None
    helm["values"] = fields.take("values")
    if found and made.namespace != home:
        made.warn(f"spec.valuesFrom names objects of {home}: copy them to {made.namespace}")


def _overlay(fields: Fields, made: Translation) -> dict[str, Any]:
    overlays = []
    renderers = fields.take("postRenderers", [])
    for renderer in renderers:
        given = Fields(renderer, "spec.postRenderers[]", made)
        inner = given.section("kustomize")
        names = ("patches", "patchesStrategicMerge", "patchesJson6902", "images")
        overlays.append({name: value for name in names if (value := inner.take(name))})
        inner.end()
        given.end()
    if len(renderers) > 1:
        made.warn("several postRenderers become one overlay: their images are set after all patches")
    if renderers:
        made.warn("an overlay does not touch a chart's hooks, as Flux's `nohooks` strategy")
        fields.take("postRenderStrategy")
    common = fields.section("commonMetadata")
    overlays.append(metadata_overlay(common.take("labels", {}), common.take("annotations", {})))
    common.end()
    return joined(overlays)


def _delivery(fields: Fields, helm: dict[str, Any], made: Translation) -> None:
    spec = made.spec
    spec["dependsOn"] = flux.dependencies(fields.take("dependsOn"), made) or None
    health = {
        "timeout": fields.take("timeout"),
        "checks": flux.checks(fields.take("healthCheckExprs"), made),
    }
    spec["health"] = without_nothing(health) or None
    history = fields.take("maxHistory")
    spec["historyLimit"] = {0: 100}.get(history, history)
    detection = fields.section("driftDetection")
    mode = detection.take("mode", "disabled")
    spec["drift"] = {"enabled": None, "warn": "Report"}.get(mode, "Ignore")
    if spec["drift"] == "Ignore":
        made.warn("drift is left alone, as Flux leaves it: without `drift: Ignore` it would be corrected")
    spec["objectRules"] = flux.ignore_rules(detection.take("ignore"), made) or None
    detection.end()
    install, upgrade = fields.section("install"), fields.section("upgrade")
    _remediation(install, upgrade, spec, made)
    _crds_and_hooks(install, upgrade, helm, made)
    install.without_equal("createNamespace", "create the namespace before the AppRelease")
    for section in (install, upgrade):
        for name in _APPLY_OPTIONS:
            section.without_equal(name, _NO_SUCH_CHOICE)
        section.end()
    test = fields.section("test")
    if test.take("enable"):
        filters = [
            {"name": item["name"], "exclude": item.get("exclude")} for item in test.take("filters", [])
        ]
        helm["test"] = {
            "enabled": True,
            "ignoreFailures": True if test.take("ignoreFailures") else None,
            "filters": without_nothing(filters) or None,
        }
        test.without_equal("timeout", "tests have spec.health.timeout")
        test.end()
    for name in ("rollback", "uninstall"):
        fields.without_equal(name, "its options have no equal: rollbacks and uninstalls have one way here")


def _remediation(install: Fields, upgrade: Fields, spec: dict[str, Any], made: Translation) -> None:
    first, later = install.section("remediation"), upgrade.section("remediation")
    tries = [int(section.take("retries", 0)) for section in (first, later)]
    strategy = upgrade.section("strategy")
    forever = strategy.take("name") == "RetryOnFailure" or -1 in tries
    interval = strategy.take("retryInterval")
    install.take("strategy")
    if forever:
        made.warn(
            f"endless retries become {MOST_RETRIES}; a change of the source, or `reconcile`, tries again"
        )
    limit = MOST_RETRIES if forever else max(tries)
    spec["retry"] = {"limit": min(limit, MOST_RETRIES), "interval": interval} if limit else None
    last = later.take("remediateLastFailure", tries[1] > 0)
    spec["rollback"] = None if last or tries[1] else {"onFailure": False}
    if later.take("strategy", "rollback") != "rollback":
        made.warn("spec.upgrade.remediation.strategy: a failed upgrade is rolled back, never uninstalled")
    spec["install"] = {"onFailure": "Uninstall"} if first.take("remediateLastFailure") else None
    for section in (first, later):
        section.without_equal("ignoreTestFailures", "write spec.helm.test.ignoreFailures")
        section.end()
    strategy.end()


def _crds_and_hooks(install: Fields, upgrade: Fields, helm: dict[str, Any], made: Translation) -> None:
    first, later = install.take("crds", "Create"), upgrade.take("crds", "Skip")
    helm["crds"] = "CreateReplace" if later == "CreateReplace" else {"Skip": "Skip"}.get(first)
    if first == "CreateReplace" and later != "CreateReplace":
        made.warn("spec.install.crds: CRDs that are there already are left as they are")
    hooks: Mapping[str, bool] = {
        "install": bool(install.take("disableHooks")),
        "upgrade": bool(upgrade.take("disableHooks")),
    }
    helm["disableHooks"] = True if all(hooks.values()) else None
    if any(hooks.values()) and not all(hooks.values()):
        made.warn("spec.helm.disableHooks is for installs and upgrades alike, and is left out")
