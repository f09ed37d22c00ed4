"""What is known of a job that Batch has forgotten is kept, wherever it is known from."""

from types import SimpleNamespace

from pierhead.batch.following.harvest import lose
from pierhead.batch.following.jobs import Glimpse
from pierhead.batch.ledgers.indexes import IndexSet
from support.batch_facts import NOW, shard, state


def test_indexes_that_are_seen_or_told_to_have_succeeded_are_not_lost():
    forgotten, ended = shard(), []
    situation = SimpleNamespace(
        glimpses={"job-0": Glimpse(succeeded=IndexSet.of([4]))},
        told=IndexSet.of([0, 1]),
        state=state(forgotten),
        indexes_of=lambda _: IndexSet.below(10),
        now=NOW,
        shared=SimpleNamespace(runs=SimpleNamespace(ended=lambda *args: ended.append(args))),
    )
    lose(situation, (forgotten,))
    after = situation.state
    assert after.ledger.succeeded == IndexSet.of([0, 1, 4])
    assert after.ledger.exhausted(10) == IndexSet.of([2, 3, 5, 6, 7, 8, 9])
    assert (after.lost, after.open, ended) == (7, (), [("lost", 7)])
