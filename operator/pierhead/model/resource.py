"""How a kind describes itself: everything its CRD is made of.

Invariant: one `CustomResource` a kind, named `RESOURCE` in the kind's `model.py`; the CRD and the parsed
spec both come from it, so they cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Generic, Literal

from pydantic import Field, StringConstraints

from pierhead.engine.outcome import Invalid
from pierhead.engine.resource import Kind
from pierhead.model.base import Model, ModelT, parse
from pierhead.model.lists import ListMap

GROUP = "pierhead.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "pierhead"
FINALIZER = f"{GROUP}/cleanup"
RECONCILE_AT = f"{GROUP}/reconcile-at"
"""Annotation whose change forces a reconcile."""

RETRY_AT = f"{GROUP}/retry-at"
"""Annotation whose change asks, once a value, for what failed to run again."""

ROLLBACK_TO = f"{GROUP}/rollback-to"
"""Annotation `<revision>@<RFC 3339 time>` that asks, once a value, for a revision to be brought back."""


class StatusCondition(Model):
    """One aspect of the object's state, as of `lastTransitionTime`."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=316, pattern=r"^[a-zA-Z0-9./-]+$")]
    """Which aspect: `Ready`, `Reconciling`, `Stalled`, or one of the kind's own."""

    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""

    reason: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[A-Za-z0-9_]+$")]
    """Why, in one CamelCase word that stays the same from release to release."""

    message: Annotated[str, StringConstraints(max_length=32768)]
    """Why, for people, and what to do about it."""

    last_transition_time: Annotated[
        str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})
    ]
    """When `status` last changed."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The `metadata.generation` this was said of."""


class Status(Model):
    """What the status of every kind begins with; the engine writes these two."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The `metadata.generation` the whole status was said of."""

    conditions: Annotated[tuple[StatusCondition, ...], ListMap("type")] | None = None
    """The object's state by aspect; `Ready` is True when the object is what its spec says."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `kubectl get`: its header, and a JSONPath from the object's root.

    `priority` 1 shows it with `-o wide` only.
    """

    name: str
    path: str
    type: Literal["string", "integer", "number", "boolean", "date"] = "string"
    description: str = ""
    priority: int = 0


READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
REASON = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason')
MESSAGE = Column("Message", '.status.conditions[?(@.type=="Ready")].message', priority=1)
AGE = Column("Age", ".metadata.creationTimestamp", type="date")


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomResource(Generic[ModelT]):
    """What one kind's CRD is made of."""

    NAME_LIMIT: ClassVar[int] = 253
    """What the API server allows."""

    kind: str
    plural: str
    spec: type[ModelT]
    status: type[Status]
    columns: tuple[Column, ...]
    """All columns in their order: `READY` first, the kind's own, `REASON`, `MESSAGE`, and `AGE` last."""

    description: str = ""
    """What `kubectl explain` says of the kind; the spec's docstring when empty."""

    singular: str = ""
    """The kind in lower case when empty."""

    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ("pierhead",)
    name_limit: int = NAME_LIMIT
    """Longest `metadata.name`; below 253 where other names or labels are made of it."""

    @property
    def reference(self) -> Kind:
        """The kind as the engine names it."""
        return Kind(GROUP, VERSION, self.kind, self.plural)

    def parse(self, obj: Mapping[str, Any]) -> ModelT:
        """The spec of a stored object.

        Raises Invalid with the path of the field at fault.
        """
        if len(obj["metadata"]["name"]) > self.name_limit:
            raise Invalid(f"is longer than {self.name_limit} characters", field="metadata.name")
        return parse(self.spec, obj.get("spec") or {})
