"""How a rendered AppRelease is brought to the cluster, and when that counts as done.

Invariant: nothing here changes what is rendered.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pierhead.expressions import ExpressionText
from pierhead.model import Duration, ListSet, Model
from pierhead.model.scalars import APIVersion, KindName, ObjectName

AlarmName = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f]+$")]


class HealthCheck(Model):
    """What health means for one kind, or one object, of the release. The first that fits decides."""

    api_version: APIVersion
    """Its apiVersion; of a group, the check is for all versions."""

    kind: KindName
    """Its kind."""

    name: ObjectName | None = None
    """Its name. Defaults to every object of the kind."""

    current: ExpressionText
    """CEL over `object` that is true when it is healthy; judged after the other two."""

    in_progress: ExpressionText | None = None
    """CEL that is true while it is on its way, whatever `failed` says. Defaults to never."""

    failed: ExpressionText | None = None
    """CEL that is true when it will not become healthy by itself. Defaults to never."""


class Health(Model):
    """When a release counts as healthy."""

    timeout: Duration = "5m"
    """How long the objects may take to become healthy after an apply. Defaults to 5m."""

    checks: list[HealthCheck] | None = Field(default=None, max_length=32)
    """What health means for kinds whose status says it in words of their own. Defaults to kstatus' rules."""

    alarms: Annotated[list[AlarmName], ListSet(), Field(max_length=20)] | None = None
    """Names of CloudWatch alarms, metric or composite, of the AppRelease's region and identity: one that is
    raised after a revision was begun, until it is healthy and its `bake` over, fails it."""

    bake: Duration | None = None
    """How long a new revision stays on trial after it became healthy: what fails in that time is rolled back.
    Defaults to no time."""


class Rollback(Model):
    """What happens when a release fails."""

    on_failure: bool = True
    """Whether a failed upgrade is rolled back to the last deployed revision. Defaults to true."""


class Install(Model):
    """What happens when the first release of all fails."""

    on_failure: Literal["Keep", "Uninstall"] = "Keep"
    """Keep leaves its objects as they are, to be looked at; Uninstall deletes them. Defaults to Keep."""


class Retry(Model):
    """How often an input that failed is tried again before it counts as rejected."""

    limit: Annotated[int, Field(ge=0, le=10)] = 0
    """Tries after the first. Defaults to 0."""

    interval: Duration = "1m"
    """Time from a failure to the next try; up to a tenth is added. Defaults to 1m."""
