"""Argo CD's Application as an AppRelease.

Invariant: pure. What Argo CD leaves to people by default stays so: without automated sync revisions wait for
approval, without pruning nothing is deleted, without self-healing drift is only told of.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.cli.adopt.argo_sources import helm_of, repository
from pierhead.cli.adopt.translation import MOST_RETRIES, Fields, Translation, path_of
from pierhead.cli.failures import CommandError
from pierhead.engine.resource import Object

_IN_CLUSTER = frozenset({"https://kubernetes.default.svc", "in-cluster"})
_ALWAYS = frozenset(
    {
        "ApplyOutOfSyncOnly=true",
        "FailOnSharedResource=true",
        "RespectIgnoreDifferences=true",
        "ServerSideApply=true",
        "ServerSideDiff=true",
        "SkipDryRunOnMissingResource=true",
        "Validate=true",
    }
)
"""Sync options that are how an AppRelease works anyway."""


def translate(obj: Object) -> Translation:
    """The AppRelease that equals an Application. Raises CommandError for what has no equal at all."""
    metadata = obj["metadata"]
    spec = Fields(obj.get("spec"), "spec", Translation("", ""))
    destination = (obj.get("spec") or {}).get("destination") or {}
    made = Translation(name=metadata["name"], namespace=destination.get("namespace") or "default")
    spec = Fields(obj.get("spec"), "spec", made)
    spec.take("destination")
    server = destination.get("server") or destination.get("name") or "in-cluster"
    if server not in _IN_CLUSTER:
        made.warn(f"spec.destination: {server} is another cluster: make the AppRelease there")
    if not destination.get("namespace"):
        made.warn("spec.destination has no namespace: the AppRelease is written for `default`")
    _sources(spec, made)
    _sync(spec.section("syncPolicy"), made)
    made.spec["objectRules"] = [*made.spec.pop("objectRules", []), *_ignored(spec, made)] or None
    made.spec["historyLimit"] = spec.take("revisionHistoryLimit")
    project = spec.take("project", "default")
    if project != "default":
        made.warn(
            f"spec.project: what project {project} allows, and when, is not written: see spec.windows, RBAC"
        )
    spec.take("info")
    spec.end()
    made.warn(
        "Argo CD acts with its own rights, the AppRelease as the account `default` of its namespace unless "
        "serviceAccountName says otherwise; it needs the rights to all its objects"
    )
    made.steps = _steps(metadata, made)
    if made.spec["approval"] is None:
        made.hold = f"end the automated sync first: {made.steps[0]}"
    return made


def _sources(spec: Fields, made: Translation) -> None:
    single, several = spec.take("source"), spec.take("sources", [])
    given = several or ([single] if single else [])
    if not given:
        raise CommandError("the Application names no source: what a hydrator or a plug-in makes has no equal")
    references = {source["ref"]: source for source in given if source.get("ref")}
    rendering = [
        source for source in given if not source.get("ref") or source.get("path") or source.get("chart")
    ]
    if not rendering:
        raise CommandError("the Application's sources render nothing")
    for source in rendering[1:]:
        made.warn(f"a source of its own, make another AppRelease of it: {source.get('repoURL')}")
    fields = Fields(rendering[0], "spec.source", made)
    fields.take("ref")
    fields.take("name")
    path = path_of(fields.take("path"))
    made.spec["source"] = repository(fields, made)
    fields.without_equal("plugin", "plug-ins do not run: render what it makes into Git")
    helm, kustomize = fields.take("helm"), fields.take("kustomize")
    if helm is not None or "git" not in made.spec["source"]:
        section = Fields(helm, "spec.source.helm", made)
        release = section.take("releaseName")
        if release:
            made.name = release
        section.without_equal("namespace", "templates see the AppRelease's own namespace")
        made.spec["helm"] = helm_of(section, path, references, made)
        _named_source(made, references)
        made.warn(
            "Argo CD makes no Helm release: history begins with the AppRelease, its hooks are Helm's own"
        )
    else:
        made.spec["kustomize"] = {"path": path}
        _plain(fields, kustomize, path, made)
    fields.end()


def _named_source(made: Translation, references: Mapping[str, Mapping[str, Any]]) -> None:
    """The one source whose files the chart's values are in."""
    if not made.spec["helm"].get("valuesFrom") or not references:
        return
    source = next(iter(references.values()))
    fields = Fields(
        {name: source.get(name) for name in ("repoURL", "targetRevision")}, "spec.sources[]", made
    )
    made.spec["kustomize"] = {"source": repository(fields, made), "inline": {}}


