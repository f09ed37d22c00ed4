"""Sets of completion indexes, exact and small: a hundred thousand indexes are twelve kilobytes.

Invariant: a set is immutable, and its bytes are the same for the same members.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pierhead.batch.intervals import Interval, parse, to_text

_RUN = re.compile("1+")


@dataclass(frozen=True, slots=True)
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
        return IndexSet.spanning(part_of(self.intervals(), start, size))


def part_of(intervals: Iterable[Interval], start: int, size: int) -> list[Interval]:
    """The intervals of the `size` numbers that follow the `start` lowest ones."""
    found: list[Interval] = []
    skip, wanted = start, size
    for first, last in intervals:
        length = last - first + 1
        if skip >= length:
            skip -= length
            continue
        begin = first + skip
        skip = 0
        end = min(last, begin + wanted - 1)
        if wanted > 0:
            found.append((begin, end))
            wanted -= end - begin + 1
        if wanted <= 0:
            break
    return found
