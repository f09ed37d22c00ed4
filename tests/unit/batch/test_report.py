"""Status adds up, stays small, and says the same of the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.following.jobs import Counts, Glimpse, Interrupted, Seen
from pierhead.batch.following.waiting import shortened, with_advice
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.model.status import (
    MOST_ENDED,
    MOST_OPEN,
    BatchJobStatus,
    Failure,
    IndexRecord,
    Retry,
    Shard,
)
from pierhead.batch.report import View, conditions_of, final_conditions, merged, status_of, told
from pierhead.batch.situation import read_status
from pierhead.batch.state import State, Target, load
from pierhead.engine.outcome import Invalid

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUMMARIES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")


def shard(number=0, *, size=10, state="Submitted", round_number=0) -> Shard:
    return Shard(
        round=round_number,
        shard=number,
        first=number * size,
        size=size,
        state=state,
        since="2026-01-01T00:00:00Z",
        tries=1,
        job_id=f"0f1e2d3c-0f1e-0f1e-0f1e-{number:012}",
    )


def lossy(known: Shard) -> Shard:
    """The shard after every attempt of every index lost its host."""
    return told(known, Interrupted(known.size, 10 * known.size))


def rendered(state, view=None, stored=None, record=None):
    return status_of(
        state, view or View(backoff_limit=0), stored or BatchJobStatus(), record, completion=None
    )


@given(
    st.dictionaries(st.sampled_from(SUMMARIES), st.integers(0, 15_000)),
    st.integers(2, 10_000),
)
def test_counts_of_an_array_add_up_whatever_its_summary_says(summary, size):
    counts = Counts.of_summary(summary, size)
    assert counts.active + counts.ended == size
    assert min(counts.submitted, counts.running, counts.succeeded) >= 0
    if sum(summary.values()) == size:
        assert counts.succeeded == summary.get("SUCCEEDED", 0)
        assert counts.failed == summary.get("FAILED", 0)


@given(
    st.lists(st.sampled_from(["succeeded", "failed", "untold"]), min_size=30, max_size=30),
    st.lists(st.dictionaries(st.sampled_from(SUMMARIES), st.integers(0, 12)), min_size=2, max_size=2),
    st.integers(0, 1),
)
def test_counts_add_up_to_the_size(results, summaries, backoff):
    ended = [index for index in range(10) if results[index] != "untold"]
    ledger = Ledger.first(40).with_results(
        IndexSet.of(index for index in ended if results[index] == "succeeded"),
        IndexSet.of(index for index in ended if results[index] == "failed"),
    )
    shards = (shard(1), shard(2))
    seen = {
        entry.job_id: Seen("PENDING", Counts.of_summary(summary, 10))
        for entry, summary in zip(shards, summaries, strict=True)
    }
    status = rendered(
        State(ledger=ledger, planned=30, next_shard=3, open=shards), View(backoff_limit=backoff, seen=seen)
    )
    parts = ("succeeded", "failed", "active", "waiting")
    assert min(status[part] for part in parts) >= 0
    assert sum(status[part] for part in parts) == status["size"] == 40
    assert sum(status["states"].values()) == status["active"]
    assert status["progress"] == f"{status['succeeded']}/40"


def test_the_worst_status_stays_below_64_kib():
    size = 1_000_000
    scattered = IndexSet.of(range(0, size, 2))
    worst = shortened("€" * 500)
    failures = tuple(
        Failure(
            index=size - 1 - number, round=10, exit_code=255, reason=worst, status_reason=worst, attempts=10,
            interruptions=10,
            log_group="g" * 256, log_stream="s" * 256,
        )
        for number in range(10)
    )  # fmt: skip
    state = State(
        ledger=replace(
            Ledger.first(size), round=10, plan=scattered, failed=scattered - IndexSet.below(size // 2)
        ),
        planned=400_000,
        next_shard=999,
        open=tuple(lossy(shard(900 + number, size=2_000, round_number=10)) for number in range(MOST_OPEN)),
        ended=tuple(
            shard(800 + number, size=2_000, round_number=10, state="Terminated")
            for number in range(MOST_ENDED)
        ),
        retry=Retry(request="r" * 64, count=10**6, refused=worst),
        met=tuple(range(100)),
        role=f"arn:aws:iam::123456789012:role/{'r' * 600}",
        failures=failures,
        lost=size,
        start_time=NOW,
        target=Target("DeadlineExceeded", "x" * 200),
        job_definition="d" * 512,
        spec_digest="d" * 32,
    )
    everything = IndexSet.below(size)
    view = View(backoff_limit=0, succeeded=everything - scattered, position=101)
    status = rendered(state, view, record=IndexRecord(config_map="c" * 253))
    conditions = [
        {"type": entry.type, "status": entry.status, "reason": entry.reason, "message": entry.message}
        | {"observedGeneration": 10**6, "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for entry in conditions_of(state, view, [])
    ]
    whole = json.dumps({**status, "conditions": conditions}, ensure_ascii=False).encode()
    assert len(whole) <= 65_536
    assert len(status["completedIndexes"]) <= 16_384


def test_a_small_ledger_fits_beside_the_rest():
    ledger = replace(Ledger.first(2_000), plan=IndexSet.of(range(0, 2_000, 3)))
    assert len(ledger.to_bytes()) < 1_800


def test_index_texts_never_shrink():
    stored = BatchJobStatus(completed_indexes="3-5,8", failed_indexes="7")
    status = rendered(State(ledger=Ledger.first(10)), stored=stored)
    assert status["completedIndexes"] == "3-5,8"
    assert status["failedIndexes"] == "7"


def test_indexes_seen_to_have_ended_are_shown_while_the_array_runs():
    view = View(backoff_limit=0, succeeded=IndexSet.of([0, 1, 2]), failed=IndexSet.of([4]))
    status = rendered(State(ledger=Ledger.first(10), open=(shard(),), planned=10), view)
    assert status["completedIndexes"] == "0-2"
    assert status["failedIndexes"] == "4"


def test_an_index_that_may_run_again_is_not_among_the_failed():
    view = View(backoff_limit=1, failed=IndexSet.of([4]))
    status = rendered(State(ledger=Ledger.first(10), open=(shard(),), planned=10), view)
    assert "failedIndexes" not in status


def test_a_stored_status_is_read_back_as_the_state_it_was_written_from():
    state = State(
        ledger=replace(Ledger.first(30), round=2),
        planned=20,
        next_shard=2,
        open=(shard(0, round_number=2), shard(1, round_number=2)),
        ended=(shard(0, state="Failed"),),
        failures=(Failure(index=3, round=1),),
        lost=2,
        start_time=NOW,
        job_definition="arn",
        spec_digest="digest",
    )
    target = [{"type": "FailureTarget", "status": "True", "reason": "DeadlineExceeded", "message": "late"}]
    stored = read_status(rendered(state))
    assert load(stored, target, state.ledger) == replace(state, target=Target("DeadlineExceeded", "late"))


def test_a_record_that_is_a_round_ahead_has_the_results_of_all_open_shards():
    state = State(ledger=Ledger.first(30), planned=20, next_shard=2, open=(shard(0), shard(1)))
    ahead = state.ledger.with_results(IndexSet.below(19), IndexSet.of([19])).advance(1)
    assert load(read_status(rendered(state)), [], ahead) == State(ledger=ahead)


def test_a_status_nobody_can_read_is_said_to_be_so():
    with pytest.raises(Invalid, match="cannot be read"):
        read_status({"shards": [{"round": "x"}]})


def test_failures_show_the_lowest_indexes_that_have_not_succeeded_since():
    before = [Failure(index=index, round=0) for index in (1, 3, 5)]
    found = [Failure(index=index, round=1) for index in range(3, 20)]
    shown = merged(before, found, IndexSet.of([1, 4]))
    assert [failure.index for failure in shown] == [3, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    assert {failure.round for failure in shown} == {1}


def types(conditions) -> dict[str, str]:
    return {entry.type: f"{entry.status} {entry.reason}" for entry in conditions}


RUNS = State(ledger=Ledger.first(10), planned=10, open=(shard(),))
INTENDS = replace(RUNS, open=(shard(state="Intent"),))
LATE = Target("DeadlineExceeded", "late")


def working(reason: str) -> dict[str, str]:
    return {"Ready": f"False {reason}", "Reconciling": f"True {reason}"}


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RUNS, working("Running")),
        (INTENDS, working("LookingUpJobs")),
        (
            replace(RUNS, target=LATE),
            {"FailureTarget": "True DeadlineExceeded", **working("Terminating")},
        ),
        (
            replace(RUNS, suspended=True),
            {"Suspended": "True JobSuspended", **working("Suspending")},
        ),
        (
            replace(RUNS, suspended=True, open=()),
            {"Suspended": "True JobSuspended", "Ready": "False Suspended"},
        ),
        (replace(RUNS, lost=3), {"Lost": "True JobsForgotten", **working("Running")}),
    ],
)
def test_conditions_while_it_runs(state, expected):
    assert types(conditions_of(state, View(backoff_limit=0), [])) == expected


def test_resumption_is_told_only_after_a_suspension():
    suspended = [{"type": "Suspended", "status": "True", "reason": "JobSuspended", "message": ""}]
    found = types(conditions_of(RUNS, View(backoff_limit=0), suspended))
    assert found["Suspended"] == "False JobResumed"


def test_deletion_is_told():
    found = conditions_of(RUNS, View(backoff_limit=0), [], deleting=True)
    assert types(found) == working("Terminating")


def test_conditions_at_the_end_are_those_of_a_job():
    assert types(final_conditions(RUNS, None, [])) == {
        "SuccessCriteriaMet": "True CompletionsReached",
        "Complete": "True CompletionsReached",
        "Ready": "True Completed",
    }
    assert types(final_conditions(RUNS, LATE, [])) == {
        "FailureTarget": "True DeadlineExceeded",
        "Failed": "True DeadlineExceeded",
        "Ready": "False DeadlineExceeded",
        "Stalled": "True DeadlineExceeded",
    }


MISCONFIGURED = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no instance is large enough"
WAITS = Seen("PENDING", Counts(runnable=10))
ADVISED = with_advice(MISCONFIGURED)
TOLD = [{"type": "Schedulable", "status": "False", "reason": "JobsNotRunnable", "message": ADVISED}]


@pytest.mark.parametrize(
    ("seen", "stuck", "stored", "told"),
    [
        (WAITS, MISCONFIGURED, [], True),
        (WAITS, "", [], False),
        (WAITS, None, [], False),
        # Not asked again since a restart.
        (WAITS, None, TOLD, True),
        (WAITS, "", TOLD, False),
        (Seen("PENDING", Counts(runnable=9, running=1)), MISCONFIGURED, TOLD, False),
    ],
)
def test_what_cannot_start_says_why(seen, stuck, stored, told):
    job_id = RUNS.open[0].job_id
    view = View(backoff_limit=0, seen={job_id: seen}, glimpses={job_id: Glimpse(stuck=stuck)})
    found = [entry for entry in conditions_of(RUNS, view, stored) if entry.type == "Schedulable"]
    assert [entry.message for entry in found] == ([ADVISED] if told else [])


def test_a_single_job_that_cannot_start_says_why():
    single = replace(RUNS, open=(shard(size=1),))
    seen = Seen("RUNNABLE", Counts(runnable=1), reason=MISCONFIGURED)
    view = View(backoff_limit=0, seen={single.open[0].job_id: seen})
    assert types(conditions_of(single, view, []))["Schedulable"] == "False JobsNotRunnable"


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        (None, "0 of 10 indexes succeeded"),
        (1, "0 of 10 indexes succeeded; no job is before it in the queue"),
        (12, "0 of 10 indexes succeeded; 11 jobs are before it in the queue"),
        (101, "0 of 10 indexes succeeded; more than 100 jobs are before it in the queue"),
    ],
)
def test_where_it_is_in_the_queue_is_told(position, expected):
    view = View(backoff_limit=0, seen={RUNS.open[0].job_id: WAITS}, position=position)
    (ready,) = (entry for entry in conditions_of(RUNS, view, []) if entry.type == "Ready")
    assert ready.message == expected
    assert rendered(RUNS, view).get("queuePosition") == position
