"""What a reconcile can end in.

Invariant: every end has a meaning the engine acts on without knowing the kind. A normal end is an
`Outcome`; any other is a `ReconcileError` whose class says whether waiting, retrying or only a change
by the user helps. An exception of any other class is a bug in pierhead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pierhead.engine.conditions import Condition


class ReconcileError(Exception):
    """A reconcile that did not get there, with a reason for machines and a message for people.

    `reason` is CamelCase and stable; `message` says what to do, and holds no secret value;
    `field` is the path of the spec field at fault (`spec.data[2].from.property`), where there is one;
    `status` is what the kind can truthfully report all the same (None: keep what is stored).
    """

    terminal: ClassVar[bool] = False
    """Whether only a change of the object, or of something it refers to, can help."""

    default_reason: ClassVar[str] = "Failed"

    look_again: float | None = None
    """Seconds until the next look after a terminal error; a kind sets it when it polls what was at fault."""

    conditions: tuple[Condition, ...] = ()
    """Conditions of the kind's own that this makes true; its others stay as they are stored."""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        field: str | None = None,
        status: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.field = field
        self.status = status

    def __str__(self) -> str:
        return f"{self.field}: {self.message}" if self.field else self.message


class Waiting(ReconcileError):
    """Not a failure: the world has to move first. `after` is the deadline in seconds, None for an event."""

    default_reason = "Waiting"

    def __init__(
        self,
        message: str,
        *,
        after: float | None = None,
        reason: str | None = None,
        field: str | None = None,
        status: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, field=field, status=status)
        self.after = after


class Transient(ReconcileError):
    """Something outside failed in a way that passes: retried with the key's backoff."""

    default_reason = "TemporaryFailure"


class Throttled(ReconcileError):
    """The other side asked for less: retried after `after` seconds, without growing the backoff."""

    default_reason = "Throttled"

    def __init__(
        self,
        message: str,
        *,
        after: float,
        reason: str | None = None,
        field: str | None = None,
        status: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, field=field, status=status)
        self.after = after


class Conflict(ReconcileError):
    """The object changed under us: retried at once from a fresh read, and never shown as a failure."""

    default_reason = "Conflict"


class Invalid(ReconcileError):
    """What the user wrote cannot work. Terminal until it, or what it refers to, changes."""

    terminal = True
    default_reason = "Invalid"


class Denied(ReconcileError):
    """Not allowed, by pierhead's policy, RBAC or IAM. Terminal until it, or what it refers to, changes."""

    terminal = True
    default_reason = "Denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A reconcile that ended normally."""

    status: Mapping[str, Any] = field(default_factory=dict)
    """The kind's own status fields, whole; the engine adds `conditions` and `observedGeneration`."""

    conditions: tuple[Condition, ...] = ()
    """`Ready` and the kind's own. Types not named here are dropped from the status."""

    told: bool = True
    """Whether the status is to be written; otherwise it stays as it is, until the next end."""

    requeue_after: float | None = None
    """Seconds until the key is due again; None waits for an event."""

    reported: Callable[[], None] | None = field(default=None, compare=False, repr=False)
    """Called once the object's stored status says all this."""
