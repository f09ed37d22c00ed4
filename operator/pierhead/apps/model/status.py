"""What an AppRelease's authors read back.

Invariant: every list is bounded: the whole stays below 64 KiB.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from pierhead.apps.model.images import ImageStatus
from pierhead.apps.model.plan import PlanStatus
from pierhead.model import Model, Status

MOST_OBJECTS = 10
"""Objects that `drift` tells of."""

MOST_FIELDS = 8
"""Fields of each that are named."""


class SourceStatus(Model):
    """What was fetched last."""

    revision: Annotated[str, StringConstraints(max_length=512)]
    """The source's own name for it: a commit, a chart version, a resourceVersion."""

    digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of the content."""


class ReleaseStatus(Model):
    """The newest revision of the release."""

    name: Annotated[str, StringConstraints(max_length=53)]
    """Name in `helm list`."""

    revision: Annotated[int, Field(ge=0)]
    """Revision in `helm history`."""

    status: Annotated[str, StringConstraints(max_length=32)]
    """Helm's status of that revision."""

    input_digest: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Digest of everything that went into the revision."""


class RejectedStatus(Model):
    """An input that failed and is not tried again until it changes."""

    input_digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of the input."""

    revision: Annotated[int, Field(ge=0)]
    """Revision that failed."""

    message: Annotated[str, StringConstraints(max_length=2048)]
    """Why it failed."""


class AttemptStatus(Model):
    """What pierhead itself released last."""

    revision: Annotated[int, Field(ge=1)]
    """The revision it became."""

    input_digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of everything that went into it."""

    reconcile_at: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The annotation pierhead.dev/reconcile-at at that time."""


class DriftStatus(Model):
    """One object that somebody else changed."""

    object: Annotated[str, StringConstraints(max_length=640)]
    """Kind, namespace and name."""

    fields: list[Annotated[str, StringConstraints(max_length=256)]] | None = Field(
        default=None, max_length=MOST_FIELDS
    )
    """JSON pointers of what was changed, the first few; none if the object was deleted."""

    manager: Annotated[str, StringConstraints(max_length=128)] | None = None
    """The field manager who changed the first of them, where the object tells."""

    corrected_at: (
        Annotated[str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})]
        | None
    ) = None
    """When it was put back; not set while it is as others made it."""


class AppReleaseStatus(Status):
    """What became of the application."""

    source: SourceStatus | None = None
    """What was fetched last from `spec.source`."""

    overlay: SourceStatus | None = None
    """What was fetched last from `spec.kustomize.source`."""

    release: ReleaseStatus | None = None
    """The newest revision."""

    images: list[ImageStatus] | None = Field(default=None, max_length=16)
    """What was chosen for each entry of `spec.images`."""

    plan: PlanStatus | None = None
    """With `approval: Manual`, what the new revision that waits for approval would do."""

    rejected: RejectedStatus | None = None
    """The input that was rolled back, or that failed to install."""

    drift: list[DriftStatus] | None = Field(default=None, max_length=MOST_OBJECTS)
    """What others changed since the newest revision; the latest come first."""

    attempted: AttemptStatus | None = None
    """With `driftOfRelease: Keep`, what pierhead itself released last: what others did since is kept."""

    inventory: list[Annotated[str, StringConstraints(max_length=640)]] | None = Field(
        default=None, max_length=2000
    )
    """Objects of the release, `<namespace>_<name>_<group>_<kind>` each; the first 500."""

    handled_reconcile_at: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The annotation `pierhead.dev/reconcile-at` that was last done, its fetches included."""

    objects: Annotated[int, Field(ge=0)] | None = None
    """How many objects the release has."""
