"""Failures of many objects, as one error.

Invariant: one error tells every object's failure, and means what helps them all: waiting if that may help
any of them, else a change by somebody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Throttled, Transient, Waiting
from pierhead.engine.resource import Object
from pierhead.kube.errors import UnknownKind

_MESSAGE_LIMIT = 8192


@dataclass(frozen=True, slots=True)
class Failure:
    """An object the API server would not take."""

    object: Object
    error: ReconcileError

    @property
    def message(self) -> str:
        """The API server's words."""
        return str(self.error)

    @property
    def label(self) -> str:
        """For people: `Deployment shop/web`."""
        metadata = self.object.get("metadata") or {}
        place = "/".join(part for part in (metadata.get("namespace"), metadata.get("name")) if part)
        return f"{self.object.get('kind', 'object')} {place}"


def combined(failures: Sequence[Failure]) -> ReconcileError | None:
    """One error for all: that of the first that may pass by itself, else Denied or Invalid; None for none.

    Its message tells every object's.
    """
    if not failures:
        return None
    message = "; ".join(f"{failure.label}: {failure.message}" for failure in failures)[:_MESSAGE_LIMIT]
    passing = [failure.error for failure in failures if not failure.error.terminal]
    if passing:
        return _passing(passing[0], message)
    if all(isinstance(failure.error, Denied) for failure in failures):
        return Denied(message, reason=failures[0].error.reason)
    return Invalid(message, reason=failures[0].error.reason)


def _passing(error: ReconcileError, message: str) -> ReconcileError:
    """The same meaning, with the message of all."""
    if isinstance(error, Throttled):
        return Throttled(message, after=error.after, reason=error.reason)
    if isinstance(error, UnknownKind):
        return UnknownKind(message)
    if isinstance(error, Waiting):
        return Waiting(message, after=error.after, reason=error.reason)
    return Transient(message, reason=error.reason)
