"""What is known when an AppRelease decides, and what a decision is.

Invariant: plain values, with no opinion on what follows from them: that is `decide`. Nothing here knows the
clock or the cluster.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from pierhead.apps.history.release import Status
from pierhead.apps.hooks.progress import RevisionHooks, Verdict

REMEMBERED = 256
"""Characters of the forcing annotation that a status holds."""


_MOST_DIGITS = 9


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
    UNTESTED = "Untested"
    """Deployed, and its tests have not all passed."""
    BAKING = "Baking"
    """Deployed, and still on trial."""
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
    """Apply the manifest of the pending revision: after its hooks, or what a crash left half done."""
    HOOKS = "Hooks"
    """Go on with the hooks of an event."""
    FINISH = "Finish"
    FAIL = "Fail"
    ABANDON = "Abandon"
    """Mark the pending revision failed, without rejecting its input."""
    ROLL_BACK = "RollBack"
    REMOVE = "Remove"
    """Delete the objects of an install that failed."""
    BAKED = "Baked"
    """Note that the newest revision's trial is over."""
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

    failed_at: datetime | None = None
    removed: bool = False
    """Whether the objects of this failed install were deleted."""

    baking_since: datetime | None = None
    """When its trial began; None when it has none, or it is over."""

    order: str = ""
    """The value of the annotation rollback-to that was carried out last when it was made."""

    left: tuple[str, ...] = ()
    """CRDs that were left behind."""

    instead_of: str = ""
    """The digest of the input that it was ordered to stand in for."""

    hooks: RevisionHooks | None = None
    """None where it has none."""


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

    stalled: bool = False
    """Whether only a change by somebody opens it."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often an input that failed is tried again, and after how long."""

    limit: int = 0
    interval: timedelta = timedelta(minutes=1)

    def after(self, tried: Revision) -> datetime:
        """When a failed revision is due again; up to a tenth later, so that not all are at once."""
        late = zlib.crc32(f"{tried.revision} {tried.input_digest}".encode()) % 1000 / 10_000
        return (tried.failed_at or tried.last_deployed) + self.interval * (1 + late)


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
    """When this process first saw the newest revision pending or on trial: time before is not counted."""

    health: Health
    drift: tuple[str, ...] | None
    """Objects that differ from the deployed revision; None while nobody has looked."""

    suspected: bool = False
    """Whether nobody has looked because objects that were as they should be changed since."""

    contest: Gate | None = None
    """Why what changed is not put back at once: somebody changes it again each time."""

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

    order: str = ""
    """The annotation rollback-to, `<revision>@<time>`."""

    order_refused: str = ""
    """Why the order cannot be carried out, once that was tried."""

    retry: Retry = Retry()
    uninstall_on_failure: bool = False
    """Whether an install that failed is taken away again."""

    bake: timedelta = timedelta()
    """How long a new revision is on trial after it became healthy."""

    hindered: bool = False
    """Whether what stopped the last apply of the pending revision passes by itself."""

    hook: Verdict | None = None
    """How the hook under way fares; None while nobody has looked."""

    tests: tuple[str, ...] = ()
    """Names of the test hooks that the newest revision has to pass."""

    ignore_test_failures: bool = False

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
        progress = latest.hooks.progress if latest.hooks is not None else None
        since = progress.at if progress is not None and progress.done else latest.last_deployed
        return max(latest.last_deployed, since, self.begun or since) + self.timeout

    @property
    def failure(self) -> Revision | None:
        """The newest input that was tried, if it failed for good reason and the present one is the same."""
        tried = last_tried(self.history)
        return tried if tried is not None and tried.rejected and self._is_present(tried) else None

    @property
    def failures(self) -> int:
        """How often in a row the present input failed."""
        count = 0
        for item in reversed(self.history):
            if item.rolls_back is None:
                if not (item.rejected and self._is_present(item)):
                    break
                count += 1
        return count

    @property
    def rejection(self) -> Revision | None:
        """The failure, if the input has had all its tries."""
        return self.failure if self.failures > self.retry.limit else None

    @property
    def carried_out(self) -> bool:
        """Whether the order is the one that was carried out last."""
        return self.order == next((item.order for item in reversed(self.history) if item.input_digest), "")

    @property
    def ordered(self) -> int | None:
        """The revision that an order which was not carried out yet names, if it is one to go back to."""
        target = order_of(self.order)
        if target is None or self.carried_out or self.order_refused:
            return None
        there = any(item.revision == target and not item.status.pending for item in self.history)
        return target if there else None

    @property
    def stand_in(self) -> Revision | None:
        """The newest revision, if it was ordered to stand in for the present input."""
        latest = self.latest
        if latest is None or latest.instead_of != self.desired or latest.reconcile_at != self.reconcile_at:
            return None
        return latest

    def _is_present(self, tried: Revision) -> bool:
        return tried.input_digest == self.desired and tried.reconcile_at == self.reconcile_at


@dataclass(frozen=True, slots=True)
class Decision:
    """A state, what to do, and how to put it."""

    state: State
    action: Action
    reason: str
    message: str
    target: int | None = None
    """The revision to roll back to, with `Action.ROLL_BACK`."""

    order: str = ""
    """The order that a rollback carries out."""

    stalled: bool = False
    """Whether a wait ends only when somebody changes something."""

    deadline: datetime | None = None
    """When the state is looked at again without an event."""

    event: str = ""
    """Whose hooks to go on with, with `Action.HOOKS`."""


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


def order_of(text: str) -> int | None:
    """The revision that an order `<revision>@<RFC 3339 time>` names; None when it is no order."""
    number, _, time = text.partition("@")
    if not time or not number.isascii() or not number.isdigit() or len(number) > _MOST_DIGITS:
        return None
    return int(number)
