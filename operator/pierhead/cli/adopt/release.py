"""A release that Helm's own command made, as an AppRelease.

Invariant: pure. Helm does not store where a chart came from: that is given. A pod restarts when its template
changes in the cluster, and the cluster says what changes; only what a takeover removes it does not know yet.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pierhead.apps.history.release import Release, Status
from pierhead.cli.adopt.translation import Translation
from pierhead.cli.failures import CommandError
from pierhead.cli.output import as_yaml
from pierhead.engine.resource import Object
from pierhead.kube.plan import Action, Plan

_TEMPLATES = frozenset({"DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"})
_RUNNING = _TEMPLATES | {"Job", "Pod"}
_UPGRADE = frozenset({"pre-upgrade", "post-upgrade"})


def newest(found: Sequence[Release], name: str) -> Release:
    """The revision that is adopted. Raises CommandError where there is none that is at rest."""
    if not found:
        raise CommandError(f"there is no Helm release {name}")
    last = found[-1]
    if last.status.pending or last.status == Status.UNINSTALLING:
        raise CommandError(
            f"revision {last.revision} of {name} is {last.status.value}: wait until helm is done"
        )
    if last.status != Status.DEPLOYED:
        raise CommandError(
            f"revision {last.revision} of {name} is {last.status.value}: make it deployed first"
        )
    if last.bookkeeping is not None:
        raise CommandError(f"release {name} belongs to an AppRelease already")
    return last


def translate(
    release: Release,
    source: Mapping[str, Any],
    *,
    path: str | None,
    account: str | None,
    values_secret: str | None,
) -> Translation:
    """The AppRelease that equals a release whose chart is at `source`."""
    made = Translation(name=release.name, namespace=release.namespace)
    helm: dict[str, Any] = {"path": path, "values": dict(release.values) or None}
    if values_secret is not None:
        helm["valuesFrom"] = [{"secret": {"name": values_secret}}]
        made.extras.append(_secret(values_secret, release))
        helm["values"] = None
    made.spec |= {"source": dict(source), "helm": helm, "serviceAccountName": account}
    if account is None:
        made.warn(
            "helm acted as whoever ran it, the AppRelease acts as the account `default` of its namespace, "
            "which needs the rights to all its objects: see --service-account"
        )
    hooks = sorted({str(hook["name"]) for hook in release.hooks if _UPGRADE & set(hook.get("events") or ())})
    if hooks:
        made.warn(f"the takeover is an upgrade, and runs these hooks: {', '.join(hooks)}")
    made.steps = ["stop whatever runs `helm upgrade` on the release: what it does would be undone"]
    return made


def restarts(made: Plan, before: Iterable[Object], deleted: Iterable[str]) -> list[str]:
    """Objects of a takeover's plan whose pods would be restarted or ended, with why.

    `before` are the objects of Helm's revision, and `deleted` the labels of those that would go.
    """
    old = {_key(obj): obj for obj in before}
    found = []
    for step in made.steps:
        if step.entry.kind not in _TEMPLATES or step.action in {Action.NOTHING, Action.CREATE}:
            continue
        if step.action is Action.REPLACE:
            found.append(f"{step.entry.label}: would be replaced")
        elif (
            step.live is not None
            and step.answer is not None
            and _template(step.live) != _template(step.answer)
        ):
            found.append(f"{step.entry.label}: its pod template changes")
    for step in made.steps:
        earlier = old.get((step.entry.kind, step.entry.name))
        if step.entry.kind in _TEMPLATES and earlier is not None:
            gone = removed(_template(earlier), _template(step.object))
            if gone:
                found.append(f"{step.entry.label}: {', '.join(gone)} would go from its pod template")
    found += [f"{label}: would be deleted" for label in deleted if label.split()[0] in _RUNNING]
    return found


def removed(old: Any, new: Any, path: str = "") -> list[str]:
    """JSON pointers of what the first has and the second has not; entries of lists count by their names."""
    found = []
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key, value in old.items():
            if value is None:
                continue
            here = f"{path}/{key}"
            found += removed(value, new[key], here) if new.get(key) is not None else [here]
    elif (
        isinstance(old, list)
        and isinstance(new, list)
        and all(isinstance(item, Mapping) for item in (*old, *new))
    ):
        named = {item.get("name"): item for item in new}
        for index, item in enumerate(old):
            here = f"{path}/{item.get('name', index)}"
            other = named.get(item["name"]) if "name" in item else (new[index] if index < len(new) else None)
            found += removed(item, other, here) if other is not None else [here]
    return found


def _template(obj: Mapping[str, Any]) -> Any:
    return (obj.get("spec") or {}).get("template")


def _key(obj: Mapping[str, Any]) -> tuple[str, str]:
    return str(obj.get("kind", "")), str((obj.get("metadata") or {}).get("name", ""))


def _secret(name: str, release: Release) -> Object:
    text = as_yaml(dict(release.values))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": release.namespace},
        "data": {"values.yaml": base64.b64encode(text.encode()).decode()},
    }
