"""Every branch of what to do next."""

from dataclasses import replace
from datetime import timedelta

import pytest

from pierhead.batch.actions import (
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
    Refused,
    Release,
    Rest,
    Start,
    Submit,
    Suspend,
    Terminate,
)
from pierhead.batch.decide import decide
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.model.status import MOST_OPEN
from pierhead.batch.policies import Criterion
from pierhead.batch.retrying import RUNNING as STILL_RUNNING
from pierhead.batch.state import Target, key_of
from pierhead.batch.submitting.shards import Part
from support.batch_facts import (
    FAILED,
    FAILING,
    NOW,
    ONE_FAILED,
    RUNNING,
    SUCCEEDED,
    ago,
    facts,
    shard,
    state,
)

INTENT, REFUSED, SUBMITTED = shard("Intent"), shard("Refused", tries=0), shard()
TWICE = shard(tries=2)
FORGOTTEN = shard("Intent", since=25 * 3600)
SETTLED = {key_of(INTENT): ago(1)}
ALL_DONE = Ledger.first(10).with_results(IndexSet.below(10), IndexSet())

FAILED_BEFORE = Ledger.first(10).with_results(IndexSet(), IndexSet.of([7, 8])).advance(14)
THREE_OF_ANY = Criterion(None, 3)
ENOUGH = Target(
    "SuccessPolicy", "3 of 10 indexes succeeded, which is enough by spec.successPolicy.rules[0]", success=True
)


def wave(**counts: int) -> dict[str, Seen]:
    return {"job-0": Seen("PENDING", Counts(**counts))}


