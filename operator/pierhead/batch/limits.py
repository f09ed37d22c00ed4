"""What of a spec decides, with its defaults filled in.

Invariant: everything a decision takes from the spec is in here, checked; nothing of it depends on time.
"""

from dataclasses import dataclass

from pierhead.batch.ledgers.ledger import MOST_FAILURES
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.spec import Order
from pierhead.batch.policies import Criterion, criteria_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What of the spec decides, with its defaults filled in."""

    backoff_limit_per_index: int = 0
    backoff_limit: int | None = None
    """Most failures of all indexes together."""
    max_failed_indexes: int | None = None
    parallelism: int | None = None
    """Most indexes in Batch at once."""
    order: Order = "Parallel"
    """Whether an index waits for the one before it."""
    success: tuple[Criterion, ...] = ()
    """One of these is enough to be complete."""
    active_deadline_seconds: int | None = None
    suspend: bool = False
    map_limit: int = 8000
    """Longest index map in characters that fits beside the template's own overrides."""


def limits_of(spec: BatchJobSpec, *, map_limit: int) -> Limits:
    """The limits of a spec. Raises Invalid for a success policy that can never hold."""
    return Limits(
        backoff_limit_per_index=backoff_limit_per_index(spec),
        backoff_limit=spec.backoff_limit,
        max_failed_indexes=spec.max_failed_indexes,
        parallelism=spec.parallelism,
        order=spec.order,
        success=criteria_of(spec.success_policy, spec.completions),
        active_deadline_seconds=spec.active_deadline_seconds,
        suspend=spec.suspend,
        map_limit=map_limit,
    )


def backoff_limit_per_index(spec: BatchJobSpec) -> int:
    """How often an index that failed runs again."""
    if spec.backoff_limit_per_index is not None:
        return spec.backoff_limit_per_index
    if spec.backoff_limit is not None:
        return min(spec.backoff_limit, MOST_FAILURES - 1)
    return 0
