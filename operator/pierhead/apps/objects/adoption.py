"""What is applied to an object of which some fields are left to others.

Invariant: pure. A field that is left alone keeps the value it has in the cluster, through upgrades and
rollbacks too; before the object exists it has the value that was rendered.
"""

from typing import Any

from pierhead.apps.objects.treatment import Ignored, Treatment
from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Object
from pierhead.expressions import Expressions
from pierhead.kube.ownership import (
    Fields,
    Owner,
    leaves,
    left_to_live,
    owners,
    owns,
    pointer_of,
    tokens_of,
    without,
)
from pierhead.model import FIELD_MANAGER

MOST_LEAVES = 500
"""Fields of one object that an expression is asked about."""

_NOTHING: Fields = {"": {}}
"""A set that holds no field; an empty one stands for everything below."""

_REPLICAS = ("spec", "replicas")
_AUTOSCALER = "kube-controller-manager"
"""Who writes the scale of a workload when an autoscaler wants it; people's `kubectl scale` is `kubectl`."""


def adopted(wanted: Object, live: Object, treatment: Treatment, expressions: Expressions) -> Object:
    """The wanted object with the ignored fields as they are in the live one.

    Raises Invalid for an expression that cannot be evaluated on this object.
    """
    entries = owners(live)
    ours: Fields = next((entry.fields for entry in entries if is_ours(entry)), _NOTHING)
    others = [entry.fields for entry in entries if not is_ours(entry)]
    made: Any = wanted
    for ignored in treatment.ignored:
        difference = ignored.difference
        if difference.manager is not None:
            for entry in entries:
                if entry.manager == difference.manager and not is_ours(entry):
                    made = without(made, entry.fields)
            continue
        for tokens in _tokens(made, live, ignored, expressions, [ours, *others]):
            made = left_to_live(made, live, tokens, ours, others)
    metadata = {**made.get("metadata", {}), "name": wanted["metadata"]["name"]}
    if "namespace" in wanted["metadata"]:
        metadata["namespace"] = wanted["metadata"]["namespace"]
    return {**made, "apiVersion": wanted["apiVersion"], "kind": wanted["kind"], "metadata": metadata}


def unscaled(wanted: Object) -> Object:
    """The object without its replicas."""
    spec = {key: value for key, value in wanted["spec"].items() if key != "replicas"}
    return {**wanted, "spec": spec}


def has_replicas(obj: Object) -> bool:
    """Whether it says how many there are of it."""
    spec = obj.get("spec")
    return isinstance(spec, dict) and "replicas" in spec


def is_scaled(live: Object) -> bool:
    """Whether an autoscaler has set the object's replicas, wherever that autoscaler came from."""
    return any(
        entry.manager == _AUTOSCALER and entry.subresource == "scale" and owns(entry.fields, live, _REPLICAS)
        for entry in owners(live)
    )


def with_replicas_held(wanted: Object, live: Object) -> Object:
    """The wanted object of an autoscaler, with the live number while nobody but pierhead has set it.

    A field that its only owner lets go of gets its default, and one replica may be far too few.
    """
    entries = owners(live)
    ours = any(is_ours(entry) and owns(entry.fields, live, _REPLICAS) for entry in entries)
    theirs = any(not is_ours(entry) and owns(entry.fields, live, _REPLICAS) for entry in entries)
    if not ours or theirs:
        return wanted
    return {**wanted, "spec": {**wanted["spec"], "replicas": live["spec"]["replicas"]}}


def is_ours(owner: Owner) -> bool:
    """Whether these are the fields that pierhead applies."""
    return owner.manager == FIELD_MANAGER and owner.operation == "Apply" and not owner.subresource


def _tokens(
    made: Object, live: Object, ignored: Ignored, expressions: Expressions, everybody: list[Any]
) -> list[tuple[str, ...]]:
    difference = ignored.difference
    if difference.pointer is not None:
        return [tokens_of(difference.pointer)]
    if difference.expression is None:
        return []
    expression = expressions.compiled(
        difference.expression, field=f"{ignored.at}.expression", variables=("object", "path")
    )
    metadata = {key: value for key, value in live["metadata"].items() if key != "managedFields"}
    shown = {**live, "metadata": metadata}
    found = list(leaves(made, live, everybody))
    if len(found) > MOST_LEAVES:
        raise Invalid(
            f"would be asked about {len(found)} fields, and at most {MOST_LEAVES} are: name a pointer",
            reason="InvalidExpression",
            field=f"{ignored.at}.expression",
        )
    return [tokens for tokens in found if expression.holds(object=shown, path=pointer_of(tokens))]
