"""What was asked of AWS: counters and a bounded log of every call, moto's services included.

Invariant: a call is recorded exactly once, after its outcome is known, whether or not a client lived to
read the answer. The log forgets its oldest entries beyond `LOG_LIMIT`; the counters never forget.
"""

import threading
from collections import Counter, deque
from typing import Any

from pierhead_sandbox.aws.protocol import CallRecord

LOG_LIMIT = 100_000


class CallLog:
    """Thread-safe record of calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._log: deque[CallRecord] = deque(maxlen=LOG_LIMIT)

    def record(self, call: CallRecord) -> None:
        """Count a call that was answered, or deliberately was not."""
        with self._lock:
            self._counts[call.service, call.operation, call.outcome] += 1
            self._log.append(call)

    def counts(self) -> dict[str, dict[str, int]]:
        """`{"batch:SubmitJob": {"200": 3, "TooManyRequestsException": 1}}`."""
        with self._lock:
            found: dict[str, dict[str, int]] = {}
            for (service, operation, outcome), count in sorted(self._counts.items()):
                found.setdefault(f"{service}:{operation}", {})[outcome] = count
            return found

    def entries(self, *, since: float = 0) -> list[dict[str, Any]]:
        """The log's entries from `since` (Unix seconds), oldest first."""
        with self._lock:
            return [entry.model_dump() for entry in self._log if entry.at >= since]

    def clear(self) -> None:
        """Start from nothing."""
        with self._lock:
            self._counts.clear()
            self._log.clear()
