"""One pass over one BatchJob: decide and act, until there is nothing left to do now.

Invariant: a pass ends at rest or with an error, and either way says what is true by then.
"""

from pierhead.batch.actions import (
    Action,
    Again,
    Finish,
    Harvest,
    Look,
    LookUp,
    Lose,
    Refused,
    Release,
    Rest,
    Submit,
    Terminate,
)
from pierhead.batch.decide import decide, next_moment
from pierhead.batch.following.harvest import harvest, lose
from pierhead.batch.following.jobs import SUCCEEDED
from pierhead.batch.limits import backoff_limit_per_index
from pierhead.batch.moves import moved
from pierhead.batch.report import conditions_of, final_conditions, kept_conditions, with_shards
from pierhead.batch.situation import Situation, conditions_in
from pierhead.batch.submitting.launch import find, launch
from pierhead.batch.submitting.submission import terminate
from pierhead.engine.outcome import Conflict, Outcome, ReconcileError, Transient, Waiting
from pierhead.model import FINALIZER

_MOST_STEPS = 200


async def run(situation: Situation) -> Outcome:
    """The whole pass."""
    situation.follow()
    situation.shared.alarms.set(situation.resource.key, None)
    try:
        return await _until_rest(situation)
    except Conflict:
        raise
    except ReconcileError as error:
        if error.terminal:
            _set_alarm(situation)
        if error.status is None:
            error.status = await situation.status()
        raise
    finally:
        situation.follow()


async def _until_rest(situation: Situation) -> Outcome:
    called = False
    for _ in range(_MOST_STEPS):
        action = decide(situation.facts())
        match action:
            case Rest() | Look() | Refused() | Finish() | Release():
                return await _end(situation, action)
            case Submit() | Harvest() if not called and _asks_batch(situation, action):
                # Who waits here has a worker that others need to tell what they know already.
                pause = situation.client.turn()
                if pause:
                    return Outcome(told=False, requeue_after=pause)
                called = True
                await _step(situation, action)
            case _:
                await _step(situation, action)
    raise Transient("no rest was found", reason="TooManySteps")


def _asks_batch(situation: Situation, action: Submit | Harvest) -> bool:
    """Whether it takes calls: of what succeeded nothing is left to ask."""
    if isinstance(action, Submit):
        return True
    return any(situation.seen[shard.job_id or ""].status != SUCCEEDED for shard in action.shards)


async def _end(situation: Situation, action: Action) -> Outcome:
    resource, previous = situation.resource, conditions_in(situation.resource)
    trouble = situation.shared.follower.trouble(situation.access)
    if trouble is not None and isinstance(action, Rest | Look):
        error = _again(trouble)
        error.status = with_shards(resource.status, situation.state) if action == Look() else None
        raise error
    gate_error = situation.gate.error
    if gate_error is not None and isinstance(action, Rest):
        error = _again(gate_error)
        error.conditions = tuple(situation.gate.conditions(situation.state.target))
        raise error
    match action:
        case Refused():
            refusal = situation.memory.refusal
            raise _again(refusal.error) if refusal else Waiting("submissions are paused")
        case Look():
            # What the jobs do is not known yet; which they are may be known better than it is stored.
            status = with_shards(resource.status, situation.state)
            return Outcome(status=status, conditions=kept_conditions(previous))
        case Release():
            await resource.remove_finalizer(FINALIZER)
            return Outcome(status=resource.status, conditions=kept_conditions(previous))
        case Finish(target):
            complete = target is None or target.success
            return Outcome(
                status=await situation.status(completion=situation.now if complete else None),
                conditions=final_conditions(situation.state, target, previous, situation.gate),
                requeue_after=situation.spec.ttl_seconds_after_finished,
            )
    until = action.until if isinstance(action, Rest) else None
    return Outcome(
        status=await situation.status(),
        conditions=conditions_of(situation.state, situation.view(), previous, deleting=resource.deleting),
        requeue_after=max(0.0, (until - situation.now).total_seconds()) if until else None,
    )


async def _step(situation: Situation, action: Action) -> None:
    match action:
        case Submit():
            await launch(situation, action)
        case LookUp(shards):
            await find(situation, shards)
        case Harvest(shards):
            await harvest(situation, shards)
        case Lose(shards):
            lose(situation, shards)
        case Again(request):
            await situation.take_up(request)
        case Terminate(shards, why):
            ids = [shard.job_id for shard in shards if shard.job_id]
            now = situation.now
            told = await terminate(situation.client, ids, why)
            situation.memory.terminated.update(dict.fromkeys(told, now))
        case _:
            limit = backoff_limit_per_index(situation.spec)
            situation.state = moved(situation.state, action, limit=limit, now=situation.now)


def _set_alarm(situation: Situation) -> None:
    facts = situation.facts()
    if all(shard.job_id in facts.seen for shard in facts.state.open if shard.state == "Submitted"):
        moment = next_moment(facts)
        seconds = (moment - facts.now).total_seconds() if moment else None
        situation.shared.alarms.set(situation.resource.key, seconds)


def _again(error: ReconcileError) -> ReconcileError:
    """An equal error: one instance raised twice would collect tracebacks and a status that is old."""
    again = type(error).__new__(type(error), *error.args)
    # Some classes are made with more than their message, so they are not made anew.
    again.__dict__.update(error.__dict__)
    again.status = None
    return again
