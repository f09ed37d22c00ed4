"""What to do next for a BatchJob. Pure: everything, the time too, comes in as an argument.

Invariant: an index is submitted only when it is certain that no job that runs it is or will be in Batch:
it is in no shard yet, or its shard was refused, or its job could not be found by name for the whole settle
time, and so soon that Batch would still know it. What cannot be told from what is known is looked up,
waited for or given up as lost, never guessed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pierhead.batch.actions import (
    Action,
    Advance,
    Again,
    Aim,
    Decline,
    Drop,
    Finish,
    Harvest,
    Look,
    LookUp,
    Lose,
    Plan,
    Refused,
    Release,
    Rest,
    Start,
    Submit,
    Suspend,
    Terminate,
)
from pierhead.batch.following.jobs import Seen
from pierhead.batch.gate import FAILED, Gate
from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.limits import Limits
from pierhead.batch.model.status import MOST_OPEN, Shard
from pierhead.batch.retrying import RUNNING
from pierhead.batch.state import State, Target, key_of, to_moment
from pierhead.batch.submitting.shards import split

TERMINATE_AGAIN = timedelta(seconds=60)
"""Pause before a termination that shows no effect is sent again."""

KEPT = timedelta(hours=24)
"""How long Batch knows a job that has ended, at the least. Source: AWS Batch user guide, "Job states", which
names seven days in newer editions.
"""

_WAVES = 4
"""With a limit on parallelism the next indexes follow when this part of it has room."""

_LOOK_UPS = 4
"""How often a job is looked up within the settle time, beside the last time at its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything a decision is made from."""

    limits: Limits
    state: State
    now: datetime
    settle: timedelta
    """How long an accepted job may be invisible to a look-up by name."""
    lost_after: timedelta
    """How long Batch may not know a job before that is believed."""
    leading_since: datetime
    """Before this moment another process may have submitted."""
    deleting: bool = False
    failed: bool = False
    """Whether it is Failed, so that nothing of it runs, and only a request to retry changes that."""
    request: str | None = None
    """A request to retry that was not answered yet."""
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """By job id."""
    looked_up: Mapping[tuple[int, int], datetime] = field(default_factory=dict)
    """When a shard's job was last looked up by name, by `key_of`."""
    terminated: Mapping[str, datetime] = field(default_factory=dict)
    """When a job was last told to stop, by job id."""
    succeeded_now: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards that are seen to have succeeded."""
    failed_now: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards that are seen to have failed, as far as that counts."""
    barred_now: IndexSet = field(default_factory=IndexSet)
    """Those of them that must not run again."""
    fatal: Target | None = None
    """A failure that is seen and fails the whole BatchJob."""
    gate: Gate = field(default_factory=Gate)
    """What others let run."""
    refused_until: datetime | None = None
    """Until when nothing is submitted because the last attempt was refused."""


def decide(facts: Facts) -> Action:
    """The next action. Repeated with what it changed until it is Rest, Look, Refused, Finish or Release."""
    return (
        _asked(facts)
        or _unseen(facts)
        or _uncertain(facts)
        or _ended(facts)
        or _enough(facts)
        or _done(facts)
        or _stop(facts)
        or _go_on(facts)
        or _rest(facts)
    )


def _asked(facts: Facts) -> Action | None:
    """What comes while it is about to fail is answered once it has."""
    state, request = facts.state, facts.request
    if request is None or facts.deleting:
        return None
    if facts.failed:
        return Again(request)
    if state.target is not None and not state.target.success:
        return None
    # A request that came with the object is about another of its name.
    return Decline(request, RUNNING if state.begun or state.retry is not None else "")


def _unseen(facts: Facts) -> Action | None:
    """After a restart nothing is judged before the running jobs were looked at once."""
    unseen = any(shard.job_id not in facts.seen for shard in _submitted(facts))
    return Look() if unseen else None


def _uncertain(facts: Facts) -> Action | None:
    looks = [(shard, _next_look_up(facts, shard)) for shard in facts.state.open]
    due = tuple(shard for shard, moment in looks if moment is not None and facts.now >= moment)
    return LookUp(due) if due else None


def _ended(facts: Facts) -> Action | None:
    closable = [shard for shard in _submitted(facts) if _certain(facts, shard)]
    ended = tuple(shard for shard in closable if facts.seen[shard.job_id or ""].ended)
    lost = tuple(shard for shard in closable if _lost(facts, shard) and shard not in ended)
    lost += tuple(shard for shard in facts.state.open if shard.state == "Intent" and _outlived(facts, shard))
    if ended:
        return Drop(ended) if facts.deleting else Harvest(ended)
    if lost:
        return Drop(lost) if facts.deleting else Lose(lost)
    return None


