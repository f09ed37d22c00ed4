"""What an AppRelease does next, as a pure function of what was observed.

Invariant: the rules below are exhaustive and read top to bottom, the first that holds decides; each
decision names the state, one action, and the reason a person is shown. Nothing here knows the clock or
the cluster. Source of the states: Flux helm-controller, `internal/reconcile/state.go`.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from pierhead.apps.history.release import Status
from pierhead.apps.hooks.progress import TEST, Turn, next_step
from pierhead.apps.situation import (
    REMEMBERED,
    Action,
    Decision,
    Observation,
    Revision,
    State,
)

WAITING_FOR_HEALTH = "WaitingForHealth"
_SUPERSEDED = "Superseded"

FOREIGN_LOCK = timedelta(minutes=5)
"""How long somebody else's pending revision is respected; then its process is taken for dead."""


def decide(seen: Observation) -> Decision:
    """The first rule that holds, held back by a closed gate if it would begin a new revision."""
    for rule in _RULES:
        decision = rule(seen)
        if decision is not None:
            return _held_back(decision, seen)
    raise AssertionError("the last rule always decides")


def begins(decision: Decision) -> bool:
    """Whether gates matter: a new revision is begun, or what is under way gives way to one."""
    return decision.action in {Action.INSTALL, Action.UPGRADE} or decision.reason == _SUPERSEDED


def _held_back(decision: Decision, seen: Observation) -> Decision:
    if decision.action not in {Action.INSTALL, Action.UPGRADE} or not seen.gates:
        return decision
    latest, instead = seen.latest, None
    if latest is not None and latest.input_digest is not None:
        instead = _rolled_back(seen, latest)
        if latest.status == Status.DEPLOYED:
            instead = _baking(seen) or _kept_true(seen)
        if instead is not None and instead.action not in {Action.NOTHING, Action.WAIT}:
            return instead
    gate = seen.gates[0]
    times = [time for time in (gate.deadline, instead.deadline if instead else None) if time is not None]
    return Decision(
        gate.state,
        gate.action,
        gate.reason,
        gate.message,
        deadline=min(times) if times else None,
        stalled=gate.stalled,
    )


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
    """A newer input pre-empts a wait at once; a rollback goes on while its cause is still the input.

    Behind a gate what was begun is brought to its end: nothing could take its place.
    """
    latest = seen.latest
    if latest is None or not latest.status.pending or latest.input_digest == seen.desired or seen.gates:
        return None
    if latest.rolls_back is not None and (seen.rejection is not None or seen.stand_in is not None):
        return None
    message = f"revision {latest.revision} gives way to a newer input"
    return Decision(State.OUT_OF_SYNC, Action.ABANDON, _SUPERSEDED, message)


def _ordered(seen: Observation) -> Decision | None:
    """Somebody asked for an earlier revision; that comes before all that is under way."""
    latest, target = seen.latest, seen.ordered
    if latest is None or target is None:
        return None
    if latest.status.pending:
        message = f"revision {latest.revision} gives way to a rollback to revision {target}"
        return Decision(State.OUT_OF_SYNC, Action.ABANDON, "RollbackOrdered", message)
    message = f"rolling back to revision {target}, as pierhead.dev/rollback-to asks"
    return Decision(
        State.OUT_OF_SYNC, Action.ROLL_BACK, "RollingBack", message, target=target, order=seen.order
    )


def _hooks_before(seen: Observation) -> Decision | None:
    """Our own operation, whose objects come after its hooks."""
    latest = seen.latest
    if latest is None or not latest.status.pending or seen.applied:
        return None
    after = latest.hooks.within(_event(latest, "post")) if latest.hooks is not None else None
    if after is not None:
        # The operator died while later hooks ran: what is applied again has been before.
        return None
    return _hooks(seen, latest, _event(latest, "pre"))


def _not_applied(seen: Observation) -> Decision | None:
    """Our own operation, which a crash or an error stopped before its objects were applied."""
    latest = seen.latest
    if latest is None or not latest.status.pending or seen.applied:
        return None
    operation = _operation(latest)
    if seen.now >= seen.deadline_of(latest) and not seen.hindered:
        message = f"{operation} could not be applied within {_text(seen.timeout)}"
        return Decision(State.PROGRESSING, Action.FAIL, "ApplyTimeout", message)
    return Decision(State.PROGRESSING, Action.APPLY, "Applying", f"applying {operation}")


