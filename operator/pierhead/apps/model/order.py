"""What has to be there before an AppRelease brings something new.

Invariant: a dependency is in the AppRelease's own namespace, or has none.
"""

from pierhead.expressions import ExpressionText
from pierhead.model import Model
from pierhead.model.scalars import APIVersion, KindName, ObjectName


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
