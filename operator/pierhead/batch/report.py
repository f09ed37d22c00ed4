"""What the status of a BatchJob says, from its state and what was seen of its jobs.

Invariants: succeeded, failed, active and waiting add up to size, and `states` to active; the index texts
only grow; equal facts give equal status. Conditions and reasons are those of a Kubernetes Indexed Job, in
its order: SuccessCriteriaMet before Complete, FailureTarget before Failed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pierhead.batch import retrying
from pierhead.batch.following.causes import cause_of
from pierhead.batch.following.jobs import Counts, Glimpse, Interrupted, Seen, just_submitted
from pierhead.batch.following.waiting import said_to_be_stuck, with_advice
from pierhead.batch.gate import WAITING, Gate
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.intervals import bounded_text
from pierhead.batch.model.status import (
    BEYOND,
    INTERVALS_LIMIT,
    MOST_FAILURES_SHOWN,
    BatchJobStatus,
    Failure,
    IndexRecord,
    Interruptions,
    Retry,
    Shard,
    States,
)
from pierhead.batch.state import State, Target, key_of, part_of, to_text
from pierhead.engine.conditions import Condition, not_ready, ready, reconciling, stalled
from pierhead.model import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was seen of the jobs of the open shards."""

    backoff_limit: int
    seen: Mapping[str, Seen] = field(default_factory=dict)
    """By job id."""
    succeeded: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards known to have succeeded."""
    failed: IndexSet = field(default_factory=IndexSet)
    """Indexes of open shards known to have failed, but for failures that do not count."""
    barred: IndexSet = field(default_factory=IndexSet)
    """Those of them that must not run again."""
    fatal: Target | None = None
    """A failure that fails the whole BatchJob."""
    failures: tuple[Failure, ...] = ()
    interrupted: Mapping[tuple[int, int], Interrupted] = field(default_factory=dict)
    """What is known of the open shards, by `key_of`."""
    glimpses: Mapping[str, Glimpse] = field(default_factory=dict)
    position: int | None = None
    """Place in the queue of the first that waits; `fronts.BEYOND` behind those that Batch tells."""
    gate: Gate = field(default_factory=Gate)


def status_of(
    state: State,
    view: View,
    stored: BatchJobStatus,
    record: IndexRecord | None,
    *,
    completion: datetime | None,
) -> dict[str, Any]:
    """The status's own fields as JSON. `completion` is when the last index succeeded."""
    ledger, size = state.ledger, state.ledger.size
    still_open = [_with_interruptions(shard, view) for shard in state.open]
    interrupted = sum(map(part_of, still_open), state.interrupted)
    open_counts = counts_of(state.open, view.seen)
    exhausted = ledger.exhausted(view.backoff_limit)
    completed = _text_set(stored.completed_indexes, size) | ledger.succeeded | view.succeeded
    failed_for_good = (
        _text_set(stored.failed_indexes, size)
        | ledger.exhausted(view.backoff_limit, view.failed)
        | view.barred
    )
    succeeded = len(ledger.succeeded) + open_counts.succeeded
    failed = len(exhausted) + open_counts.failed
    return _json(
        BatchJobStatus(
            size=size,
            progress=f"{succeeded}/{size}",
            succeeded=succeeded,
            failed=failed,
            active=open_counts.active,
            waiting=max(0, size - succeeded - failed - open_counts.active),
            states=_states(open_counts),
            queue_position=view.position,
            start_time=to_text(state.start_time) if state.start_time else None,
            completion_time=to_text(completion) if completion else None,
            completed_indexes=_set_text(completed),
            failed_indexes=_set_text(failed_for_good - completed),
            failures=merged(state.failures, view.failures, ledger.succeeded) or None,
            round=ledger.round,
            planned=state.planned,
            next_shard=state.next_shard,
            shards=[*state.ended, *still_open] or None,
            lost=state.lost,
            interruptions=_interruptions(interrupted),
            suspended=state.suspended,
            retry=state.retry,
            met=list(state.met) or None,
            job_definition=state.job_definition,
            role=state.role,
            spec_digest=state.spec_digest,
            index_record=record,
        )
    )


