"""The steps that need nothing but the state itself."""

from dataclasses import replace
from datetime import datetime

from pierhead.batch.actions import Action, Advance, Aim, Drop, Start, Suspend
from pierhead.batch.state import State


def moved(state: State, action: Action, *, limit: int, now: datetime) -> State:
    """The state after such a step; after any other the state as it is.

    `limit` is how often an index that failed runs again.
    """
    match action:
        case Start(again):
            begun = replace(state, suspended=False, start_time=now)
            return begun.advanced(limit) if again else begun
        case Suspend():
            return replace(state, suspended=True, start_time=None)
        case Aim(target):
            return replace(state, target=target)
        case Advance():
            return state.advanced(limit)
        case Drop(shards):
            return state.without(shards)
    return state
