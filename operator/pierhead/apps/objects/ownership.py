"""Rendered objects, made ready to be applied, and the manifest text that Helm's history keeps of them.

Invariant: what is applied is a function of the stored manifest and the release's name, so any revision
can be applied again from its Secret alone, with its source gone. Ownership is written at apply and is
not part of the manifest, as Helm does it. Source: Helm `pkg/action/validate.go`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.model import GROUP

MANAGED_BY = "app.kubernetes.io/managed-by"
RELEASE_NAME = "meta.helm.sh/release-name"
RELEASE_NAMESPACE = "meta.helm.sh/release-namespace"
RELEASE_LABEL = f"{GROUP}/apprelease"
"""Label of every object of a release, with the release's name: what the watches select by."""

_LIST_SUFFIX = "List"


def owned(objects: Iterable[Object], *, release: str, namespace: str) -> list[Object]:
    """Copies of the objects that carry the release's ownership marks."""
    return [_owned(obj, release, namespace) for obj in objects]


def belongs(obj: Mapping[str, Any], *, release: str, namespace: str) -> bool:
    """Whether a live object carries this release's ownership marks."""
    annotations = obj["metadata"].get("annotations") or {}
    return annotations.get(RELEASE_NAME) == release and annotations.get(RELEASE_NAMESPACE) == namespace


def check(objects: Iterable[Object]) -> None:
    """Refuses what cannot be applied as part of a release.

    Raises Invalid naming the object: a list, a generated name, or a status of its own kind.
    """
    for obj in objects:
        metadata = obj.get("metadata") or {}
        if str(obj.get("kind", "")).endswith(_LIST_SUFFIX) and "items" in obj:
            raise Invalid(
                f"{obj['kind']}: write its items as documents of their own", reason="InvalidManifest"
            )
        if "name" not in metadata:
            raise Invalid(
                f"{obj.get('kind')} has no metadata.name, and an object of a release needs one",
                reason="InvalidManifest",
            )


def scaled_by_others(objects: Iterable[Object]) -> list[tuple[Object, bool]]:
    """The objects, and whether a HorizontalPodAutoscaler among them scales each, which takes its replicas."""
    given = list(objects)
    scaled = {
        (target.get("kind"), target.get("name"), obj["metadata"].get("namespace"))
        for obj in given
        if obj.get("kind") == "HorizontalPodAutoscaler"
        for target in [(obj.get("spec") or {}).get("scaleTargetRef") or {}]
    }
    return [(_unscaled(obj), True) if _scale_key(obj) in scaled else (obj, False) for obj in given]


def _scale_key(obj: Object) -> tuple[str | None, str | None, str | None]:
    metadata = obj.get("metadata") or {}
    return obj.get("kind"), metadata.get("name"), metadata.get("namespace")


def _unscaled(obj: Object) -> Object:
    spec = {key: value for key, value in (obj.get("spec") or {}).items() if key != "replicas"}
    return {**obj, "spec": spec}


def _owned(obj: Object, release: str, namespace: str) -> Object:
    metadata = dict(obj["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), MANAGED_BY: "Helm", RELEASE_LABEL: release}
    metadata["annotations"] = {
        **(metadata.get("annotations") or {}),
        RELEASE_NAME: release,
        RELEASE_NAMESPACE: namespace,
    }
    return {**obj, "metadata": metadata}
