"""A picture of all indexes in as many cells as there is room for.

Invariant: pure. The cells cover every index exactly once, in ascending order, and their sizes differ by one
at most. Indexes whose fate a shortened interval text does not tell are said to be unknown, never guessed.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.intervals import Interval, parse
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.cli.batch.views import size_of, status_of

_SHORTENED: Final = ",..."


@dataclass(frozen=True, slots=True)
class Picture:
    """What a status tells of single indexes."""

    size: int
    succeeded: Sequence[Interval] = ()
    failed: Sequence[Interval] = ()
    """For good."""

    active: int = 0
    """How many of the others are in Batch. They are taken to be the lowest: pierhead sends those first."""

    told_until: int | None = None
    """From this index on a shortened text does not tell; None where all is told."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A range of indexes: how many are in each state."""

    first: int
    last: int
    succeeded: int = 0
    failed: int = 0
    active: int = 0
    unknown: int = 0

    @property
    def size(self) -> int:
        """Number of indexes."""
        return self.last - self.first + 1

    @property
    def waiting(self) -> int:
        """Those in no other state."""
        return self.size - self.succeeded - self.failed - self.active - self.unknown


def picture_of(obj: Mapping[str, Any]) -> Picture:
    """What is known of the indexes of a BatchJob."""
    status, size = status_of(obj), size_of(obj)
    texts = [str(status.get(name) or "") for name in ("completedIndexes", "failedIndexes")]
    succeeded, failed = (parse(text, size) for text in texts)
    if not texts[0].endswith(_SHORTENED) and sum(map(_length, succeeded)) == size:
        return Picture(size, succeeded)
    ends = [
        found[-1][1] + 1 if found else 0
        for text, found in zip(texts, (succeeded, failed), strict=True)
        if text.endswith(_SHORTENED)
    ]
    return Picture(size, succeeded, failed, int(status.get("active") or 0), min(ends, default=None))


def with_record(picture: Picture, ledger: Ledger, *, finished: bool) -> Picture:
    """The picture with what the exact record adds to shortened texts: the results of jobs that have ended."""
    succeeded = IndexSet.spanning(picture.succeeded) | ledger.succeeded
    failed = IndexSet.spanning(picture.failed)
    if finished:
        # What failed and has not succeeded will not any more.
        failed |= ledger.exhausted(0)
    return replace(
        picture,
        succeeded=succeeded.intervals(),
        failed=(failed - succeeded).intervals(),
        told_until=None if finished else picture.told_until,
    )


def cells(picture: Picture, room: int) -> list[Cell]:
    """The picture in at most `room` cells; `room` is at least 1."""
    count = min(picture.size, room)
    edges = [number * picture.size // count for number in range(count + 1)]
    succeeded, failed = _Counter(picture.succeeded), _Counter(picture.failed)
    until = picture.size if picture.told_until is None else picture.told_until
    found, active = [], picture.active
    for first, end in pairwise(edges):
        good, bad = succeeded.within(first, end), failed.within(first, end)
        told = max(0, min(end, until) - first)
        known = _told_of(succeeded, failed, first, min(end, until))
        unknown = end - first - told - (good + bad - known)
        running = min(active, told - known)
        active -= running
        found.append(Cell(first, end - 1, good, bad, running, unknown))
    return found


def rows(picture: Picture, *, columns: int, lines: int) -> list[list[Cell]]:
    """The picture in lines of `columns` cells at most, and `lines` lines at most."""
    found = cells(picture, max(1, columns) * max(1, lines))
    width = max(1, columns)
    return [found[start : start + width] for start in range(0, len(found), width)]


def sign(cell: Cell) -> tuple[str, str]:
    """How a cell looks: a character, and rich's name of its colour.

    One failure colours the whole cell. The fuller the character, the more of the cell has ended.
    """
    ended = (cell.succeeded + cell.failed) / cell.size
    shade = "█" if ended == 1 else "▓" if ended >= _MOST else "▒" if ended >= _SOME else "░"
    if cell.failed:
        return shade, "red"
    if cell.succeeded == cell.size:
        return shade, "green"
    if cell.unknown:
        return "?", "bright_black"
    if cell.active:
        return shade, "yellow"
    return (shade, "green") if cell.succeeded else ("·", "bright_black")


_MOST: Final = 2 / 3
_SOME: Final = 1 / 3


class _Counter:
    """How many members of a set of intervals are in a range, in the time of a search."""

    def __init__(self, intervals: Sequence[Interval]) -> None:
        self._firsts = [first for first, _ in intervals]
        self._intervals = intervals
        self._before = list(_running_total(intervals))

    def within(self, first: int, end: int) -> int:
        """Members from `first` to below `end`."""
        return max(0, self._below(end) - self._below(first))

    def _below(self, index: int) -> int:
        place = bisect_right(self._firsts, index - 1)
        if place == 0:
            return 0
        first, last = self._intervals[place - 1]
        return self._before[place - 1] + min(last, index - 1) - first + 1


def _told_of(succeeded: _Counter, failed: _Counter, first: int, end: int) -> int:
    return succeeded.within(first, end) + failed.within(first, end) if end > first else 0


def _running_total(intervals: Sequence[Interval]) -> Iterator[int]:
    total = 0
    for interval in intervals:
        yield total
        total += _length(interval)


def _length(interval: Interval) -> int:
    return interval[1] - interval[0] + 1
