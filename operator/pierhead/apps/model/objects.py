"""What an AppRelease asks for single objects of it, beside what is rendered.

Invariant: a rule says how an object is brought to the cluster and kept, never what is in it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.expressions import ExpressionText
from pierhead.model import Model, Rule, exactly_one, parse

_Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_LabelKey = Annotated[str, StringConstraints(min_length=1, max_length=317)]
_LabelValue = Annotated[str, StringConstraints(max_length=63)]

JSONPointer = Annotated[str, StringConstraints(min_length=2, max_length=512, pattern=r"^(/([^/~]|~[01])+)+$")]
"""RFC 6901, such as `/spec/replicas`."""


class LabelRequirement(Model):
    """One requirement on a label."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.operator in ['Exists', 'DoesNotExist'] ? !has(self.values) : has(self.values)",
            "In and NotIn need values, Exists and DoesNotExist take none",
            lambda given: (given.operator in {"Exists", "DoesNotExist"}) == (given.values is None),
        ),
    )

    key: _LabelKey
    """The label's name."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared."""

    values: Annotated[list[_LabelValue], Field(min_length=1, max_length=32)] | None = None
    """What it is compared with."""


class LabelSelector(Model):
    """Objects by their labels; every requirement must hold."""

    match_labels: Annotated[dict[_LabelKey, _LabelValue], Field(max_length=32)] | None = None
    """Labels and their values."""

    match_expressions: Annotated[list[LabelRequirement], Field(max_length=16)] | None = None
    """Requirements on labels."""


class ObjectTarget(Model):
    """Objects of the release; all fields that are given must fit. With none it is every object."""

    group: Annotated[str, StringConstraints(max_length=253)] | None = None
    """API group; empty for the core group."""

    kind: _Name | None = None
    """Kind."""

    name: _Name | None = None
    """`metadata.name`."""

    label_selector: LabelSelector | None = None
    """Labels as they are rendered."""


class IgnoredDifference(Model):
    """Fields that others may change: exactly one of `pointer`, `manager` and `expression`."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("pointer", "manager", "expression"),)

    pointer: JSONPointer | None = None
    """JSON pointer of a field and all below it; a number counts the live object's list."""

    manager: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Every field that this field manager owns (`kubectl get --show-managed-fields`)."""

    expression: ExpressionText | None = None
    """CEL that is true for a field to ignore.

    `path` is its JSON pointer, `object` the live object: `path.startsWith('/spec/template/')`.
    """


class ObjectRule(Model):
    """How some objects are treated. Later rules win over earlier ones, and all win over annotations."""

    target: ObjectTarget | None = None
    """Which objects. Defaults to all."""

    force: bool | None = None
    """Whether an object is deleted and created again when a change is refused as immutable.

    The annotation `pierhead.dev/force: "true"` says the same. Defaults to false.
    """

    recreate_data: bool | None = None
    """Whether `force` holds for StatefulSets and PersistentVolumeClaims too. Defaults to false."""

    prune: bool | None = None
    """Whether the object is deleted when it is no longer rendered, or the AppRelease goes. Defaults to true.

    The annotation `pierhead.dev/prune: "false"` keeps it.
    """

    apply: Literal["Always", "IfAbsent"] | None = None
    """IfAbsent creates the object where it is not there, and never changes it. Defaults to Always.

    The annotation `pierhead.dev/apply` says the same.
    """

    ignore_differences: Annotated[list[IgnoredDifference], Field(max_length=32)] | None = None
    """Fields that keep the value they have in the cluster, once the object is there.

    Added to those of other rules, and to the JSON pointers of the annotation
    `pierhead.dev/ignore-differences`, which are separated by commas or spaces.
    """


class _Rules(Model):
    """The part of a spec that has them."""

    object_rules: list[ObjectRule] | None = None
    """Rules."""


def rules_of(spec: Mapping[str, Any]) -> tuple[ObjectRule, ...]:
    """The rules of a stored spec, whatever else is in it. Raises Invalid, naming the field."""
    given = spec.get("objectRules")
    return tuple(parse(_Rules, {"objectRules": given}).object_rules or ()) if given else ()
