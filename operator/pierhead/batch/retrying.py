"""Requests to run again what has not succeeded: the annotation `pierhead.dev/retry-at`. Pure.

Invariants: each value of the annotation is answered once, by work or by a refusal that stays in the status;
what has succeeded never runs again, and a BatchJob that is Complete stays so.
"""

from collections.abc import Mapping
from typing import Final

from pierhead.batch.model.status import REQUEST_LIMIT, Retry
from pierhead.engine.conditions import Condition
from pierhead.model import RETRY_AT

CONDITION: Final = "Retried"

COMPLETE: Final = "the BatchJob is Complete: nothing has failed"
RUNNING: Final = (
    "the BatchJob has not ended: while it works, failed indexes run again as often as backoffLimitPerIndex"
    " says; ask anew once it is Failed"
)


def unanswered(annotations: Mapping[str, str], answered: Retry | None) -> str | None:
    """The request in the annotations, if `answered` is not its answer."""
    request = annotations.get(RETRY_AT, "")[:REQUEST_LIMIT]
    return request if request and (answered is None or answered.request != request) else None


def refused(before: Retry | None, request: str, why: str) -> Retry:
    """The answer no, after the answer `before`; without a `why` it is not told."""
    return Retry(request=request, count=before.count if before else 0, refused=why or None)


def conditions(retry: Retry | None) -> list[Condition]:
    """What is said of the last request."""
    if retry is not None and retry.refused:
        return [Condition(CONDITION, "False", "RetryRefused", retry.refused)]
    if retry is not None and retry.count:
        times = "once" if retry.count == 1 else f"{retry.count} times"
        text = f"what had not succeeded was taken up again, {times} so far, as pierhead.dev/retry-at asked"
        return [Condition(CONDITION, "True", "RetryRequested", text)]
    return []
