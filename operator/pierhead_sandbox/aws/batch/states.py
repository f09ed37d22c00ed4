"""Job states and how an ended attempt is judged.

Invariant: pure. Source: AWS Batch user guide, "Job states" and "Automated job retries".
"""

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any


class Status(IntEnum):
    """In the order in which a job passes them; FAILED and SUCCEEDED are final."""

    SUBMITTED = 0
    PENDING = 1
    RUNNABLE = 2
    STARTING = 3
    RUNNING = 4
    SUCCEEDED = 5
    FAILED = 6


STATUSES = tuple(Status)
WAITING = frozenset({Status.SUBMITTED, Status.PENDING, Status.RUNNABLE})
ACTIVE = frozenset({Status.STARTING, Status.RUNNING})
FINAL = frozenset({Status.SUCCEEDED, Status.FAILED})

ENDED = "Essential container in task exited"
CHILD_FAILED = "Array Child Job failed"
DEPENDENCY_FAILED = "Dependent Job failed"
TIMED_OUT = "Job attempt duration exceeded timeout"
OVERRIDES_TOO_LONG = "Container Overrides length must be at most 8192"

# What a container that had to be killed leaves behind: 128 + SIGKILL.
KILLED = 137


def retries(
    strategy: Mapping[str, Any],
    *,
    attempt: int,
    exit_code: int | None,
    reason: str,
    status_reason: str,
) -> bool:
    """Whether a failed attempt (counted from 1) is followed by another.

    The first rule whose every given pattern matches decides; where no rule matches, the job is retried.
    """
    if attempt >= int(strategy.get("attempts") or 1):
        return False
    rules: Sequence[Mapping[str, str]] = strategy.get("evaluateOnExit") or ()
    seen = {
        "onExitCode": "" if exit_code is None else str(exit_code),
        "onReason": reason,
        "onStatusReason": status_reason,
    }
    for rule in rules:
        patterns = [(seen[key], rule[key]) for key in seen if rule.get(key)]
        if all(matches(text, pattern) for text, pattern in patterns):
            return rule["action"].upper() == "RETRY"
    return True


def matches(text: str, pattern: str) -> bool:
    """A pattern whose only wildcard is one asterisk at its end."""
    if pattern.endswith("*"):
        return text.startswith(pattern[:-1])
    return text == pattern


_INTERVALS = re.compile(r"\d+(-\d+)?(,\d+(-\d+)?)*")


def in_intervals(number: int, intervals: Sequence[tuple[int, int]]) -> bool:
    """Whether a number is in one of the closed intervals."""
    return any(low <= number <= high for low, high in intervals)


def parse_intervals(text: str) -> tuple[tuple[int, int], ...]:
    """`3,7-9` as closed intervals. Raises ValueError on anything else."""
    if not _INTERVALS.fullmatch(text):
        raise ValueError(f"{text!r} is not a list of numbers and ranges such as 3,7-9")
    found = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        found.append((int(low), int(high or low)))
    return tuple(found)
