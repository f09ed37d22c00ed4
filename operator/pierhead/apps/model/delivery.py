"""How a rendered AppRelease is brought to the cluster, and when that counts as done.

Invariant: nothing here changes what is rendered.
"""

from typing import Annotated, Literal

from pydantic import Field

from pierhead.model import Duration, Model


class Health(Model):
    """When a release counts as healthy."""

    timeout: Duration = "5m"
    """How long the objects may take to become healthy after an apply. Defaults to 5m."""

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
