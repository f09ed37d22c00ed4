"""Why a BatchJob ends.

Invariant: a failure that fails all of it is told by the rule of the spec, or by the fact, that says so.
"""

from datetime import datetime, timedelta

from pierhead.batch.actions import Finish
from pierhead.batch.deciding.facts import Facts
from pierhead.batch.deciding.running import may_ever_run
from pierhead.batch.gate import FAILED
from pierhead.batch.state import Target


def new_target(facts: Facts) -> Target | None:
    """The failure that ends all of it now, if there is one."""
    deadline = deadline_of(facts)
    if deadline is not None and facts.now >= deadline:
        seconds = facts.limits.active_deadline_seconds
        return Target("DeadlineExceeded", f"not done within spec.activeDeadlineSeconds ({seconds} s)")
    return facts.fatal or facts.gate.failed or _too_many_failed(facts)


def finish(facts: Facts) -> Finish | None:
    """The end, if no index is left that could run."""
    state, limit = facts.state, facts.limits.backoff_limit_per_index
    stopped = _stopped(facts)
    if stopped is None and may_ever_run(facts):
        return None
    if state.lost:
        message = f"Batch forgot jobs of {state.lost} indexes before their results were read"
        return Finish(Target("JobsLost", message))
    target = _too_many_failed(facts) or stopped
    never, failed = len(state.ledger.remaining(limit)), len(state.ledger.exhausted(limit))
    if target is None and never:
        text = f"{never} of {state.ledger.size} indexes do not run, because of {facts.gate.lacking}"
        target = Target(FAILED, text)
    elif target is None and failed:
        text = f"{failed} of {state.ledger.size} indexes failed"
        if state.interrupted.indexes:
            text += f"; of all rounds' failures {state.interrupted.indexes} came by the loss of a host"
        target = Target("FailedIndexes", text)
    return Finish(target)


def deadline_of(facts: Facts) -> datetime | None:
    """When its time is over; None while that is not counted."""
    seconds, start = facts.limits.active_deadline_seconds, facts.state.start_time
    if seconds is None or start is None or facts.limits.suspend or facts.state.suspended:
        return None
    return start + timedelta(seconds=seconds)


def _too_many_failed(facts: Facts) -> Target | None:
    limits, ledger = facts.limits, facts.state.ledger
    most = limits.max_failed_indexes
    if most is not None:
        failed = ledger.exhausted(limits.backoff_limit_per_index, facts.failed_now) | facts.barred_now
        if len(failed) > most:
            message = f"more indexes failed than spec.maxFailedIndexes allows ({most})"
            return Target("MaxFailedIndexesExceeded", message)
    most = limits.backoff_limit
    if most is not None and ledger.failures(facts.failed_now) > most:
        message = f"indexes failed more often than spec.backoffLimit allows ({most})"
        return Target("BackoffLimitExceeded", message)
    return None


def _stopped(facts: Facts) -> Target | None:
    """Why the indexes that are left never run: one before them failed for good."""
    limits, ledger = facts.limits, facts.state.ledger
    failed = ledger.exhausted(limits.backoff_limit_per_index)
    left = ledger.remaining(limits.backoff_limit_per_index)
    if limits.order != "Sequential" or not failed or not left:
        return None
    text = f"index {next(iter(failed))} failed; the {len(left)} after it do not run, by spec.order Sequential"
    return Target("FailedIndexes", text)
