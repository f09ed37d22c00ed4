"""How a rendered AppRelease is brought to the cluster, and when that counts as done.

Invariant: nothing here changes what is rendered.
"""

from pierhead.model import Duration, Model


class Health(Model):
    """When a release counts as healthy."""

    timeout: Duration = "5m"
    """How long the objects may take to become healthy after an apply. Defaults to 5m."""


class Rollback(Model):
    """What happens when a release fails."""

    on_failure: bool = True
    """Whether a failed upgrade is rolled back to the last deployed revision. Defaults to true."""