def told(shard: Shard, interrupted: Interrupted) -> Shard:
    """The shard, with what the loss of hosts has ended in it."""
    part = None if interrupted == Interrupted() else [interrupted.indexes, interrupted.attempts]
    return shard.model_copy(update={"interrupted": part})


def _with_interruptions(shard: Shard, view: View) -> Shard:
    seen = view.interrupted.get(key_of(shard))
    # After a restart the children have not been looked at again yet.
    return shard if seen is None else told(shard, part_of(shard).at_least(seen))


def _interruptions(interrupted: Interrupted) -> Interruptions | None:
    if interrupted == Interrupted():
        return None
    return Interruptions(indexes=interrupted.indexes, attempts=interrupted.attempts)


def with_shards(stored: Mapping[str, Any], state: State) -> dict[str, Any]:
    """The stored status with the shards as they are: where the rest is not known anew, or of no interest."""
    shards = [_json(shard) for shard in (*state.ended, *state.open)]
    if not shards:
        return {name: value for name, value in stored.items() if name != "shards"}
    return {**stored, "shards": shards}


def counts_of(shards: Iterable[Shard], seen: Mapping[str, Seen]) -> Counts:
    """The indexes in Batch by state."""
    total = Counts()
    for shard in shards:
        if shard.state == "Submitted":
            total += seen.get(shard.job_id or "", just_submitted(shard.size)).counts
    return total


def merged(before: Iterable[Failure], found: Iterable[Failure], succeeded: IndexSet) -> list[Failure]:
    """The failures to show: the newest of each index that has not succeeded since, lowest indexes first."""
    newest = {failure.index: failure for failure in (*before, *found) if failure.index not in succeeded}
    return [newest[index] for index in sorted(newest)][:MOST_FAILURES_SHOWN]


def conditions_of(
    state: State, view: View, previous: Iterable[Mapping[str, Any]], *, deleting: bool = False
) -> tuple[Condition, ...]:
    """The conditions of a BatchJob that has not finished."""
    stored = {str(entry.get("type")): entry for entry in previous}
    found = [*_phase(state, view, deleting=deleting), *_suspension(state, stored), *_loss(state)]
    found += retrying.conditions(state.retry)
    if not deleting:
        found += view.gate.conditions(state.target)
    stuck = _stuck(state, view, stored.get("Schedulable"))
    if stuck:
        found.append(Condition("Schedulable", "False", "JobsNotRunnable", stuck))
    return tuple(found)


def final_conditions(
    state: State,
    target: Target | None,
    previous: Iterable[Mapping[str, Any]],
    gate: Gate | None = None,
) -> tuple[Condition, ...]:
    """The conditions of a BatchJob that is Complete or Failed for this reason; without one it is Complete."""
    stored = {str(entry.get("type")): entry for entry in previous}
    found = [*_suspension(state, stored), *_loss(state), *(gate or Gate()).conditions(target)]
    found += retrying.conditions(state.retry)
    if target is None:
        text = f"all {state.ledger.size} indexes succeeded"
        target = Target("CompletionsReached", text, success=True)
    found.append(_aim(target))
    if target.success:
        found += [
            Condition("Complete", "True", target.reason, target.message),
            ready("Completed", target.message),
        ]
    else:
        text = "; ".join([target.message, *(cause_of(failure) for failure in state.failures[:1])])
        found += [
            Condition("Failed", "True", target.reason, text),
            not_ready(target.reason, text),
            stalled(target.reason, text),
        ]
    return tuple(found)


