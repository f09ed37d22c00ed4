"""Flux's HelmRelease and Kustomization: what both have, and the way to one of them.

Invariant: pure. Source: Flux helm-controller docs/spec/v2, kustomize-controller docs/spec/v1.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pierhead.cli.adopt.translation import Fields, Translation, labels_of
from pierhead.cli.failures import CommandError
from pierhead.engine.resource import Object
from pierhead.model import API_VERSION

Find = Callable[[str, str, str], Object | None]
"""Finds an object by kind, namespace and name."""

_REGULAR = re.compile(r"[-a-z0-9.]*")
_ROOT = re.compile(r"(?<![\w.'\"])(metadata|spec|status|data)(?=[.\[)?])")


def referred(find: Find, reference: Mapping[str, Any], namespace: str) -> Object:
    """The object of a reference with kind, name and perhaps a namespace. Raises CommandError for none."""
    kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
    where = str(reference.get("namespace") or namespace)
    found = find(kind, where, name)
    if found is None:
        raise CommandError(f"there is no {kind} {where}/{name}; give it with -f too")
    return found


def dependencies(
    entries: Sequence[Mapping[str, Any]] | None, translation: Translation
) -> list[dict[str, Any]]:
    """`dependsOn`; what was a Flux object there is an AppRelease of the same name here."""
    found = []
    for entry in entries or ():
        namespace = entry.get("namespace") or translation.namespace
        if namespace != translation.namespace:
            translation.warn(
                f"spec.dependsOn: {namespace}/{entry['name']} is of another namespace, and is left out: "
                "references do not leave an AppRelease's own"
            )
            continue
        made = {"apiVersion": API_VERSION, "kind": "AppRelease", "name": entry["name"]}
        expression = entry.get("readyExpr")
        if expression and re.search(r"\bself\b", expression):
            translation.warn(
                f"spec.dependsOn: readyExpr of {entry['name']} speaks of `self`, and is left out"
            )
        elif expression:
            made["ready"] = re.sub(r"\bdep\b", "object", expression)
        translation.warn(f"spec.dependsOn: {entry['name']} has to be an AppRelease of that name by then")
        found.append(made)
    return found


def checks(
    entries: Sequence[Mapping[str, Any]] | None, translation: Translation
) -> list[dict[str, Any]] | None:
    """`healthCheckExprs`: Flux's expressions see an object's fields, ours see `object`."""
    found = []
    for entry in entries or ():
        made = {name: entry[name] for name in ("apiVersion", "kind") if name in entry}
        for name in ("current", "inProgress", "failed"):
            if name in entry:
                made[name] = _ROOT.sub(r"object.\1", entry[name])
        found.append(made)
        translation.warn(
            f"healthCheckExprs of {entry.get('kind')} are rewritten for `object`: read them through"
        )
    return found or None


def ignore_rules(
    entries: Sequence[Mapping[str, Any]] | None, translation: Translation
) -> list[dict[str, Any]]:
    """Object rules for `ignore` entries: JSON pointers and a target."""
    found = []
    for entry in entries or ():
        target = entry.get("target") or {}
        made: dict[str, Any] = {name: target[name] for name in ("group", "kind", "name") if target.get(name)}
        if not _REGULAR.fullmatch(made.get("name", "")):
            translation.warn(f"the target's name {made.pop('name')!r} is a pattern: the rule is for any name")
        if target.get("labelSelector"):
            labels = labels_of(target["labelSelector"])
            if labels is None:
                translation.warn(
                    f"the selector {target['labelSelector']!r} is not followed: the rule is for any labels"
                )
            else:
                made["labelSelector"] = {"matchLabels": labels}
        if target.get("annotationSelector") or target.get("namespace"):
            translation.warn("targets by namespace or annotation are not followed: the rule is for any")
        pointers = [{"pointer": path} for path in entry.get("paths") or () if path]
        if pointers:
            found.append({"target": made or None, "ignoreDifferences": pointers})
        else:
            translation.warn("an ignore rule without paths is left out: say which fields")
    return found


def account(fields: Fields, translation: Translation) -> str | None:
    """`serviceAccountName`; without it Flux acts with its own rights, an AppRelease never does."""
    name: str | None = fields.take("serviceAccountName")
    if name is None:
        translation.warn(
            "no serviceAccountName: Flux acts with its controller's rights, the AppRelease as the account "
            "`default` of its namespace, which needs the rights to all its objects"
        )
    return name


def steps(translation: Translation, kind: str, namespace: str, name: str) -> list[str]:
    """How a Flux object hands over without deleting anything."""
    resource = {"HelmRelease": "helmrelease", "Kustomization": "kustomization"}[kind]
    where = f"{resource} {name} -n {namespace}"
    wait = f"-n {translation.namespace} apprelease/{translation.name} --for=condition=Ready --timeout=10m"
    return [
        f"flux suspend {where}   # and `suspend: true` in Git, where it comes from there",
        f"apply the AppRelease, and wait: kubectl wait {wait}",
        f"kubectl delete {where}   # while it is suspended, Flux deletes nothing of it",
        "take it, and the sources nobody else names, out of Git",
    ]
