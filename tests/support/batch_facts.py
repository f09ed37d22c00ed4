"""Facts for tables of what a BatchJob does next."""

from datetime import UTC, datetime, timedelta

from pierhead.batch.deciding.facts import Facts
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.limits import Limits
from pierhead.batch.model.status import Shard
from pierhead.batch.state import State, Target, to_text

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=60)
LOST_AFTER = timedelta(seconds=300)
RUNNING = Seen("PENDING", Counts(running=10))
SUCCEEDED = Seen("SUCCEEDED", Counts(succeeded=10))
FAILED = Seen("FAILED", Counts(failed=10))
FAILING = Target("DeadlineExceeded", "late")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def shard(state="Submitted", *, number=0, size=10, tries=1, since=1000.0, round_number=0) -> Shard:
    job_id = f"job-{number}" if state == "Submitted" else None
    place = {"round": round_number, "shard": number, "first": number * size, "size": size}
    return Shard(**place, state=state, since=to_text(ago(since)), tries=tries, job_id=job_id)


def state(*shards: Shard, size=10, started=True, **fields) -> State:
    return State(
        ledger=fields.pop("ledger", Ledger.first(size)),
        planned=fields.pop("planned", sum(entry.size for entry in shards)),
        next_shard=len(shards),
        open=shards,
        start_time=ago(500) if started else None,
        **fields,
    )


def facts(known: State, **fields) -> Facts:
    limits = Limits(**fields.pop("limits", {}))
    seen = fields.pop("seen", {f"job-{number}": RUNNING for number in range(5)})
    given = {"settle": SETTLE, "lost_after": LOST_AFTER, "leading_since": ago(900)} | fields
    return Facts(limits=limits, state=known, now=NOW, seen=seen, **given)


ONE_FAILED = Ledger.first(10).with_results(IndexSet.below(9), IndexSet.of([9]))