def _enough(facts: Facts) -> Action | None:
    """Whichever is met first holds: success is not undone by failures that follow, nor the other way."""
    state = facts.state
    if facts.deleting or state.target is not None:
        return None
    succeeded = state.ledger.succeeded | facts.succeeded_now
    for number, criterion in enumerate(facts.limits.success):
        if criterion.met(succeeded):
            rule = f"spec.successPolicy.rules[{number}]"
            text = f"{len(succeeded)} of {state.ledger.size} indexes succeeded, which is enough by {rule}"
            return Aim(Target("SuccessPolicy", text, success=True))
    return None


def _done(facts: Facts) -> Action | None:
    """An end that came about by itself is not undone by a deadline that has passed meanwhile."""
    state = facts.state
    begun = state.begun or bool(facts.gate.never)
    by_itself = not facts.deleting and state.target is None and begun and not state.open
    return _finish(facts) if by_itself else None


def _stop(facts: Facts) -> Action | None:
    """Deletion comes before an end, an end before suspension."""
    state = facts.state
    if facts.deleting:
        return _clear(facts, "the BatchJob was deleted") or Release()
    target = state.target or _new_target(facts)
    if target is not None:
        if state.target is None:
            return Aim(target)
        return _clear(facts, target.reason) or Finish(target)
    if facts.limits.suspend:
        if not state.suspended:
            return Suspend()
        return _clear(facts, "the BatchJob was suspended") or Rest()
    return None


def _new_target(facts: Facts) -> Target | None:
    deadline = _deadline(facts)
    if deadline is not None and facts.now >= deadline:
        seconds = facts.limits.active_deadline_seconds
        return Target("DeadlineExceeded", f"not done within spec.activeDeadlineSeconds ({seconds} s)")
    return facts.fatal or facts.gate.failed or _too_many_failed(facts)


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


def _clear(facts: Facts, why: str) -> Action | None:
    """What is still to do until nothing of the BatchJob is in Batch; None when nothing is."""
    nowhere = tuple(
        shard
        for shard in facts.state.open
        if shard.state == "Refused" or (shard.state == "Intent" and _certain(facts, shard))
    )
    if nowhere:
        return Drop(nowhere)
    running = tuple(shard for shard in _submitted(facts) if _to_terminate(facts, shard))
    if running:
        return Terminate(running, why)
    return _rest(facts) if facts.state.open else None


def _to_terminate(facts: Facts, shard: Shard) -> bool:
    seen = facts.seen[shard.job_id or ""]
    told = facts.terminated.get(shard.job_id or "")
    due = told is None or facts.now >= told + TERMINATE_AGAIN
    # A job that Batch does not show cannot be proven to be ours.
    return due and not seen.ended and not seen.missing_since and not (seen.stopped and told is None)


def _go_on(facts: Facts) -> Action | None:
    state = facts.state
    runnable = _runnable(facts)
    if state.suspended or state.start_time is None:
        again_from_start = state.planned > 0 and not state.open
        begins = bool(runnable) or state.begun
        return Start(again=again_from_start, waits=not begins) if state.suspended or begins else None
    round_over = state.round_ended or _failed_in_order(facts)
    # What may run only grows, so a plan that was made before and stored may be made anew.
    unplanned = facts.gate.restricted and state.planned == 0 and runnable != state.ledger.plan
    if round_over or unplanned:
        next_round = Advance() if round_over else Plan(runnable)
        return next_round if runnable else None
    return _send(facts)


def _send(facts: Facts) -> Action | None:
    state, limits = facts.state, facts.limits
    again = tuple(
        shard
        for shard in state.open
        if shard.state == "Refused" or (shard.state == "Intent" and _certain(facts, shard))
    )
    shards = MOST_OPEN - len(state.open)
    room = _room(facts)
    more = shards > 0 and (room is None or room > 0) and state.planned < len(state.ledger.plan)
    if not again and not more:
        return None
    if facts.refused_until is not None and facts.now < facts.refused_until:
        return Refused(facts.refused_until)
    if not more:
        return Submit((), again)
    layout = Layout(state.ledger.plan)
    parts = split(layout, start=state.planned, most=shards, map_limit=limits.map_limit, room=room)
    return Submit(tuple(parts), again)


def _reachable(facts: Facts) -> IndexSet:
    """The indexes that are left, but for those that cannot run any more because of others."""
    left = facts.state.ledger.remaining(facts.limits.backoff_limit_per_index)
    never = left & facts.gate.never
    if never and facts.limits.order == "Sequential":
        return left & IndexSet.below(next(iter(never)))
    return left - never


def _runnable(facts: Facts) -> IndexSet:
    """The indexes that a round that begins now may run."""
    reachable, ready = _reachable(facts), facts.gate.ready
    if facts.gate.closed or facts.gate.error is not None:
        return IndexSet()
    if ready is None:
        return reachable
    early = reachable - ready
    if early and facts.limits.order != "Parallel":
        return reachable & IndexSet.below(next(iter(early)))
    return reachable & ready


