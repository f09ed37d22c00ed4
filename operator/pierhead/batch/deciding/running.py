"""Which indexes may run now, and how many of them.

Invariant: never more than `spec.parallelism` says, in the order it says, and none that others hold back.
"""

from pierhead.batch.deciding.facts import Facts
from pierhead.batch.ledgers.indexes import IndexSet

_WAVES = 4
"""With a limit on parallelism the next indexes follow when this part of it has room."""


def may_ever_run(facts: Facts) -> IndexSet:
    """The indexes that are left, but for those that cannot run any more because of others."""
    left = facts.state.ledger.remaining(facts.limits.backoff_limit_per_index)
    never = left & facts.gate.never
    if never and facts.limits.order == "Sequential":
        return left & IndexSet.below(next(iter(never)))
    return left - never


def may_run(facts: Facts) -> IndexSet:
    """The indexes that a round that begins now may run."""
    reachable, ready = may_ever_run(facts), facts.gate.ready
    if facts.gate.closed or facts.gate.error is not None:
        return IndexSet()
    if ready is None:
        return reachable
    early = reachable - ready
    if early and facts.limits.order != "Parallel":
        return reachable & IndexSet.below(next(iter(early)))
    return reachable & ready


def failed_in_order(facts: Facts) -> bool:
    """Whether the next index must not follow before an earlier one had all its runs: a round for it."""
    state = facts.state
    if facts.limits.order == "Parallel" or state.open:
        return False
    return bool(state.ledger.plan.part(0, state.planned) - state.ledger.succeeded)


def room_left(facts: Facts) -> int | None:
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
