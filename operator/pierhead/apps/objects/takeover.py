"""Objects that are there before a release applies them: whose they are, and what Helm wrote into them.

Invariant: nothing that carries another release's marks is taken while that release exists. What Helm's own
command wrote into an object of this very release becomes pierhead's, so a field that is no longer rendered
goes, as it would have gone with Helm; what anybody else wrote stays theirs.
Source: Helm `pkg/action/validate.go`; client-go `util/csaupgrade` for moving the ownership of fields.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pierhead.apps.objects.ownership import RELEASE_NAME, RELEASE_NAMESPACE, belongs
from pierhead.apps.subject import Subject
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.kube.bounded import gathered
from pierhead.kube.errors import NotFound
from pierhead.kube.inventory import Entry
from pierhead.kube.plan import Action, Step
from pierhead.model import FIELD_MANAGER

HELM_MANAGER = "helm"
"""The field manager of Helm's command, 3 and 4, whatever the operation."""

_CONCURRENCY = 8


async def refuse_what_belongs_to_others(
    subject: Subject, steps: Sequence[Step], *, ours: frozenset[Entry], exists: Callable[[str, str], bool]
) -> None:
    """Reads the marks of objects that an apply would change and that are not known to be ours.

    `exists` tells whether a namespace has a release of a name. Raises Invalid naming every such object.
    """
    strangers = [step for step in steps if step.action is Action.UPDATE and step.entry not in ours]

    async def owner(step: Step) -> str | None:
        live = await _metadata(subject, step)
        annotations = (live or {}).get("annotations") or {}
        name, namespace = annotations.get(RELEASE_NAME), annotations.get(RELEASE_NAMESPACE)
        if not name or not namespace or (name, namespace) == (subject.release, subject.key.namespace):
            return None
        return (
            f"{step.entry.label} belongs to release {namespace}/{name}" if exists(namespace, name) else None
        )

    found = [text for text in await gathered(map(owner, strangers), _CONCURRENCY) if text is not None]
    if found:
        raise Invalid("; ".join(found), reason="OwnedByAnother")


async def take_over_from_helm(subject: Subject, steps: Sequence[Step]) -> bool:
    """Moves the fields that Helm owns in these objects to pierhead; whether any moved.

    Raises Conflict when an object changes meanwhile.
    """
    present = [step for step in steps if step.action is not Action.CREATE and step.resource is not None]

    async def move(step: Step) -> bool:
        live = await _metadata(subject, step)
        if live is None or not belongs(
            {"metadata": live}, release=subject.release, namespace=subject.key.namespace
        ):
            return False
        fields = live.get("managedFields") or []
        moved = merged_fields(fields)
        if moved == fields or step.resource is None:
            return False
        operations = [
            {"op": "replace", "path": "/metadata/managedFields", "value": moved},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["resourceVersion"]},
        ]
        place = (step.entry.name, step.entry.namespace or None)
        await subject.client.json_patch(step.resource, *place, operations)
        return True

    return any(await gathered(map(move, present), _CONCURRENCY))


def merged_fields(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """`metadata.managedFields` with Helm's entries in pierhead's; those of a subresource stay."""
    helms = [entry for entry in entries if _whole(entry) and entry.get("manager") == HELM_MANAGER]
    ours = [entry for entry in entries if _whole(entry) and _is_ours(entry)]
    if not helms:
        return list(entries)
    base = (ours or helms)[0]
    # Field paths of another version of the kind mean nothing in this one's.
    joined = [entry for entry in (*ours, *helms) if entry.get("apiVersion") == base.get("apiVersion")]
    fields: Mapping[str, Any] = {}
    for entry in joined:
        fields = _union(fields, entry.get("fieldsV1") or {})
    made = {**base, "manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields}
    return [made, *(entry for entry in entries if entry not in joined)]


def _whole(entry: Mapping[str, Any]) -> bool:
    return not entry.get("subresource") and entry.get("fieldsType") == "FieldsV1"


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"


def _union(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    both = {key: _union(one[key], other[key]) for key in one.keys() & other.keys()}
    return {**one, **other, **both}


async def _metadata(subject: Subject, step: Step) -> Mapping[str, Any] | None:
    if step.resource is None:
        return None
    try:
        live: Object = await subject.client.get(
            step.resource, step.entry.name, step.entry.namespace or None, metadata_only=True
        )
    except NotFound:
        return None
    found: Mapping[str, Any] = live["metadata"]
    return found
