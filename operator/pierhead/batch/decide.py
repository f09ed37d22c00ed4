"""What to do next for a BatchJob. Pure: everything, the time too, comes in as an argument.

Invariant: an index is submitted only when it is certain that no job that runs it is or will be in Batch:
it is in no shard yet, or its shard was refused, or its job could not be found by name for the whole settle
time, and so soon that Batch would still know it. What cannot be told from what is known is looked up,
waited for or given up as lost, never guessed.
"""

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
from pierhead.batch.deciding.certainty import certain, is_lost, next_look_up, outlived, submitted
from pierhead.batch.deciding.ending import deadline_of, finish, new_target
from pierhead.batch.deciding.facts import Facts
from pierhead.batch.deciding.running import failed_in_order, may_run, room_left
from pierhead.batch.ledgers.indexes import Layout
from pierhead.batch.model.status import MOST_OPEN, Shard
from pierhead.batch.retrying import RUNNING
from pierhead.batch.state import Target
from pierhead.batch.submitting.shards import split

TERMINATE_AGAIN = timedelta(seconds=60)
"""Pause before a termination that shows no effect is sent again."""


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
    unseen = any(shard.job_id not in facts.seen for shard in submitted(facts))
    return Look() if unseen else None


def _uncertain(facts: Facts) -> Action | None:
    looks = [(shard, next_look_up(facts, shard)) for shard in facts.state.open]
    due = tuple(shard for shard, moment in looks if moment is not None and facts.now >= moment)
    return LookUp(due) if due else None


def _ended(facts: Facts) -> Action | None:
    closable = [shard for shard in submitted(facts) if certain(facts, shard)]
    ended = tuple(shard for shard in closable if facts.seen[shard.job_id or ""].ended)
    lost = tuple(shard for shard in closable if is_lost(facts, shard) and shard not in ended)
    lost += tuple(shard for shard in facts.state.open if shard.state == "Intent" and outlived(facts, shard))
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
    return finish(facts) if by_itself else None


def _stop(facts: Facts) -> Action | None:
    """Deletion comes before an end, an end before suspension."""
    state = facts.state
    if facts.deleting:
        return _clear(facts, "the BatchJob was deleted") or Release()
    target = state.target or new_target(facts)
    if target is not None:
        if state.target is None:
            return Aim(target)
        return _clear(facts, target.reason) or Finish(target)
    if facts.limits.suspend:
        if not state.suspended:
            return Suspend()
        return _clear(facts, "the BatchJob was suspended") or Rest()
    return None


def _clear(facts: Facts, why: str) -> Action | None:
    """What is still to do until nothing of the BatchJob is in Batch; None when nothing is."""
    nowhere = tuple(
        shard
        for shard in facts.state.open
        if shard.state == "Refused" or (shard.state == "Intent" and certain(facts, shard))
    )
    if nowhere:
        return Drop(nowhere)
    running = tuple(shard for shard in submitted(facts) if _to_terminate(facts, shard))
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
    runnable = may_run(facts)
    if state.suspended or state.start_time is None:
        again_from_start = state.planned > 0 and not state.open
        begins = bool(runnable) or state.begun
        return Start(again=again_from_start, waits=not begins) if state.suspended or begins else None
    round_over = state.round_ended or failed_in_order(facts)
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
        if shard.state == "Refused" or (shard.state == "Intent" and certain(facts, shard))
    )
    shards = MOST_OPEN - len(state.open)
    room = room_left(facts)
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


def _rest(facts: Facts) -> Rest:
    return Rest(next_moment(facts))


def next_moment(facts: Facts) -> datetime | None:
    """When another decision may come out although nothing is seen to change."""
    looks = [next_look_up(facts, shard) for shard in facts.state.open]
    moments = [moment for moment in looks if moment is not None]
    for shard in submitted(facts):
        told = facts.terminated.get(shard.job_id or "")
        if told is not None:
            moments.append(told + TERMINATE_AGAIN)
    if facts.gate.until is not None:
        moments.append(facts.gate.until)
    deadline = deadline_of(facts)
    if deadline is not None and facts.state.target is None:
        moments.append(deadline)
    return min((moment for moment in moments if moment > facts.now), default=None)
