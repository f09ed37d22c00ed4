"""Which changes of an object are worth a reconcile.

Invariant: what a reconcile itself writes (status, finalizers) never asks for another; what a person writes
(spec, deletion, labels, annotations) always does, and so does taking away what a reconcile wrote.
"""

from collections.abc import Mapping
from typing import Any

from pierhead.engine.queue import Priority
from pierhead.engine.resource import Object


def priority_of(before: Object | None, now: Object, *, reconcile_at: str) -> Priority | None:
    """How urgent the way from `before` to `now` is; None when it is no reason to reconcile.

    `before` is None for an object not seen until now, `reconcile_at` the annotation that forces a reconcile.
    An unseen object whose status already tells of this generation is a restart's, so newer wishes go first.
    """
    metadata = now["metadata"]
    if before is None or before["metadata"]["uid"] != metadata["uid"]:
        settled = (now.get("status") or {}).get("observedGeneration") == metadata.get("generation")
        return Priority.RESYNC if settled and "deletionTimestamp" not in metadata else Priority.SPEC
    past = before["metadata"]
    if (
        past.get("generation") != metadata.get("generation")
        or past.get("deletionTimestamp") != metadata.get("deletionTimestamp")
        or _annotation(past, reconcile_at) != _annotation(metadata, reconcile_at)
    ):
        return Priority.SPEC
    for name in ("annotations", "labels", "ownerReferences"):
        if (past.get(name) or None) != (metadata.get(name) or None):
            return Priority.EVENT
    return Priority.EVENT if _taken_away(before, now) else None


def _taken_away(before: Object, now: Object) -> bool:
    """Whether somebody erased the status, or a finalizer of an object that is to stay."""
    told = "observedGeneration" in (before.get("status") or {})
    if told and "observedGeneration" not in (now.get("status") or {}):
        return True
    finalizers = set(before["metadata"].get("finalizers") or ())
    kept = finalizers <= set(now["metadata"].get("finalizers") or ())
    return not kept and "deletionTimestamp" not in now["metadata"]


def _annotation(metadata: Mapping[str, Any], name: str) -> str | None:
    found: str | None = (metadata.get("annotations") or {}).get(name)
    return found
