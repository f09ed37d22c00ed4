"""Why a Secret could not be written, for the one who has to heal it. Pure.

Invariant: a message is the API server's reasons and field names, or our own words, and never what a Secret
would have held.
"""

from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.properties import Fault
from pierhead.kube.errors import ApiError, Forbidden

_TERMINATING = Fault("NamespaceTerminating", "the namespace is being deleted, so no Secret is made in it")


def refused(error: Invalid | Denied) -> Fault:
    """What the refusal means."""
    if isinstance(error, Forbidden) and error.namespace_terminating:
        return _TERMINATING
    return Fault("TargetRefused" if isinstance(error, ApiError) else error.reason, str(error))