def _applied(seen: Observation) -> Decision | None:
    """Our own operation, applied: wait for health until the deadline."""
    latest = seen.latest
    if latest is None or not latest.status.pending:
        return None
    operation, health = _operation(latest), seen.health
    event = _event(latest, "post")
    begun = latest.hooks.within(event) if latest.hooks is not None else None
    if health.status == "Current" or begun is not None:
        running = _hooks(seen, latest, event)
        if running is not None:
            return running
    deadline = seen.deadline_of(latest)
    if health.status == "Current":
        return Decision(State.PROGRESSING, Action.FINISH, "Healthy", f"{operation}: every object is healthy")
    if health.status == "Failed":
        return Decision(State.PROGRESSING, Action.FAIL, "Unhealthy", health.message)
    if seen.now >= deadline:
        message = f"not healthy within {_text(seen.timeout)}: {health.message}"
        return Decision(State.PROGRESSING, Action.FAIL, "HealthTimeout", message)
    message = f"{operation}: {health.message}"
    return Decision(State.PROGRESSING, Action.WAIT, WAITING_FOR_HEALTH, message, deadline=deadline)


def _event(latest: Revision, when: Literal["pre", "post"]) -> str:
    return f"{when}-{latest.status.value.removeprefix('pending-')}"


def _hooks(seen: Observation, latest: Revision, event: str) -> Decision | None:
    """What is to be done about the hooks of an event; None when all have succeeded, or there are none."""
    step = next_step(latest.hooks, event, seen.hook, seen.now, timeout=seen.timeout, since=seen.begun)
    if step is None:
        return None
    state = State.UNTESTED if event == TEST else State.PROGRESSING
    if step.turn is Turn.FAIL:
        return Decision(state, Action.FAIL, "HookFailed", step.text)
    action = Action.WAIT if step.turn is Turn.WAIT else Action.HOOKS
    message = f"{_operation(latest)}: {step.text}"
    return Decision(state, action, "RunningHook", message, deadline=step.until, event=event)


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
    if rejection is None and seen.stand_in is None:
        return _tried_again(seen) or _upgrade(latest)
    rolled_back = _rolled_back(seen, latest)
    if rolled_back is not None:
        return rolled_back
    if seen.uninstall_on_failure and seen.deployed is None:
        return _taken_away(latest)
    return _left_failed(seen, latest)


def _left_failed(seen: Observation, latest: Revision) -> Decision:
    if seen.drift is None:
        return _verification()
    unfinished = latest.hooks is not None and latest.hooks.unfinished
    if not seen.drift and seen.health.status == "Current" and not unfinished:
        return Decision(
            State.FAILED, Action.FINISH, "Recovered", f"revision {latest.revision} became healthy after all"
        )
    message = (
        f"revision {latest.revision} failed, and the same input is not tried again: change spec or source: "
        f"{latest.description}"
    )
    return Decision(State.FAILED, Action.NOTHING, "ReleaseFailed", message)


def _rolled_back(seen: Observation, latest: Revision) -> Decision | None:
    deployed = seen.deployed
    if latest.status != Status.FAILED or latest.rolls_back is not None:
        return None
    if deployed is None or not seen.roll_back_on_failure:
        return None
    message = f"revision {latest.revision} failed: rolling back to revision {deployed.revision}"
    return Decision(State.FAILED, Action.ROLL_BACK, "RollingBack", message, target=deployed.revision)


def _taken_away(latest: Revision) -> Decision:
    if not latest.removed:
        message = f"revision {latest.revision} failed: deleting its objects"
        return Decision(State.FAILED, Action.REMOVE, "Removing", message)
    message = (
        f"revision {latest.revision} failed and was taken away again; change spec or source to try again: "
        f"{latest.description}"
    )
    return Decision(State.FAILED, Action.NOTHING, "ReleaseFailed", message)


