"""What an AppRelease does next, as a pure function of what was observed.

Invariant: the rules below are exhaustive and read top to bottom, the first that holds decides; each
decision names the state, one action, and the reason a person is shown. Nothing here knows the clock or
the cluster. Source of the states: Flux helm-controller, `internal/reconcile/state.go`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pierhead.apps.release import Status

FOREIGN_LOCK = timedelta(minutes=5)
"""How long somebody else's pending revision is respected; then its process is taken for dead."""


REMEMBERED = 256
"""Characters of the forcing annotation that a status holds."""


class State(StrEnum):
    """Where a release stands."""

    ABSENT = "Absent"
    PENDING = "Pending"
    """A new revision waits for a gate to open."""
    LOCKED = "Locked"
    UNMANAGED = "Unmanaged"
    PROGRESSING = "Progressing"
    FAILED = "Failed"
    REJECTED = "Rejected"
    OUT_OF_SYNC = "OutOfSync"
    DRIFTED = "Drifted"
    IN_SYNC = "InSync"


class Action(StrEnum):
    """The one thing to do about it."""

    NOTHING = "Nothing"
    WAIT = "Wait"
    INSTALL = "Install"
    UPGRADE = "Upgrade"
    APPLY = "Apply"
    """Apply the manifest of the pending revision: what a crash left half done."""
    FINISH = "Finish"
    FAIL = "Fail"
    ABANDON = "Abandon"
    """Mark the pending revision failed, without rejecting its input."""
    ROLL_BACK = "RollBack"
    VERIFY = "Verify"
    """Compare the newest revision's manifest with the cluster: changes nobody watched, or may not matter."""
    CORRECT = "Correct"


@dataclass(frozen=True, slots=True)
class Revision:
    """What a decision needs to know of a revision."""

    revision: int
    status: Status
    last_deployed: datetime
    input_digest: str | None = None
    """None when somebody else wrote the revision."""

    rolls_back: int | None = None
    rejected: bool = False
    reconcile_at: str = ""
    description: str = ""
    """Helm's one line about it; of a failed revision, why."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What pierhead itself tried last to release."""

    revision: int
    input_digest: str
    reconcile_at: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The worst health of the release's objects, and what they say about it."""

    status: Literal["Current", "InProgress", "Failed"]
    message: str = ""


@dataclass(frozen=True, slots=True)
class Gate:
    """Something that keeps a new revision from being begun for now."""

    state: State
    reason: str
    message: str
    deadline: datetime | None = None
    """When it is looked at again without an event; None where only an event opens it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Everything a decision rests on."""

    desired: str
    """Digest of the present input."""

    history: tuple[Revision, ...]
    """Oldest first."""

    applied: bool
    """Whether this process has applied the newest revision."""

    begun: datetime | None = None
    """When this process first saw the newest revision pending: time it was down is not the release's."""

    health: Health
    drift: tuple[str, ...] | None
    """Objects that differ from the deployed revision; None while nobody has looked."""

    now: datetime
    timeout: timedelta
    roll_back_on_failure: bool = True
    drift_policy: Literal["Correct", "Report", "Ignore"] = "Correct"
    release_drift_policy: Literal["Keep", "Undo"] = "Undo"
    """What becomes of a revision that somebody else made of this release."""

    remembered: Attempt | None = None
    """The last attempt as the status has it: Helm takes the traces of ours off the revisions it rewrites."""

    reconcile_at: str = ""
    """The forcing annotation."""

    gates: tuple[Gate, ...] = ()
    """What is closed now, the most telling first. They hold back new revisions and nothing else."""

    @property
    def latest(self) -> Revision | None:
        """The newest revision, uninstalled ones not counted."""
        latest = self.history[-1] if self.history else None
        return None if latest is not None and latest.status == Status.UNINSTALLED else latest

    @property
    def deployed(self) -> Revision | None:
        """The revision the cluster falls back to.

        A crash between the two writes that end an upgrade leaves none that is marked deployed; the one before
        was superseded then.
        """
        for status in (Status.DEPLOYED, Status.SUPERSEDED):
            found = next((item for item in reversed(self.history) if item.status == status), None)
            if found is not None:
                return found
        return None

    @property
    def attempted(self) -> Attempt | None:
        """What pierhead itself tried last; None if that is not known."""
        own = next(
            (item for item in reversed(self.history) if item.input_digest and item.rolls_back is None), None
        )
        told = Attempt(own.revision, own.input_digest or "", own.reconcile_at) if own else None
        return max((told, self.remembered), key=lambda attempt: attempt.revision if attempt else 0)

    def deadline_of(self, latest: Revision) -> datetime:
        """When a pending revision has had its time."""
        return max(latest.last_deployed, self.begun or latest.last_deployed) + self.timeout

    @property
    def rejection(self) -> Revision | None:
        """The newest input that was tried, if it was rejected and the present one is the same."""
        tried = last_tried(self.history)
        if tried is None or not tried.rejected:
            return None
        same = tried.input_digest == self.desired and tried.reconcile_at == self.reconcile_at
        return tried if same else None


