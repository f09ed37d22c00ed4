"""Of which jobs it is certain what has become of them.

Invariant: a job that was meant to be submitted may be in Batch until it could not be found by name for the
whole settle time; one that Batch does not show is lost only once Batch has said so for a time as well.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from pierhead.batch.deciding.facts import Facts
from pierhead.batch.model.status import Shard
from pierhead.batch.state import key_of, to_moment

KEPT = timedelta(hours=24)
"""How long Batch knows a job that has ended, at the least. Source: AWS Batch user guide, "Job states", which
names seven days in newer editions.
"""

_LOOK_UPS = 4
"""How often a job is looked up within the settle time, beside the last time at its end."""


def submitted(facts: Facts) -> Iterable[Shard]:
    """The shards whose jobs are known by their ids."""
    return (shard for shard in facts.state.open if shard.state == "Submitted")


def certain(facts: Facts, shard: Shard) -> bool:
    """Whether no unknown job of this shard can turn up any more."""
    if not _doubtful(shard):
        return True
    looked_up = facts.looked_up.get(key_of(shard))
    return looked_up is not None and looked_up >= _settled_at(facts, shard)


def is_lost(facts: Facts, shard: Shard) -> bool:
    """Whether Batch said often enough that it does not know the job: what it did not say proves nothing."""
    seen = facts.seen[shard.job_id or ""]
    if seen.missing_since is None or seen.missing_until is None:
        return False
    return seen.missing_until >= seen.missing_since + facts.lost_after


def outlived(facts: Facts, shard: Shard) -> bool:
    """Whether the shard's job may have run, ended and been forgotten before it was looked up."""
    looked_up = facts.looked_up.get(key_of(shard))
    return certain(facts, shard) and looked_up is not None and looked_up >= to_moment(shard.since) + KEPT


def next_look_up(facts: Facts, shard: Shard) -> datetime | None:
    """When the shard's job is to be looked up next; None when there is nothing to find out."""
    if certain(facts, shard):
        return None
    looked_up, settled = facts.looked_up.get(key_of(shard)), _settled_at(facts, shard)
    if shard.state == "Submitted":
        # A job known by its id is looked up once only, for a twin.
        return settled
    return facts.now if looked_up is None else min(settled, looked_up + facts.settle / _LOOK_UPS)


def _doubtful(shard: Shard) -> bool:
    """Whether Batch may have a job of this shard that we do not know of."""
    return shard.state == "Intent" or (shard.state == "Submitted" and shard.tries > 1)


def _settled_at(facts: Facts, shard: Shard) -> datetime:
    return max(to_moment(shard.since), facts.leading_since) + facts.settle