def without_end(previous: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The stored conditions without those that say that, and how, it has ended."""
    ends = {"Complete", "SuccessCriteriaMet", "Failed", "FailureTarget", "Lost", "Stalled"}
    return [entry for entry in previous if entry.get("type") not in ends]


def with_answer(previous: Iterable[Mapping[str, Any]], answer: Retry) -> tuple[Condition, ...]:
    """The stored conditions with what is said of a request to retry."""
    kept = (entry for entry in previous if entry.get("type") != retrying.CONDITION)
    return (*kept_conditions(kept), *retrying.conditions(answer))


def kept_conditions(previous: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """The stored conditions, to be said again."""
    return tuple(
        Condition(entry["type"], entry["status"], entry["reason"], entry["message"]) for entry in previous
    )


def _phase(state: State, view: View, *, deleting: bool) -> list[Condition]:
    if deleting:
        return _working("Terminating", f"{len(state.open)} jobs are being terminated")
    if state.target is not None:
        message = f"{state.target.message}; what runs is being terminated"
        return [_aim(state.target), *_working("Terminating", message)]
    if state.suspended:
        idle = [not_ready("Suspended", "the BatchJob is suspended")]
        return _working("Suspending", "what runs is being terminated") if state.open else idle
    if any(shard.state == "Intent" for shard in state.open):
        message = "it is not known yet whether a job was accepted; it is looked up by its name"
        return _working("LookingUpJobs", message)
    if view.gate.waiting and not state.open:
        return _working(WAITING, view.gate.waiting)
    succeeded = len(state.ledger.succeeded) + counts_of(state.open, view.seen).succeeded
    text = f"{succeeded} of {state.ledger.size} indexes succeeded"
    return _working("Running", f"{text}; {_line(view.position)}" if view.position else text)


def _line(position: int) -> str:
    if position >= BEYOND:
        return f"more than {BEYOND - 1} jobs are before it in the queue"
    before = {1: "no job is", 2: "1 job is"}.get(position, f"{position - 1} jobs are")
    return f"{before} before it in the queue"


def _working(reason: str, message: str) -> list[Condition]:
    return [not_ready(reason, message), reconciling(reason, message)]


def _aim(target: Target) -> Condition:
    kind = "SuccessCriteriaMet" if target.success else "FailureTarget"
    return Condition(kind, "True", target.reason, target.message)


def _suspension(state: State, stored: Mapping[str, Any]) -> list[Condition]:
    if state.suspended:
        return [Condition("Suspended", "True", "JobSuspended", "the BatchJob is suspended")]
    if "Suspended" in stored:
        return [Condition("Suspended", "False", "JobResumed", "the BatchJob was resumed")]
    return []


def _loss(state: State) -> list[Condition]:
    if not state.lost:
        return []
    message = (
        f"Batch forgot jobs of {state.lost} indexes before their results were read; they count as failed"
    )
    return [Condition("Lost", "True", "JobsForgotten", message)]


def _stuck(state: State, view: View, stored: Mapping[str, Any] | None) -> str:
    """Why something that runs cannot start, and what to do; empty when nothing is known to be stuck."""
    for shard in state.open:
        seen = view.seen.get(shard.job_id or "")
        if seen is None or not seen.idle:
            continue
        if shard.size == 1:
            reason: str | None = said_to_be_stuck(seen.reason)
        else:
            reason = view.glimpses.get(shard.job_id or "", Glimpse()).stuck
        if reason is None and stored is not None:
            # After a restart the children have not been asked again yet.
            return str(stored.get("message"))
        if reason:
            return with_advice(reason)
    return ""


def _states(counts: Counts) -> States:
    return States(
        submitted=counts.submitted,
        pending=counts.pending,
        runnable=counts.runnable,
        starting=counts.starting,
        running=counts.running,
    )


def _text_set(text: str | None, size: int) -> IndexSet:
    return IndexSet.from_text(text, size) if text else IndexSet()


def _set_text(indexes: IndexSet) -> str | None:
    return bounded_text(indexes.intervals(), INTERVALS_LIMIT) or None


def _json(model: Model) -> dict[str, Any]:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)
