"""What is known about every index: the one truth a BatchJob's progress is computed from.

Invariant: within a round an index runs at most once, so adding a result twice changes nothing; only
`advance` ends a round, and it counts that round's failures exactly once.
"""

import zlib
from dataclasses import dataclass, field, replace

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.engine.outcome import Invalid

PLANES = 4
"""Bits of an index's failure count."""

MOST_FAILURES = (1 << PLANES) - 1
"""The highest count: an index that must not run again, whatever the limit."""

_FORMAT = 1
_HEADER = 9
_BITMAPS = 3 + PLANES


@dataclass(frozen=True, slots=True)
class FailureCounts:
    """How often each index failed, as the binary digits of all counts: plane k holds digit k."""

    planes: tuple[IndexSet, ...] = (IndexSet(),) * PLANES

    def plus_one(self, indexes: IndexSet) -> "FailureCounts":
        """One failure more for these; a count at its highest stays there."""
        carry = indexes - self.above(MOST_FAILURES - 1, indexes)
        planes = []
        for plane in self.planes:
            planes.append(plane ^ carry)
            carry &= plane
        return FailureCounts(tuple(planes))

    def never_again(self, indexes: IndexSet) -> "FailureCounts":
        """The highest count for these."""
        return FailureCounts(tuple(plane | indexes for plane in self.planes))

    def total(self) -> int:
        """All failures together; where the count is at its highest, one."""
        barred = self.planes[0]
        for plane in self.planes[1:]:
            barred &= plane
        counted = sum(len(plane - barred) << digit for digit, plane in enumerate(self.planes))
        return counted + len(barred)

    def any(self) -> IndexSet:
        """Those that failed at all."""
        found = IndexSet()
        for plane in self.planes:
            found |= plane
        return found

    def above(self, limit: int, indexes: IndexSet) -> IndexSet:
        """Those of `indexes` that failed more than `limit` times."""
        greater, equal = IndexSet(), indexes
        for digit in reversed(range(PLANES)):
            plane = self.planes[digit]
            if limit >> digit & 1:
                equal &= plane
            else:
                greater |= equal & plane
                equal -= plane
        return greater


@dataclass(frozen=True, slots=True)
class Ledger:
    """The results so far of `size` indexes."""

    size: int
    plan: IndexSet
    """Indexes that run in this round."""
    round: int = 0
    succeeded: IndexSet = field(default_factory=IndexSet)
    failed: IndexSet = field(default_factory=IndexSet)
    """Indexes that failed in this round."""
    earlier: FailureCounts = field(default_factory=FailureCounts)
    """Failures in the rounds before."""

    @classmethod
    def first(cls, size: int) -> "Ledger":
        """Before anything ran: the first round runs every index."""
        return cls(size=size, plan=IndexSet.below(size))

    @property
    def untouched(self) -> bool:
        """Whether nothing is in it that `first` would not give."""
        return self == Ledger.first(self.size)

    def with_results(self, succeeded: IndexSet, failed: IndexSet) -> "Ledger":
        """With results of this round added."""
        return replace(self, succeeded=self.succeeded | succeeded, failed=(self.failed | failed) - succeeded)

    def barring(self, indexes: IndexSet) -> "Ledger":
        """With those of these that have not succeeded never to run again."""
        return replace(self, earlier=self.earlier.never_again(indexes - self.succeeded))

    def failures(self, also_failed: IndexSet | None = None) -> int:
        """Failures in all rounds; `also_failed` as in `exhausted`."""
        failed = self.failed | (also_failed or IndexSet())
        # One that is barred is among those of earlier already.
        barred = self.earlier.above(MOST_FAILURES - 1, failed)
        return self.earlier.total() + len(failed - barred)

    def remaining(self, limit: int) -> IndexSet:
        """Indexes that have not succeeded, and failed no more than `limit` times."""
        return IndexSet.below(self.size) - self.succeeded - self.exhausted(limit)

    def resized(self, size: int, planned: int, *, at_once: bool = True) -> "Ledger":
        """For another number of indexes, new ones in the plan of the round, or else in that of the next.

        `planned` of the plan's lowest indexes have been sent to Batch. Raises Invalid when an index that
        would go has run.
        """
        ran = self.plan.part(0, planned) | self.succeeded | self.failed | self.earlier.any()
        if ran - IndexSet.below(size):
            last = ran.bits.bit_length() - 1
            raise Invalid(
                f"completions cannot be lowered to {size}: index {last} has been sent to Batch",
                reason="CompletionsBelowProgress",
                field="spec.completions",
            )
        fresh = IndexSet.below(size) - IndexSet.below(self.size)
        added = fresh if at_once else IndexSet()
        return replace(self, size=size, plan=(self.plan & IndexSet.below(size)) | added)

    def exhausted(self, limit: int, also_failed: IndexSet | None = None) -> IndexSet:
        """Indexes that failed more than `limit` times and so for good.

        `also_failed` are failures of this round that are seen and not recorded yet.
        """
        failed = self.failed | (also_failed or IndexSet())
        candidates = IndexSet.below(self.size) - self.succeeded
        return self.earlier.plus_one(failed).above(limit, candidates)

    def advance(self, limit: int) -> "Ledger":
        """The next round: every index that neither succeeded nor is exhausted. Its plan may be empty."""
        return Ledger(
            size=self.size,
            plan=self.remaining(limit),
            round=self.round + 1,
            succeeded=self.succeeded,
            earlier=self.earlier.plus_one(self.failed),
        )

    def again(self) -> "Ledger":
        """A round of every index that has not succeeded, as if none had failed before."""
        left = IndexSet.below(self.size) - self.succeeded
        return Ledger(size=self.size, plan=left, round=self.round + 1, succeeded=self.succeeded)

    def to_bytes(self) -> bytes:
        """The ledger, compressed. At most 875 KB for a million indexes, mostly a twentieth of that."""
        header = bytes([_FORMAT]) + self.round.to_bytes(4, "little") + self.size.to_bytes(4, "little")
        bitmaps = (self.plan, self.succeeded, self.failed, *self.earlier.planes)
        return zlib.compress(header + b"".join(bitmap.to_bytes(self.size) for bitmap in bitmaps), level=9)

    @classmethod
    def from_bytes(cls, data: bytes, size: int) -> "Ledger":
        """What `to_bytes` wrote for `size` indexes.

        Raises Invalid when it is anything else: the record was changed by somebody.
        """
        length = (size + 7) // 8
        try:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(data, _HEADER + _BITMAPS * length + 1)
        except zlib.error:
            content = b""
        if (
            len(content) != _HEADER + _BITMAPS * length
            or content[0] != _FORMAT
            or int.from_bytes(content[5:_HEADER], "little") != size
        ):
            raise Invalid(
                "the record of finished indexes cannot be read, so what has run is not known;"
                " delete the BatchJob and create it anew",
                reason="IndexRecordUnreadable",
            )
        bitmaps = [
            IndexSet.from_bytes(content[start : start + length]) & IndexSet.below(size)
            for start in range(_HEADER, len(content), length)
        ]
        return cls(
            size=size,
            round=int.from_bytes(content[1:5], "little"),
            plan=bitmaps[0],
            succeeded=bitmaps[1],
            failed=bitmaps[2],
            earlier=FailureCounts(tuple(bitmaps[3:])),
        )