def _failed_in_order(facts: Facts) -> bool:
    """Whether the next index must not follow before an earlier one had all its runs: a round for it."""
    state = facts.state
    if facts.limits.order == "Parallel" or state.open:
        return False
    return bool(state.ledger.plan.part(0, state.planned) - state.ledger.succeeded)


def _room(facts: Facts) -> int | None:
    """How many indexes may be sent to Batch now; None for any number.

    None are sent before a quarter of the parallelism has room: each wave is a job of its own.
    """
    state, most = facts.state, facts.limits.parallelism
    if facts.limits.order != "Parallel":
        # A job that is seen to have ended says nothing about its index before its result is recorded.
        return 0 if state.open or most == 0 else 1
    if most is None:
        return None
    active = sum(
        seen.counts.active if (seen := facts.seen.get(shard.job_id or "")) else shard.size
        for shard in state.open
    )
    room, left = most - active, len(state.ledger.plan) - state.planned
    return room if room >= min(left, max(1, most // _WAVES)) else 0


def _finish(facts: Facts) -> Finish | None:
    """The end, if no index is left that could run."""
    state, limit = facts.state, facts.limits.backoff_limit_per_index
    stopped = _stopped(facts)
    if stopped is None and _reachable(facts):
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


def _stopped(facts: Facts) -> Target | None:
    """Why the indexes that are left never run: one before them failed for good."""
    limits, ledger = facts.limits, facts.state.ledger
    failed = ledger.exhausted(limits.backoff_limit_per_index)
    left = ledger.remaining(limits.backoff_limit_per_index)
    if limits.order != "Sequential" or not failed or not left:
        return None
    text = f"index {next(iter(failed))} failed; the {len(left)} after it do not run, by spec.order Sequential"
    return Target("FailedIndexes", text)


def _rest(facts: Facts) -> Rest:
    return Rest(next_moment(facts))


def next_moment(facts: Facts) -> datetime | None:
    """When another decision may come out although nothing is seen to change."""
    looks = [_next_look_up(facts, shard) for shard in facts.state.open]
    moments = [moment for moment in looks if moment is not None]
    for shard in _submitted(facts):
        told = facts.terminated.get(shard.job_id or "")
        if told is not None:
            moments.append(told + TERMINATE_AGAIN)
    if facts.gate.until is not None:
        moments.append(facts.gate.until)
    deadline = _deadline(facts)
    if deadline is not None and facts.state.target is None:
        moments.append(deadline)
    return min((moment for moment in moments if moment > facts.now), default=None)


def _deadline(facts: Facts) -> datetime | None:
    seconds, start = facts.limits.active_deadline_seconds, facts.state.start_time
    if seconds is None or start is None or facts.limits.suspend or facts.state.suspended:
        return None
    return start + timedelta(seconds=seconds)


def _submitted(facts: Facts) -> Iterable[Shard]:
    return (shard for shard in facts.state.open if shard.state == "Submitted")


def _doubtful(shard: Shard) -> bool:
    """Whether Batch may have a job of this shard that we do not know of."""
    return shard.state == "Intent" or (shard.state == "Submitted" and shard.tries > 1)


def _certain(facts: Facts, shard: Shard) -> bool:
    """Whether no unknown job of this shard can turn up any more."""
    if not _doubtful(shard):
        return True
    looked_up = facts.looked_up.get(key_of(shard))
    return looked_up is not None and looked_up >= _settled_at(facts, shard)


def _outlived(facts: Facts, shard: Shard) -> bool:
    """Whether the shard's job may have run, ended and been forgotten before it was looked up."""
    looked_up = facts.looked_up.get(key_of(shard))
    return _certain(facts, shard) and looked_up is not None and looked_up >= to_moment(shard.since) + KEPT


def _settled_at(facts: Facts, shard: Shard) -> datetime:
    return max(to_moment(shard.since), facts.leading_since) + facts.settle


def _next_look_up(facts: Facts, shard: Shard) -> datetime | None:
    """When the shard's job is to be looked up next; None when there is nothing to find out."""
    if _certain(facts, shard):
        return None
    looked_up, settled = facts.looked_up.get(key_of(shard)), _settled_at(facts, shard)
    if shard.state == "Submitted":
        # A job known by its id is looked up once only, for a twin.
        return settled
    return facts.now if looked_up is None else min(settled, looked_up + facts.settle / _LOOK_UPS)


def _lost(facts: Facts, shard: Shard) -> bool:
    """Whether Batch said often enough that it does not know the job: what it did not say proves nothing."""
    seen = facts.seen[shard.job_id or ""]
    if seen.missing_since is None or seen.missing_until is None:
        return False
    return seen.missing_until >= seen.missing_since + facts.lost_after
