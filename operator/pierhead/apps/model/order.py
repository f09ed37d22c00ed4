"""What has to be there before an AppRelease brings something new.

Invariant: a dependency is in the AppRelease's own namespace, or has none.
"""

from typing import Annotated

from pydantic import StringConstraints

from pierhead.expressions import ExpressionText
from pierhead.model import Model

APIVersion = Annotated[
    str, StringConstraints(min_length=2, max_length=317, pattern=r"^([a-z0-9.-]+/)?v[a-z0-9]+$")
]
"""`v1`, or a group and a version: `apps/v1`."""

KindName = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z0-9]*$")]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[^/%]+$")]
"""The name of an object of any kind: some, as those of RBAC, may hold what others may not."""


class Dependency(Model):
    """An object that must be ready before a new revision is begun. What is deployed is not held."""

    api_version: APIVersion
    """Its apiVersion, such as `pierhead.dev/v1alpha1`."""

    kind: KindName
    """Its kind."""

    name: ObjectName
    """Its name, in the AppRelease's namespace where the kind has namespaces."""

    ready: ExpressionText | None = None
    """CEL over `object` that is true when it is ready: `object.status.phase == 'Bound'`. Defaults to what
    its kind's health says: that it is there and its controller has finished, which of an AppRelease and a
    SyncedSecret means Ready, and of a BatchJob Complete."""
