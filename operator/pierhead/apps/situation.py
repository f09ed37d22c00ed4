"""What is known when an AppRelease decides, and what a decision is.

Invariant: plain values, with no opinion on what follows from them: that is `decide`. Nothing here knows the
clock or the cluster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pierhead.apps.release import Status

REMEMBERED = 256
"""Characters of the forcing annotation that a status holds."""


class State(StrEnum):
    """Where a release stands."""

    ABSENT = "Absent"
    PENDING = "Pending"
    """A new revision waits for a gate to open."""
    AWAITING_APPROVAL = "AwaitingApproval"
    """A new revision waits for a person."""
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
    PLAN = "Plan"
    """Find out what a new revision would do, for a person to approve it."""
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

    action: Action = Action.WAIT
    """What has to be done for it to open."""


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
        return deployed_of(self.history)

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


def deployed_of(history: Sequence[Revision]) -> Revision | None:
    """The revision the cluster falls back to."""
    for status in (Status.DEPLOYED, Status.SUPERSEDED):
        found = next((item for item in reversed(history) if item.status == status), None)
        if found is not None:
            return found
    return None


def last_tried(history: tuple[Revision, ...]) -> Revision | None:
    """The newest revision that brought something new; a rollback brings back."""
    return next((item for item in reversed(history) if item.rolls_back is None), None)
