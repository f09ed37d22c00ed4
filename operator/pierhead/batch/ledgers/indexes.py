"""Sets of completion indexes, exact and small: a hundred thousand indexes are twelve kilobytes.

Invariant: a set is immutable, and its bytes are the same for the same members.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from pierhead.batch.ledgers.intervals import Interval, bounded_text, parse, to_text

_RUN = re.compile("1+")
_SHOWN = 80


@dataclass(frozen=True, slots=True, repr=False)
class IndexSet:
    """A set of numbers from 0 upwards; bit i of `bits` says whether i is in it."""

    bits: int = 0

    @classmethod
    def below(cls, size: int) -> "IndexSet":
        """Every index below `size`."""
        return cls((1 << size) - 1)

    @classmethod
    def of(cls, indexes: Iterable[int]) -> "IndexSet":
        """These indexes."""
        return cls.spanning((index, index) for index in indexes)

    @classmethod
    def spanning(cls, intervals: Iterable[Interval]) -> "IndexSet":
        """Every index of these intervals, which may come in any order."""
        known = [(first, last) for first, last in intervals if last >= first]
        if not known:
            return cls()
        digits = bytearray(b"0") * (max(last for _, last in known) + 1)
        for first, last in known:
            digits[first : last + 1] = b"1" * (last - first + 1)
        digits.reverse()
        return cls(int(digits, 2))

    @classmethod
    def from_text(cls, text: str, size: int) -> "IndexSet":
        """What Kubernetes reads in an interval text of a Job with `size` completions."""
        return cls.spanning(parse(text, size))

    @classmethod
    def from_bytes(cls, data: bytes) -> "IndexSet":
        """The set `to_bytes` wrote."""
        return cls(int.from_bytes(data, "little"))

    def to_bytes(self, size: int) -> bytes:
        """A bitmap of indexes below `size`. Raises OverflowError when the set has larger ones."""
        return self.bits.to_bytes((size + 7) // 8, "little")

    def __repr__(self) -> str:
        return f"IndexSet({bounded_text(self.intervals(), _SHOWN)!r})"

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def __contains__(self, index: int) -> bool:
        return index >= 0 and bool(self.bits >> index & 1)

    def __iter__(self) -> Iterator[int]:
        for first, last in self.intervals():
            yield from range(first, last + 1)

    def __or__(self, other: "IndexSet") -> "IndexSet":
        return IndexSet(self.bits | other.bits)

    def __and__(self, other: "IndexSet") -> "IndexSet":
        return IndexSet(self.bits & other.bits)

    def __xor__(self, other: "IndexSet") -> "IndexSet":
        return IndexSet(self.bits ^ other.bits)

    def __sub__(self, other: "IndexSet") -> "IndexSet":
        return IndexSet(self.bits & ~other.bits)

    def intervals(self) -> list[Interval]:
        """The set as ascending intervals that do not touch."""
        lowest_first = format(self.bits, "b")[::-1]
        return [(run.start(), run.end() - 1) for run in _RUN.finditer(lowest_first)]

    def text(self) -> str:
        """The set as interval text."""
        return to_text(self.intervals())

    def part(self, start: int, size: int) -> "IndexSet":
        """The `size` members that follow the `start` lowest ones."""
        return Layout(self).part(start, size)

    def at_places(self, places: "IndexSet") -> "IndexSet":
        """The members at these places: 0 is the lowest."""
        intervals = self.intervals()
        if len(intervals) == 1:
            return IndexSet(places.bits << intervals[0][0]) & self
        members = list(self)
        return IndexSet.of(members[place] for place in places if place < len(members))


class Layout:
    """A set made ready for being taken apart."""

    def __init__(self, indexes: IndexSet) -> None:
        self.indexes = indexes
        self.intervals = indexes.intervals()
        lengths = (last - first + 1 for first, last in self.intervals)
        self._starts = [0, *accumulate(lengths)]

    def part(self, start: int, size: int) -> IndexSet:
        """The `size` members that follow the `start` lowest ones."""
        return IndexSet.spanning(self.part_intervals(start, size))

    def part_intervals(self, start: int, size: int) -> list[Interval]:
        """The same as intervals."""
        end = min(start + size, self._starts[-1])
        found: list[Interval] = []
        number = bisect_right(self._starts, start) - 1
        while start < end:
            first, last = self.intervals[number]
            begin = first + start - self._starts[number]
            finish = min(last, begin + end - start - 1)
            found.append((begin, finish))
            start += finish - begin + 1
            number += 1
        return found