@dataclass(frozen=True, slots=True)
class Decision:
    """A state, what to do, and how to put it."""

    state: State
    action: Action
    reason: str
    message: str
    target: int | None = None
    """The revision to roll back to, with `Action.ROLL_BACK`."""

    deadline: datetime | None = None
    """When the state is looked at again without an event, with `Action.WAIT`."""


def last_tried(history: tuple[Revision, ...]) -> Revision | None:
    """The newest revision that brought something new; a rollback brings back."""
    return next((item for item in reversed(history) if item.rolls_back is None), None)


def decide(seen: Observation) -> Decision:
    """The first rule that holds, held back by a closed gate if it would begin a new revision."""
    for rule in _RULES:
        decision = rule(seen)
        if decision is not None:
            return _held_back(decision, seen)
    raise AssertionError("the last rule always decides")


def _held_back(decision: Decision, seen: Observation) -> Decision:
    if decision.action not in {Action.INSTALL, Action.UPGRADE} or not seen.gates:
        return decision
    latest = seen.latest
    if latest is not None and latest.status == Status.DEPLOYED and latest.input_digest is not None:
        kept = _kept_true(seen)
        if kept is not None and kept.action is not Action.NOTHING:
            return kept
    gate = seen.gates[0]
    return Decision(gate.state, Action.WAIT, gate.reason, gate.message, deadline=gate.deadline)


def _absent(seen: Observation) -> Decision | None:
    """Nothing was ever released."""
    if seen.latest is not None:
        return None
    return Decision(State.ABSENT, Action.INSTALL, "Installing", "installing revision 1")


def _foreign_lock(seen: Observation) -> Decision | None:
    """Somebody else's operation is under way, or died."""
    latest = seen.latest
    if latest is None or latest.input_digest is not None:
        return None
    if not (latest.status.pending or latest.status == Status.UNINSTALLING):
        return None
    until = latest.last_deployed + FOREIGN_LOCK
    if seen.now < until:
        when = f"{until:%H:%M:%SZ}"
        message = f"revision {latest.revision} is {latest.status.value} by others: waiting until {when}"
        return Decision(State.LOCKED, Action.WAIT, "Locked", message, deadline=until)
    message = f"revision {latest.revision} was left {latest.status.value} by somebody else: marking it failed"
    return Decision(State.LOCKED, Action.ABANDON, "Unlocking", message)


def _superseded_while_pending(seen: Observation) -> Decision | None:
    """A newer input pre-empts a wait at once; a rollback goes on while its cause is still the input."""
    latest = seen.latest
    if latest is None or not latest.status.pending or latest.input_digest == seen.desired:
        return None
    if latest.rolls_back is not None and seen.rejection is not None:
        return None
    message = f"revision {latest.revision} gives way to a newer input"
    return Decision(State.OUT_OF_SYNC, Action.ABANDON, "Superseded", message)


def _not_applied(seen: Observation) -> Decision | None:
    """Our own operation, which a crash or an error stopped before its objects were applied."""
    latest = seen.latest
    if latest is None or not latest.status.pending or seen.applied:
        return None
    operation = _operation(latest)
    if seen.now >= seen.deadline_of(latest):
        message = f"{operation} could not be applied within {_text(seen.timeout)}"
        return Decision(State.PROGRESSING, Action.FAIL, "ApplyTimeout", message)
    return Decision(State.PROGRESSING, Action.APPLY, "Applying", f"applying {operation}")


def _applied(seen: Observation) -> Decision | None:
    """Our own operation, applied: wait for health until the deadline."""
    latest = seen.latest
    if latest is None or not latest.status.pending:
        return None
    operation, health = _operation(latest), seen.health
    deadline = seen.deadline_of(latest)
    if health.status == "Current":
        return Decision(State.PROGRESSING, Action.FINISH, "Healthy", f"{operation}: every object is healthy")
    if health.status == "Failed":
        return Decision(State.PROGRESSING, Action.FAIL, "Unhealthy", health.message)
    if seen.now >= deadline:
        message = f"not healthy within {_text(seen.timeout)}: {health.message}"
        return Decision(State.PROGRESSING, Action.FAIL, "HealthTimeout", message)
    message = f"{operation}: {health.message}"
    return Decision(State.PROGRESSING, Action.WAIT, "WaitingForHealth", message, deadline=deadline)


