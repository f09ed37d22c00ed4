"""What is due, and when.

Invariant: callbacks run in order of their time, and of their creation where times are equal. Nothing is
ever cancelled here: a callback checks for itself whether its moment still means anything.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Any


class Timers:
    """A heap of callbacks; guarded by the world's lock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = itertools.count()

    def add(self, at: float, callback: Callable[..., None], *arguments: Any) -> None:
        """Call back at a moment, with the arguments."""
        heapq.heappush(self._heap, (at, next(self._order), callback, arguments))

    def next_at(self) -> float | None:
        """The earliest moment, or None."""
        return self._heap[0][0] if self._heap else None

    def run(self, until: float, limit: int) -> int:
        """Run what is due, at most `limit` callbacks; how many ran."""
        count = 0
        while self._heap and self._heap[0][0] <= until and count < limit:
            _, _, callback, arguments = heapq.heappop(self._heap)
            callback(*arguments)
            count += 1
        return count

    def clear(self) -> None:
        """Forget everything."""
        self._heap.clear()
