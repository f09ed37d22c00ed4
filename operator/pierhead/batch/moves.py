"""The steps that need nothing but the state itself."""

from dataclasses import replace
from datetime import datetime

from pierhead.batch.actions import Action, Advance, Aim, Decline, Drop, Plan, Start, Suspend
from pierhead.batch.state import State


def moved(state: State, action: Action, *, limit: int, now: datetime) -> State:
    """The state after such a step; after any other the state as it is.

    `limit` is how often an index that failed runs again.
    """
    match action:
        case Start(again, waits):
            state = replace(state, suspended=False, start_time=None if waits else now)
            state = state.advanced(limit) if again else state
        case Suspend():
            state = replace(state, suspended=True, start_time=None)
        case Aim(target):
            state = replace(state, target=target)
        case Decline(request, why):
            state = state.refusing(request, why)
        case Advance():
            state = state.advanced(limit)
        case Plan(indexes):
            state = replace(state, ledger=replace(state.ledger, plan=indexes))
        case Drop(shards):
            state = state.without(shards)
    return state