def _operation(latest: Revision) -> str:
    if latest.rolls_back is not None:
        return f"the rollback to revision {latest.rolls_back}"
    return f"revision {latest.revision}"


def _failed(seen: Observation) -> Decision | None:
    """The newest revision failed: roll back, recover, or wait for a new input."""
    latest = seen.latest
    if latest is None or latest.status != Status.FAILED:
        return None
    rejection = seen.rejection
    if rejection is None:
        return Decision(
            State.OUT_OF_SYNC, Action.UPGRADE, "Upgrading", f"upgrading to revision {latest.revision + 1}"
        )
    deployed = seen.deployed
    if latest.rolls_back is None and deployed is not None and seen.roll_back_on_failure:
        message = f"revision {latest.revision} failed: rolling back to revision {deployed.revision}"
        return Decision(State.FAILED, Action.ROLL_BACK, "RollingBack", message, target=deployed.revision)
    if seen.drift is None:
        return _verification()
    if not seen.drift and seen.health.status == "Current":
        return Decision(
            State.FAILED, Action.FINISH, "Recovered", f"revision {latest.revision} became healthy after all"
        )
    message = (
        f"revision {latest.revision} failed, and the same input is not tried again: change spec or source"
    )
    return Decision(State.FAILED, Action.NOTHING, "ReleaseFailed", message)


def _unmanaged(seen: Observation) -> Decision | None:
    """The newest revision is somebody else's work: `helm upgrade`, `helm rollback`, or a first adoption."""
    latest = seen.latest
    if latest is None or latest.input_digest is not None:
        return None
    if _is_kept(seen, latest):
        message = (
            f"revision {latest.revision} ({latest.description}) was not made by pierhead and is kept, as "
            "spec.driftOfRelease says, until spec or source changes or pierhead.dev/reconcile-at is set anew"
        )
        return Decision(State.UNMANAGED, Action.NOTHING, "ReleaseKept", message)
    message = f"revision {latest.revision} was not made by pierhead: taking the release over"
    return Decision(State.UNMANAGED, Action.UPGRADE, "TakingOver", message)


def _is_kept(seen: Observation, latest: Revision) -> bool:
    """Whether this deployed revision of somebody else came after the present input had been tried."""
    tried = seen.attempted
    return (
        seen.release_drift_policy == "Keep"
        and latest.status == Status.DEPLOYED
        and tried is not None
        and tried.revision < latest.revision
        and tried.input_digest == seen.desired
        and tried.reconcile_at[:REMEMBERED] == seen.reconcile_at[:REMEMBERED]
    )


def _rejected(seen: Observation) -> Decision | None:
    """Rolled back, and the input is still the one that failed: keep the rolled-back release true."""
    latest, rejection = seen.latest, seen.rejection
    if latest is None or rejection is None:
        return None
    kept = _kept_true(seen)
    if kept is not None:
        return kept
    message = (
        f"revision {rejection.revision} failed and was rolled back to revision {latest.rolls_back}; "
        f"change spec or source to try again: {rejection.description}"
    )
    return Decision(State.REJECTED, Action.NOTHING, "RolledBack", message)


def _out_of_sync(seen: Observation) -> Decision | None:
    """The input is not what is deployed."""
    latest = seen.latest
    if latest is None or (latest.input_digest == seen.desired and latest.status == Status.DEPLOYED):
        return None
    return Decision(
        State.OUT_OF_SYNC, Action.UPGRADE, "Upgrading", f"upgrading to revision {latest.revision + 1}"
    )


def _in_sync(seen: Observation) -> Decision:
    """Deployed as desired; what is left is to keep it so."""
    kept = _kept_true(seen)
    if kept is not None:
        return kept
    latest = seen.latest
    number = latest.revision if latest is not None else 0
    return Decision(State.IN_SYNC, Action.NOTHING, "Deployed", f"revision {number} is deployed")


def _kept_true(seen: Observation) -> Decision | None:
    if seen.drift is None:
        return _verification()
    if not seen.drift or seen.drift_policy == "Ignore":
        return None
    message = f"changed by somebody else: {_listing(seen.drift)}"
    action = Action.CORRECT if seen.drift_policy == "Correct" else Action.NOTHING
    return Decision(State.DRIFTED, action, "Drifted", message)


def _verification() -> Decision:
    message = "comparing the release with the cluster"
    return Decision(State.IN_SYNC, Action.VERIFY, "Verifying", message)


def _listing(names: tuple[str, ...], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _text(length: timedelta) -> str:
    return f"{length.total_seconds():g}s"


_RULES: tuple[Callable[[Observation], Decision | None], ...] = (
    _absent,
    _foreign_lock,
    _superseded_while_pending,
    _not_applied,
    _applied,
    _failed,
    _unmanaged,
    _rejected,
    _out_of_sync,
    _in_sync,
)