CASES = {
    # Beginning
    "a new one starts": (facts(state(started=False)), Start(again=False)),
    "a started one is laid out and submitted": (facts(state()), Submit((Part(0, 10),))),
    "what is submitted is waited for": (facts(state(SUBMITTED)), Rest()),
    "after a restart the jobs are looked at first": (facts(state(SUBMITTED), seen={}), Look()),
    "the next shards follow": (
        facts(state(shard(size=10_000), size=15_000)),
        Submit((Part(10_000, 5_000),)),
    ),
    # Requests to retry
    "one that failed is taken up again": (
        facts(state(ledger=ONE_FAILED, target=FAILING), failed=True, request="a"),
        Again("a"),
    ),
    "one that failed and is asked nothing stays so": (
        facts(state(ledger=ONE_FAILED, target=FAILING), failed=True),
        Finish(FAILING),
    ),
    "what is about to fail fails first": (
        facts(state(SUBMITTED, target=FAILING), request="a", terminated={"job-0": ago(1)}),
        Rest(NOW + timedelta(seconds=59)),
    ),
    "one that works does not retry": (facts(state(SUBMITTED), request="a"), Decline("a", STILL_RUNNING)),
    "a request that came with the object is passed over": (
        facts(state(started=False), request="a"),
        Decline("a", ""),
    ),
    "deletion comes before a retry": (
        facts(state(ledger=ONE_FAILED, target=FAILING), failed=True, request="a", deleting=True),
        Release(),
    ),
    "what is taken up again starts anew": (
        facts(replace(state(ledger=ONE_FAILED, planned=10).retried("a"), job_definition="d")),
        Start(again=False),
    ),
    "what was missing nothing is complete": (
        facts(state(ledger=ALL_DONE, planned=10, target=FAILING).retried("a")),
        Finish(None),
    ),
    # Uncertain submissions
    "an intent that nobody looked up is looked up at once": (facts(state(INTENT)), LookUp((INTENT,))),
    "an intent is looked up again": (
        facts(state(shard("Intent", since=30)), looked_up={(0, 0): ago(15)}),
        LookUp((shard("Intent", since=30),)),
    ),
    "an intent just looked up is waited for": (
        facts(state(shard("Intent", since=30)), looked_up={(0, 0): ago(10)}),
        Rest(NOW + timedelta(seconds=5)),
    ),
    "the last look-up is at the end of the settle time": (
        facts(state(shard("Intent", since=59)), looked_up={(0, 0): ago(5)}),
        Rest(NOW + timedelta(seconds=1)),
    ),
    "a look-up before the settle time ends proves nothing": (
        facts(state(INTENT), looked_up={(0, 0): ago(941)}),
        LookUp((INTENT,)),
    ),
    "an intent not found for the settle time is submitted again": (
        facts(state(INTENT), looked_up=SETTLED),
        Submit((), (INTENT,)),
    ),
    "the settle time counts from when this process began to lead": (
        facts(state(INTENT), looked_up={(0, 0): ago(1)}, leading_since=ago(30)),
        Rest(NOW + timedelta(seconds=14)),
    ),
    "an intent that Batch may have forgotten meanwhile is lost, and not submitted again": (
        facts(state(FORGOTTEN), looked_up=SETTLED),
        Lose((FORGOTTEN,)),
    ),
    "a deletion does not wait for what Batch may have forgotten": (
        facts(state(FORGOTTEN), looked_up=SETTLED, deleting=True),
        Drop((FORGOTTEN,)),
    ),
    "what was refused is submitted again": (facts(state(REFUSED)), Submit((), (REFUSED,))),
    "a refusal holds for a while": (
        facts(state(REFUSED), refused_until=NOW + timedelta(seconds=9)),
        Refused(NOW + timedelta(seconds=9)),
    ),
    "a refusal that is over holds no more": (
        facts(state(REFUSED), refused_until=NOW),
        Submit((), (REFUSED,)),
    ),
    "a refusal holds new shards too": (
        facts(state(), refused_until=NOW + timedelta(seconds=9)),
        Refused(NOW + timedelta(seconds=9)),
    ),
    "a job submitted twice is looked up for a twin": (facts(state(TWICE)), LookUp((TWICE,))),
    "a twin is looked for once": (facts(state(TWICE), looked_up=SETTLED), Rest()),
    "results wait for the look for a twin": (
        facts(state(shard(tries=2, since=10)), seen={"job-0": SUCCEEDED}),
        Rest(NOW + timedelta(seconds=50)),
    ),
    # Ends
    "a job that succeeded is harvested": (
        facts(state(SUBMITTED), seen={"job-0": SUCCEEDED}),
        Harvest((SUBMITTED,)),
    ),
    "a job that failed is harvested": (
        facts(state(SUBMITTED), seen={"job-0": FAILED}),
        Harvest((SUBMITTED,)),
    ),
    "only what ended is harvested": (
        facts(state(SUBMITTED, shard(number=1), size=20), seen={"job-0": SUCCEEDED, "job-1": RUNNING}),
        Harvest((SUBMITTED,)),
    ),
    "a job that Batch does not show is waited for": (
        facts(state(SUBMITTED), seen={"job-0": RUNNING.missing(ago(100)).missing(NOW)}),
        Rest(),
    ),
    "a job is not lost while Batch says nothing at all": (
        facts(state(SUBMITTED), seen={"job-0": RUNNING.missing(ago(900)).missing(ago(880))}),
        Rest(),
    ),
    "a job that Batch has forgotten is lost": (
        facts(state(SUBMITTED), seen={"job-0": RUNNING.missing(ago(300)).missing(NOW)}),
        Lose((SUBMITTED,)),
    ),
    "when all succeeded it is complete": (facts(state(ledger=ALL_DONE, planned=10)), Finish(None)),
    "an index that failed once too often fails it": (
        facts(state(ledger=ONE_FAILED, planned=10)),
        Finish(Target("FailedIndexes", "1 of 10 indexes failed")),
    ),
    "an index that may run again does": (
        facts(state(ledger=ONE_FAILED, planned=10), limits={"backoff_limit_per_index": 1}),
        Advance(),
    ),
    "lost jobs fail it": (
        facts(state(ledger=Ledger.first(10).barring(IndexSet.below(10)), planned=10, lost=10)),
        Finish(Target("JobsLost", "Batch forgot jobs of 10 indexes before their results were read")),
    ),
    # Failing
    "a deadline that passed is aimed at": (
        facts(state(SUBMITTED), limits={"active_deadline_seconds": 500}),
        Aim(Target("DeadlineExceeded", "not done within spec.activeDeadlineSeconds (500 s)")),
    ),
    "a deadline to come wakes": (
        facts(state(SUBMITTED), limits={"active_deadline_seconds": 507}),
        Rest(NOW + timedelta(seconds=7)),
    ),
    "what succeeded before the deadline was noticed is complete": (
        facts(state(ledger=ALL_DONE, planned=10), limits={"active_deadline_seconds": 1}),
        Finish(None),
    ),
    "too many failed indexes are aimed at": (
        facts(state(SUBMITTED), limits={"max_failed_indexes": 1}, failed_now=IndexSet.of([3, 4])),
        Aim(Target("MaxFailedIndexesExceeded", "more indexes failed than spec.maxFailedIndexes allows (1)")),
    ),
    "failures that may run again are not too many": (
        facts(
            state(SUBMITTED),
            limits={"max_failed_indexes": 1, "backoff_limit_per_index": 1},
            failed_now=IndexSet.of([3, 4]),
        ),
        Rest(),
    ),
    "too many failed indexes at the end give their reason": (
        facts(state(ledger=ONE_FAILED, planned=10), limits={"max_failed_indexes": 0}),
        Finish(
            Target("MaxFailedIndexesExceeded", "more indexes failed than spec.maxFailedIndexes allows (0)")
        ),
    ),
    "what runs is terminated when it is failing": (
        facts(state(SUBMITTED, target=FAILING)),
        Terminate((SUBMITTED,), "DeadlineExceeded"),
    ),
    "a termination is waited for": (
        facts(state(SUBMITTED, target=FAILING), terminated={"job-0": ago(10)}),
        Rest(NOW + timedelta(seconds=50)),
    ),
    "a termination without effect is sent again": (
        facts(state(SUBMITTED, target=FAILING), terminated={"job-0": ago(60)}),
        Terminate((SUBMITTED,), "DeadlineExceeded"),
    ),
    "what is being terminated already is not told again": (
        facts(state(SUBMITTED, target=FAILING), seen={"job-0": replace(RUNNING, stopped=True)}),
        Rest(),
    ),
    "a job that cannot be shown to be ours is not terminated": (
        facts(state(SUBMITTED, target=FAILING), seen={"job-0": RUNNING.missing(ago(1))}),
        Rest(),
    ),
    "what was refused is dropped when it is failing": (
        facts(state(REFUSED, target=FAILING)),
        Drop((REFUSED,)),
    ),
    "an uncertain intent is looked up although it is failing": (
        facts(state(INTENT, target=FAILING)),
        LookUp((INTENT,)),
    ),
    "an intent that came to nothing is dropped when it is failing": (
        facts(state(INTENT, target=FAILING), looked_up=SETTLED),
        Drop((INTENT,)),
    ),
    "it has failed when nothing runs": (facts(state(planned=10, target=FAILING)), Finish(FAILING)),
    "a failure of the last resort is aimed at": (
        facts(state(SUBMITTED), fatal=Target("PodFailurePolicy", "final")),
        Aim(Target("PodFailurePolicy", "final")),
    ),
    "failures that bar their index count as failed for good": (
        facts(
            state(SUBMITTED),
            limits={"max_failed_indexes": 1, "backoff_limit_per_index": 3},
            failed_now=IndexSet.of([3, 4]),
            barred_now=IndexSet.of([3, 4]),
        ),
        Aim(Target("MaxFailedIndexesExceeded", "more indexes failed than spec.maxFailedIndexes allows (1)")),
    ),
    "more failures than the backoff limit are aimed at": (
        facts(
            state(SUBMITTED, ledger=FAILED_BEFORE),
            limits={"backoff_limit": 2, "backoff_limit_per_index": 14},
            failed_now=IndexSet.of([3]),
        ),
        Aim(Target("BackoffLimitExceeded", "indexes failed more often than spec.backoffLimit allows (2)")),
    ),
    "as many failures as the backoff limit are tolerated": (
        facts(
            state(SUBMITTED, ledger=FAILED_BEFORE), limits={"backoff_limit": 2, "backoff_limit_per_index": 14}
        ),
        Rest(),
    ),
    # Enough
    "enough success is aimed at": (
        facts(state(SUBMITTED), limits={"success": (THREE_OF_ANY,)}, succeeded_now=IndexSet.below(3)),
        Aim(ENOUGH),
    ),
    "less is not enough": (
        facts(state(SUBMITTED), limits={"success": (THREE_OF_ANY,)}, succeeded_now=IndexSet.below(2)),
        Rest(),
    ),
    "recorded and seen successes count together": (
        facts(
            state(SUBMITTED, ledger=Ledger.first(10).with_results(IndexSet.below(2), IndexSet())),
            limits={"success": (THREE_OF_ANY,)},
            succeeded_now=IndexSet.of([5]),
        ),
        Aim(ENOUGH),
    ),
    "what runs on after enough is terminated": (
        facts(state(SUBMITTED, target=ENOUGH)),
        Terminate((SUBMITTED,), "SuccessPolicy"),
    ),
    "it is complete when nothing runs": (facts(state(planned=10, target=ENOUGH)), Finish(ENOUGH)),
    "failures after enough success change nothing": (
        facts(state(planned=10, target=ENOUGH), fatal=Target("PodFailurePolicy", "final")),
        Finish(ENOUGH),
    ),
    "success after a failure of the last resort changes nothing": (
        facts(
            state(planned=10, target=FAILING),
            limits={"success": (THREE_OF_ANY,)},
            succeeded_now=IndexSet.below(9),
        ),
        Finish(FAILING),
    ),
    "enough success at the end is complete": (
        facts(state(ledger=ONE_FAILED, planned=10), limits={"success": (THREE_OF_ANY,)}),
        Aim(Target("SuccessPolicy", f"9 {ENOUGH.message[2:]}", success=True)),
    ),
    # Waves
    "no more are sent than may run at once": (
        facts(state(), limits={"parallelism": 4}),
        Submit((Part(0, 4),)),
    ),
    "a full wave is waited for": (
        facts(state(shard(size=8), size=20), limits={"parallelism": 8}, seen=wave(running=7, succeeded=1)),
        Rest(),
    ),
    "the next wave follows when a quarter has room": (
        facts(state(shard(size=8), size=20), limits={"parallelism": 8}, seen=wave(running=6, succeeded=2)),
        Submit((Part(8, 2),)),
    ),
    "the last indexes follow one by one": (
        facts(state(shard(size=8), size=9), limits={"parallelism": 8}, seen=wave(running=7, succeeded=1)),
        Submit((Part(8, 1),)),
    ),
    "an uncertain wave takes its room": (
        facts(
            state(shard("Intent", size=8, since=30), size=20),
            limits={"parallelism": 8},
            looked_up={(0, 0): ago(10)},
        ),
        Rest(NOW + timedelta(seconds=5)),
    ),
    "no parallelism is a pause": (facts(state(), limits={"parallelism": 0}), Rest()),
    # Suspension
    "a new one that is suspended does nothing": (
        facts(state(started=False), limits={"suspend": True}),
        Suspend(),
    ),
    "a suspended one rests": (
        facts(state(started=False, suspended=True), limits={"suspend": True}),
        Rest(),
    ),
    "what runs is terminated on suspension": (
        facts(state(SUBMITTED, suspended=True), limits={"suspend": True}),
        Terminate((SUBMITTED,), "the BatchJob was suspended"),
    ),
    "a suspended one has no deadline": (
        facts(state(suspended=True), limits={"suspend": True, "active_deadline_seconds": 1}),
        Rest(),
    ),
    "failing comes before suspension": (
        facts(state(planned=10, target=FAILING), limits={"suspend": True}),
        Finish(FAILING),
    ),
    "resumption plans what is missing anew": (
        facts(state(planned=10, started=False, suspended=True)),
        Start(again=True),
    ),
    "one that never ran begins its first round when resumed": (
        facts(state(started=False, suspended=True)),
        Start(again=False),
    ),
    "resumption while something still stops goes on with the round": (
        facts(state(SUBMITTED, started=False, suspended=True)),
        Start(again=False),
    ),
    "one that is done although it is suspended is complete": (
        facts(state(ledger=ALL_DONE, planned=10, suspended=True), limits={"suspend": True}),
        Finish(None),
    ),
    # Deletion
    "deletion terminates": (
        facts(state(SUBMITTED), deleting=True),
        Terminate((SUBMITTED,), "the BatchJob was deleted"),
    ),
    "deletion asks for no results": (
        facts(state(SUBMITTED), deleting=True, seen={"job-0": FAILED}),
        Drop((SUBMITTED,)),
    ),
    "deletion looks uncertain jobs up": (facts(state(INTENT), deleting=True), LookUp((INTENT,))),
    "deletion drops an intent that came to nothing": (
        facts(state(INTENT), deleting=True, looked_up=SETTLED),
        Drop((INTENT,)),
    ),
    "deletion submits nothing": (facts(state(REFUSED), deleting=True), Drop((REFUSED,))),
    "deletion waits for the grace time of a job that Batch does not show": (
        facts(state(SUBMITTED), deleting=True, seen={"job-0": RUNNING.missing(ago(299)).missing(NOW)}),
        Rest(),
    ),
    "deletion lets go of a job that Batch has forgotten": (
        facts(state(SUBMITTED), deleting=True, seen={"job-0": RUNNING.missing(ago(300)).missing(NOW)}),
        Drop((SUBMITTED,)),
    ),
    "the object may go when nothing is open": (facts(state(planned=10), deleting=True), Release()),
}


@pytest.mark.parametrize("case", CASES)
def test_next_action(case):
    given, expected = CASES[case]
    assert decide(given) == expected


def test_no_more_shards_are_open_than_the_status_can_hold():
    scattered = Ledger(size=1_000_000, plan=IndexSet.of(range(0, 1_000_000, 3)))
    action = decide(facts(state(ledger=scattered)))
    assert isinstance(action, Submit)
    assert len(action.parts) == MOST_OPEN
    full = state(*(shard(number=number) for number in range(MOST_OPEN)), ledger=scattered)
    seen = {f"job-{number}": RUNNING for number in range(MOST_OPEN)}
    assert decide(facts(full, seen=seen)) == Rest()
