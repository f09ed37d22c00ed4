"""What an approver is shown of a new revision.

Invariant: bounded, and no value of a Secret is in it.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pierhead.model import Model


class PlannedObject(Model):
    """One object, and what the plan does to it."""

    object: Annotated[str, StringConstraints(max_length=640)]
    """Kind, namespace and name."""

    action: Literal["Create", "Update", "Delete", "Untried"]
    """`Untried` where the API server cannot say before other objects of the plan are there."""

    changes: list[Annotated[str, StringConstraints(max_length=1024)]] | None = Field(
        default=None, max_length=32
    )
    """JSON pointers of what changes, the first 32."""

    diff: Annotated[str, StringConstraints(max_length=8192)] | None = None
    """Unified difference of the YAML, cut where it is long; values of Secrets are masked."""

    why: Annotated[str, StringConstraints(max_length=512)] | None = None
    """Why the object could not be tried."""


class PlanStatus(Model):
    """A new revision that waits for approval: what it would do to the cluster."""

    digest: Annotated[str, StringConstraints(max_length=64)]
    """What the annotation pierhead.dev/approve must say. Covers the input and the revision it builds on."""

    input_digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of everything that was rendered."""

    base_revision: Annotated[int, Field(ge=0)]
    """The deployed revision that it builds on; 0 for none."""

    made_at: Annotated[
        str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})
    ]
    """When the objects were compared with the cluster."""

    live_digest: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Digest of what differed from the deployed revision then; the plan is made anew when it changes."""

    creates: Annotated[int, Field(ge=0)]
    """Objects that would be created."""

    updates: Annotated[int, Field(ge=0)]
    """Objects that would change."""

    deletes: Annotated[int, Field(ge=0)]
    """Objects that would be deleted."""

    untried: Annotated[int, Field(ge=0)] | None = None
    """Objects that could not be tried."""

    objects: list[PlannedObject] | None = Field(default=None, max_length=200)
    """What happens to which object; unchanged ones are left out."""

    hooks: list[Annotated[str, StringConstraints(max_length=384)]] | None = Field(default=None, max_length=32)
    """Hooks that would run, in their order; the first 32."""

    omitted: Annotated[int, Field(ge=0)] | None = None
    """Objects that would have made this list too long."""