def _plain(fields: Fields, kustomize: Mapping[str, Any] | None, path: str, made: Translation) -> None:
    given = Fields(kustomize, "spec.source.kustomize", made)
    for name in (*(kustomize or {}),):
        if name != "version":
            given.without_equal(name, f"write it into the kustomization.yaml of {path}")
    given.take("version")
    directory = fields.section("directory")
    directory.without_equal("jsonnet", "Jsonnet is not rendered: render it into Git")
    directory.without_equal("include", f"list the files in a kustomization.yaml of {path}")
    directory.without_equal("exclude", f"list the files in a kustomization.yaml of {path}")
    recurse = directory.take("recurse")
    directory.end()
    if kustomize is None and recurse and path == ".":
        del made.spec["kustomize"]
    elif kustomize is None:
        made.warn(
            f"the directory {path} needs a kustomization.yaml that lists its manifests; if it is a chart, "
            f"write `helm: {{path: {path}}}` instead: an Application does not say which it is"
        )


def _sync(policy: Fields, made: Translation) -> None:
    spec = made.spec
    automated = policy.take("automated")
    on = automated is not None and automated.get("enabled", True)
    given = Fields(automated, "spec.syncPolicy.automated", made)
    given.take("enabled")
    spec["approval"] = None if on else "Manual"
    spec["prune"] = None if given.take("prune") else False
    spec["drift"] = None if on and given.take("selfHeal") else "Report"
    given.take("selfHeal")
    given.take("allowEmpty")
    given.end()
    spec["rollback"] = {"onFailure": False}
    retry = policy.section("retry")
    limit = retry.take("limit")
    backoff = retry.section("backoff")
    if limit is not None:
        tries = MOST_RETRIES if limit < 0 else min(limit, MOST_RETRIES)
        spec["retry"] = {"limit": tries, "interval": backoff.take("duration")} if tries else None
        if tries != limit:
            made.warn(f"spec.syncPolicy.retry.limit {limit} becomes {tries}")
    backoff.take("duration")
    backoff.without_equal("factor", "the time between tries does not grow")
    backoff.without_equal("maxDuration", "the time between tries does not grow")
    backoff.end()
    retry.end()
    for option in policy.take("syncOptions", []):
        if option == "CreateNamespace=true":
            made.warn(f"create the namespace {made.namespace} before the AppRelease")
        elif option in {"Force=true", "Replace=true"}:
            spec["objectRules"] = [{"force": True}]
            made.warn(f"{option} becomes `force`, which recreates an object on an immutable change alone")
        elif option not in _ALWAYS:
            made.warn(f"the sync option {option} has no equal in an AppRelease, and is left out")
    policy.without_equal("managedNamespaceMetadata", "label the namespace yourself")
    policy.end()


def _ignored(spec: Fields, made: Translation) -> list[dict[str, Any]]:
    found = []
    for entry in spec.take("ignoreDifferences", []):
        target = {
            name: entry[name] for name in ("group", "kind", "name") if entry.get(name) not in {None, "*"}
        }
        if entry.get("namespace"):
            made.warn("spec.ignoreDifferences: targets by namespace are not followed: the rule is for any")
        differences = [{"pointer": pointer} for pointer in entry.get("jsonPointers") or ()]
        differences += [{"manager": name} for name in entry.get("managedFieldsManagers") or ()]
        for expression in entry.get("jqPathExpressions") or ():
            made.warn(f"spec.ignoreDifferences: write the jq path {expression} as a JSON pointer, or as CEL")
        if differences:
            found.append({"target": target or None, "ignoreDifferences": differences})
    return found


def _steps(metadata: Mapping[str, Any], made: Translation) -> list[str]:
    name, home = metadata["name"], metadata.get("namespace", "argocd")
    wait = f"-n {made.namespace} apprelease/{made.name} --for=condition=Ready --timeout=10m"
    patch = '[{"op": "remove", "path": "/metadata/finalizers"}]'
    return [
        f"argocd app set {name} --sync-policy none   # and where it comes from: Git, an ApplicationSet",
        f"apply the AppRelease, and wait: kubectl wait {wait}",
        f"kubectl patch application {name} -n {home} --type json -p '{patch}'   # those would delete objects",
        f"kubectl delete application {name} -n {home}",
        "take it out of Git or the ApplicationSet",
    ]
