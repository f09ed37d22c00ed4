"""The steps that bring results from Batch into the ledger.

Invariant: a shard is closed in the same step that adds its results, and only when every place of it has one.
"""

import asyncio
from dataclasses import replace

from pierhead.batch.following.children import Results, results_of
from pierhead.batch.following.jobs import SUCCEEDED, Glimpse, Seen
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.metrics import RunMetrics
from pierhead.batch.model.status import Shard, ShardState
from pierhead.batch.policies import judged
from pierhead.batch.report import merged, told
from pierhead.batch.situation import Situation
from pierhead.batch.state import part_of
from pierhead.engine.outcome import Waiting


async def harvest(situation: Situation, shards: tuple[Shard, ...]) -> None:
    """Reads the results of jobs that ended, into the ledger.

    Raises Waiting while Batch's lists show none of them.
    """
    results = await asyncio.gather(*(_results(situation, shard) for shard in shards))
    late = []
    for shard, seen, found in results:
        if found.unknown:
            late.append(shard)
            continue
        state, indexes = situation.state, situation.indexes_of(shard)
        failures = situation.failures(shard, found.details)
        verdicts = judged(situation.spec.failure_policy, found.details)
        counted = found.failed - verdicts.ignored
        ledger = state.ledger.with_results(indexes.at_places(found.succeeded), indexes.at_places(counted))
        ledger = ledger.barring(indexes.at_places(verdicts.barred))
        known = tuple(merged(state.failures, failures, ledger.succeeded))
        interrupted = part_of(shard).at_least(found.interrupted)
        state = replace(state, ledger=ledger, failures=known)
        if state.target is None:
            state = replace(state, target=situation.fatal(shard, verdicts))
        situation.state = state.closing(told(shard, interrupted), _end_of(seen), situation.now)
        _count(situation.shared.runs, found)
    if len(late) == len(shards):
        raise Waiting(
            f"Batch's lists do not show yet how the children of {situation.job_name(late[0])} ended",
            reason="ResultsNotListed",
            after=situation.shared.settings.batch_poll_seconds,
        )


def _count(runs: RunMetrics, found: Results) -> None:
    by_host = found.interrupted.indexes
    runs.ended("succeeded", len(found.succeeded))
    runs.ended("failed", len(found.failed) - by_host)
    runs.ended("interrupted", by_host)
    runs.interrupted(found.interrupted.attempts)


async def _results(situation: Situation, shard: Shard) -> tuple[Shard, Seen, Results]:
    job_id = shard.job_id or ""
    seen = situation.seen[job_id]
    patient = situation.now < (seen.ended_since or situation.now) + situation.shared.settle
    every = situation.spec.failure_policy is not None
    found = await results_of(situation.client, job_id, seen, shard.size, patient=patient, every=every)
    return shard, seen, found


def _end_of(seen: Seen) -> ShardState:
    if seen.status == SUCCEEDED:
        return "Succeeded"
    return "Terminated" if seen.stopped_by_us else "Failed"


def lose(situation: Situation, shards: tuple[Shard, ...]) -> None:
    """Closes jobs that Batch has forgotten: what is not known to have succeeded counts as failed for good."""
    glimpses = situation.glimpses
    for shard in shards:
        state, indexes = situation.state, situation.indexes_of(shard)
        glimpse = glimpses.get(shard.job_id or "", Glimpse())
        succeeded = indexes.at_places(glimpse.succeeded) | (situation.told & indexes)
        lost = indexes - succeeded
        ledger = state.ledger.with_results(succeeded, IndexSet()).barring(lost)
        state = replace(state, ledger=ledger, lost=state.lost + len(lost))
        known = told(shard, part_of(shard).at_least(glimpse.interrupted))
        situation.state = state.closing(known, "Lost", situation.now)
        situation.shared.runs.ended("lost", len(lost))
