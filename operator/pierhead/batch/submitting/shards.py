"""How the indexes of a round are laid out over Batch jobs, and how a container finds its own.

Invariant: the shards of a round take every index of its plan exactly once, in ascending order; each is at
most one array job long, and its index map fits the override it travels in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.ledgers.intervals import Interval, to_text
from pierhead.batch.submitting.contract import INDEX_MAP, INDEX_OFFSET

ARRAY_LIMIT = 10_000
"""Most children of an array job; the least is 2, so one index alone is a plain job."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a round's plan: the `size` indexes after the `first` lowest ones."""

    first: int
    size: int


def split(plan: Layout, *, start: int, most: int, map_limit: int, room: int | None = None) -> list[Part]:
    """The next shards of a plan whose `start` lowest indexes are laid out already; at most `most` shards.

    `map_limit` is the longest index map in characters; `room` the most indexes of all these shards.
    """
    parts: list[Part] = []
    rest = plan.part_intervals(start, len(plan.indexes) - start)
    position = start
    left = len(plan.indexes) if room is None else room
    while rest and left > 0 and len(parts) < most:
        size, rest = _take(rest, map_limit, min(left, ARRAY_LIMIT))
        parts.append(Part(position, size))
        position += size
        left -= size
    return parts


def index_variables(indexes: IndexSet) -> dict[str, str]:
    """The environment that tells the children of one shard which indexes are theirs."""
    intervals = indexes.intervals()
    if len(intervals) == 1:
        return {INDEX_OFFSET: str(intervals[0][0])}
    return {INDEX_MAP: to_text(intervals)}


def _take(intervals: Sequence[Interval], map_limit: int, limit: int) -> tuple[int, list[Interval]]:
    size = characters = 0
    for number, (first, last) in enumerate(intervals):
        taken = min(last - first + 1, limit - size)
        characters += len(to_text([(first, first + taken - 1)])) + (number > 0)
        # The first interval needs no map: alone it is an offset.
        if taken == 0 or (number > 0 and characters > map_limit):
            return size, list(intervals[number:])
        size += taken
        if first + taken <= last:
            return size, [(first + taken, last), *intervals[number + 1 :]]
    return size, []