def _tried_again(seen: Observation) -> Decision | None:
    """The pause before another try of the same input."""
    failure = seen.failure
    if failure is None:
        return None
    due = seen.retry.after(failure)
    if seen.now >= due:
        return None
    message = (
        f"revision {failure.revision} failed; retry {seen.failures} of {seen.retry.limit} is due at "
        f"{due:%H:%M:%SZ}: {failure.description}"
    )
    return Decision(State.FAILED, Action.WAIT, "Retrying", message, deadline=due)


def _upgrade(latest: Revision) -> Decision:
    message = f"upgrading to revision {latest.revision + 1}"
    return Decision(State.OUT_OF_SYNC, Action.UPGRADE, "Upgrading", message)


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


def _standing_in(seen: Observation) -> Decision | None:
    """Rolled back by order, and the input is still the one it stands in for."""
    latest = seen.stand_in
    if latest is None:
        return None
    kept = _kept_true(seen)
    if kept is not None:
        return kept
    message = (
        f"rolled back to revision {latest.rolls_back}, as pierhead.dev/rollback-to asks; "
        "kept until spec or source changes"
    )
    return Decision(State.IN_SYNC, Action.NOTHING, "RolledBack", message)


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
    return _tried_again(seen) or _upgrade(latest)


def _baking(seen: Observation) -> Decision | None:
    """Deployed as desired and on trial: what fails now is rolled back as if it had never become healthy."""
    latest = seen.latest
    if latest is None or latest.baking_since is None:
        return None
    kept = _kept_true(seen)
    if kept is not None and kept.action is not Action.NOTHING:
        return kept
    return _on_trial(seen, latest.revision, latest.baking_since + seen.bake)


def _on_trial(seen: Observation, revision: int, end: datetime) -> Decision:
    health, trial = seen.health, f"revision {revision} is on trial until {end:%H:%M:%SZ}"
    deadline = max(end, seen.begun or end) + seen.timeout
    if health.status == "Failed":
        return Decision(State.BAKING, Action.FAIL, "FailedInBake", f"failed on trial: {health.message}")
    if seen.now >= deadline and health.status != "Current":
        message = f"not healthy {_text(seen.timeout)} after the end of its trial: {health.message}"
        return Decision(State.BAKING, Action.FAIL, "FailedInBake", message)
    if seen.now >= end and health.status == "Current":
        return Decision(State.BAKING, Action.BAKED, "Baked", f"revision {revision} stood its trial")
    message = trial if health.status == "Current" else f"{trial}: {health.message}"
    until = end if seen.now < end else deadline
    return Decision(State.BAKING, Action.WAIT, "Baking", message, deadline=until)


def _untested(seen: Observation) -> Decision | None:
    """Deployed as desired, and its tests have not all passed."""
    latest = seen.latest
    if latest is None or latest.status != Status.DEPLOYED or not seen.tests or latest.hooks is None:
        return None
    progress = latest.hooks.within(TEST)
    if progress is not None and progress.done and progress.failure and seen.ignore_test_failures:
        return None
    return _hooks(seen, latest, TEST)


def _in_sync(seen: Observation) -> Decision:
    """Deployed as desired; what is left is to keep it so."""
    kept = _kept_true(seen)
    if kept is not None:
        return kept
    latest = seen.latest
    number = latest.revision if latest is not None else 0
    return Decision(State.IN_SYNC, Action.NOTHING, "Deployed", f"revision {number} is deployed")


def _kept_true(seen: Observation) -> Decision | None:
    if seen.drift is None and seen.suspected and seen.drift_policy == "Correct":
        if seen.contest is not None:
            gate = seen.contest
            return Decision(gate.state, gate.action, gate.reason, gate.message, deadline=gate.deadline)
        return Decision(State.DRIFTED, Action.CORRECT, "Drifted", "putting back what somebody else changed")
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
    _ordered,
    _superseded_while_pending,
    _hooks_before,
    _not_applied,
    _applied,
    _failed,
    _unmanaged,
    _standing_in,
    _rejected,
    _out_of_sync,
    _untested,
    _baking,
    _in_sync,
)
