"""The ledger counts every index's runs exactly, however often a result is told."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import MOST_FAILURES, FailureCounts, Ledger
from pierhead.batch.model.spec import MOST_COMPLETIONS
from pierhead.engine.outcome import Invalid

SIZE = 40
members = st.sets(st.integers(0, SIZE - 1))


@given(st.lists(members, max_size=20), st.integers(0, MOST_FAILURES))
def test_failures_are_counted(failing, limit):
    counts, expected = FailureCounts(), dict.fromkeys(range(SIZE), 0)
    for failed in failing:
        counts = counts.plus_one(IndexSet.of(failed))
        expected = {
            index: min(MOST_FAILURES, number + (index in failed)) for index, number in expected.items()
        }
    above = {index for index, number in expected.items() if number > limit}
    assert set(counts.above(limit, IndexSet.below(SIZE))) == above


@given(st.lists(members, max_size=MOST_FAILURES - 1), members)
def test_failures_add_up_and_what_must_not_run_again_counts_once(failing, never):
    counts = FailureCounts()
    for failed in failing:
        counts = counts.plus_one(IndexSet.of(failed))
    assert counts.total() == sum(map(len, failing))
    assert set(counts.any()) == set().union(*failing)
    rest = sum(len(failed - never) for failed in failing)
    assert counts.never_again(IndexSet.of(never)).total() == rest + len(never)


def test_more_completions_are_planned_at_the_end():
    ledger = Ledger.first(10).with_results(IndexSet.below(9), IndexSet.of([9])).advance(1)
    assert set(ledger.resized(12, planned=1).plan) == {9, 10, 11}
    assert ledger.resized(10, planned=1) == ledger


def test_completions_that_never_ran_can_go():
    ledger = Ledger.first(10)
    assert set(ledger.resized(6, planned=6).plan) == set(range(6))
    again = ledger.with_results(IndexSet.below(4), IndexSet()).resized(6, planned=6)
    assert (again.size, set(again.succeeded)) == (6, {0, 1, 2, 3})


@pytest.mark.parametrize(
    "ledger",
    [
        Ledger.first(10),
        Ledger.first(10).with_results(IndexSet.of([6]), IndexSet()),
        Ledger.first(10).with_results(IndexSet(), IndexSet.of([6])).advance(0),
    ],
    ids=["sent", "succeeded", "failed before"],
)
def test_completions_are_not_lowered_below_what_ran(ledger):
    planned = 7 if ledger == Ledger.first(10) else 0
    with pytest.raises(Invalid, match="index 6 has been sent to Batch") as raised:
        ledger.resized(6, planned=planned)
    assert raised.value.field == "spec.completions"


@given(members, members)
def test_an_index_that_must_not_run_again_is_above_every_limit(failed, never):
    counts = FailureCounts().plus_one(IndexSet.of(failed)).never_again(IndexSet.of(never))
    assert set(counts.above(MOST_FAILURES - 1, IndexSet.below(SIZE))) == never


@given(st.lists(st.tuples(members, members), max_size=8), st.integers(0, 4), st.booleans())
def test_rounds_run_exactly_what_has_neither_succeeded_nor_used_up_its_runs(rounds, limit, twice):
    ledger = Ledger.first(SIZE)
    runs = dict.fromkeys(range(SIZE), 0)
    done: set[int] = set()
    for number, (fine, bad) in enumerate(rounds):
        assert ledger.round == number
        due = {index for index in range(SIZE) if index not in done and runs[index] <= limit}
        assert set(ledger.plan) == due
        succeeded, failed = due & fine, due & bad - fine
        for _ in range(2 if twice else 1):
            ledger = ledger.with_results(IndexSet.of(succeeded), IndexSet.of(failed))
        done |= succeeded
        for index in failed:
            runs[index] += 1
        exhausted = {index for index in range(SIZE) if index not in done and runs[index] > limit}
        assert set(ledger.exhausted(limit)) == exhausted
        ledger = ledger.advance(limit)
        assert set(ledger.exhausted(limit)) == exhausted


@given(st.lists(st.tuples(members, members), max_size=4), members)
def test_bytes_give_back_the_ledger(rounds, lost):
    ledger = Ledger.first(SIZE)
    for succeeded, failed in rounds:
        ledger = ledger.with_results(IndexSet.of(succeeded), IndexSet.of(failed)).advance(3)
    ledger = ledger.barring(IndexSet.of(lost))
    assert Ledger.from_bytes(ledger.to_bytes(), SIZE) == ledger


@given(st.binary(max_size=100))
def test_bytes_of_anything_else_are_refused(data):
    with pytest.raises(Invalid):
        Ledger.from_bytes(data, SIZE)


def test_bytes_for_another_size_are_refused():
    with pytest.raises(Invalid):
        Ledger.from_bytes(Ledger.first(SIZE).to_bytes(), SIZE + 1)


def test_lost_indexes_never_run_again_and_succeeded_ones_are_not_lost():
    ledger = Ledger.first(4).with_results(IndexSet.of([0]), IndexSet()).barring(IndexSet.below(2))
    assert set(ledger.exhausted(10)) == {1}
    assert set(ledger.advance(10).plan) == {2, 3}


def test_the_largest_ledger_fits_a_config_map():
    chance = random.Random(1)

    def noise() -> IndexSet:
        return IndexSet(chance.getrandbits(MOST_COMPLETIONS))

    ledger = Ledger(
        size=MOST_COMPLETIONS,
        plan=noise(),
        succeeded=noise(),
        failed=noise(),
        earlier=FailureCounts((noise(), noise(), noise(), noise())),
    )
    assert len(ledger.to_bytes()) < 1_000_000


def test_an_index_that_failed_and_must_not_run_again_failed_once():
    ledger = Ledger.first(SIZE).with_results(IndexSet(), IndexSet.of([1, 2, 3])).barring(IndexSet.of([1, 2]))
    assert ledger.failures() == 3
    assert ledger.failures(IndexSet.of([3, 4])) == 4
    assert ledger.advance(5).failures() == 3


def test_five_percent_random_failures_of_a_hundred_thousand_are_small():
    chance = random.Random(1)
    failed = IndexSet.of(index for index in range(100_000) if chance.random() < 0.05)
    everything = IndexSet.below(100_000)
    ledger = Ledger.first(100_000).with_results(everything - failed, failed)
    assert len(ledger.to_bytes()) < 25_000


@given(st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)), st.integers(0, 14))
def test_a_retry_plans_all_that_has_not_succeeded_and_counts_nothing(won, failed, limit):
    before = Ledger.first(30).with_results(IndexSet.of(won), IndexSet.of(failed)).barring(IndexSet.of(failed))
    again = before.again()
    assert again.plan == IndexSet.below(30) - IndexSet.of(won) == again.remaining(limit)
    assert (again.succeeded, again.failures(), again.round) == (IndexSet.of(won), 0, 1)
    assert Ledger.from_bytes(again.to_bytes(), 30) == again
