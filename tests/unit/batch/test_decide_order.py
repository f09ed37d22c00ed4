"""What goes one after the other, or waits for others."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pierhead.batch.actions import (
    Advance,
    Aim,
    Finish,
    Plan,
    Rest,
    Start,
    Submit,
)
from pierhead.batch.decide import decide
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.batch.gate import Gate
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.state import Target
from pierhead.batch.submitting.shards import Part
from pierhead.engine.outcome import Invalid
from support.batch_facts import (
    FAILING,
    NOW,
    ONE_FAILED,
    facts,
    shard,
    state,
)

FIRST_DONE = Ledger.first(10).with_results(IndexSet.of([0]), IndexSet())
FIRST_FAILED = Ledger.first(10).with_results(IndexSet(), IndexSet.of([0]))
FEW_READY = Gate(ready=IndexSet.of([0, 4, 5]))
NO_MORE_READY = Gate(
    ready=FEW_READY.ready,
    never=IndexSet.of([1, 2, 3, 6, 7, 8, 9]),
    lacking="BatchJob first: failed",
)
FEW_PLANNED = replace(Ledger.first(10), plan=IndexSet.of([0, 4, 5]))
FEW_DONE = FEW_PLANNED.with_results(IndexSet.of([0, 4, 5]), IndexSet())
ENDED_ALONE = {"job-0": Seen("FAILED", Counts(failed=1))}

CASES = {
    # One after the other
    "in order the first goes alone": (
        facts(state(), limits={"order": "Sequential", "parallelism": 4}),
        Submit((Part(0, 1),)),
    ),
    "in order no parallelism is a pause too": (
        facts(state(), limits={"order": "Sequential", "parallelism": 0}),
        Rest(),
    ),
    "in order the next waits until the result is recorded": (
        facts(
            state(shard(size=1, tries=2, since=30)), limits={"order": "SequentialTolerant"}, seen=ENDED_ALONE
        ),
        Rest(NOW + timedelta(seconds=30)),
    ),
    "in order the next follows a success": (
        facts(state(planned=1, ledger=FIRST_DONE), limits={"order": "Sequential"}),
        Submit((Part(1, 1),)),
    ),
    "in order one that failed runs again before the next": (
        facts(
            state(planned=1, ledger=FIRST_FAILED),
            limits={"order": "Sequential", "backoff_limit_per_index": 1},
        ),
        Advance(),
    ),
    "in order the first that failed for good is the last": (
        facts(state(planned=1, ledger=FIRST_FAILED), limits={"order": "Sequential"}),
        Finish(
            Target("FailedIndexes", "index 0 failed; the 9 after it do not run, by spec.order Sequential")
        ),
    ),
    "in tolerant order the next follows one that failed for good": (
        facts(state(planned=1, ledger=FIRST_FAILED), limits={"order": "SequentialTolerant"}),
        Advance(),
    ),
    "in tolerant order a failure is told at the end": (
        facts(state(ledger=ONE_FAILED, planned=10), limits={"order": "SequentialTolerant"}),
        Finish(Target("FailedIndexes", "1 of 10 indexes failed")),
    ),
    # Others
    "nothing begins before what it waits for": (
        facts(state(started=False), gate=Gate(closed=True, until=NOW + timedelta(seconds=30))),
        Rest(NOW + timedelta(seconds=30)),
    ),
    "what is resumed early waits on": (
        facts(state(started=False, suspended=True), gate=Gate(closed=True)),
        Start(again=False, waits=True),
    ),
    "nothing begins where somebody has to change something first": (
        facts(state(started=False), gate=Gate(error=Invalid("a cycle"))),
        Rest(),
    ),
    "it fails with what it waits for": (
        facts(state(started=False), gate=Gate(closed=True, failed=FAILING)),
        Aim(FAILING),
    ),
    "nothing begins before an index is ready": (
        facts(state(started=False), gate=Gate(ready=IndexSet())),
        Rest(),
    ),
    "the indexes that are ready are planned": (facts(state(), gate=FEW_READY), Plan(FEW_READY.ready)),
    "what is planned is submitted": (
        facts(state(ledger=FEW_PLANNED), gate=FEW_READY),
        Submit((Part(0, 3),)),
    ),
    "what became ready meanwhile waits for the next round": (
        facts(state(shard(size=3), ledger=FEW_PLANNED), gate=Gate(ready=IndexSet.below(9))),
        Rest(),
    ),
    "a round of what is ready by now follows": (
        facts(state(planned=3, ledger=FEW_DONE), gate=Gate(ready=IndexSet.below(9))),
        Advance(),
    ),
    "no round follows while nothing more is ready": (
        facts(state(planned=3, ledger=FEW_DONE), gate=FEW_READY),
        Rest(),
    ),
    "all follow once all are ready": (facts(state(planned=3, ledger=FEW_DONE)), Advance()),
    "indexes that never become ready fail it when the others have ended": (
        facts(state(planned=3, ledger=FEW_DONE), gate=NO_MORE_READY),
        Finish(Target("DependencyFailed", "7 of 10 indexes do not run, because of BatchJob first: failed")),
    ),
    "indexes that never become ready do not stop the others": (
        facts(state(shard(size=3), ledger=FEW_PLANNED), gate=NO_MORE_READY),
        Rest(),
    ),
    "in order nothing overtakes an index that is not ready": (
        facts(state(), limits={"order": "Sequential"}, gate=FEW_READY),
        Plan(IndexSet.of([0])),
    ),
    "in order nothing comes after an index that never becomes ready": (
        facts(state(planned=1, ledger=FIRST_DONE), limits={"order": "Sequential"}, gate=NO_MORE_READY),
        Finish(Target("DependencyFailed", "9 of 10 indexes do not run, because of BatchJob first: failed")),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_next_action(case):
    given, expected = CASES[case]
    assert decide(given) == expected
