"""Interval text such as `1,3-5,8,9`, by the rules Kubernetes writes and reads `completedIndexes` with.

Invariant: intervals ascend and never touch; two neighbours are written `8,9` and three or more `3-5`.
Source: Kubernetes API reference, JobStatus; `pkg/controller/job/indexed_job_utils.go`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

Interval = tuple[int, int]
"""First and last number, both included."""

_NUMBER = re.compile(r"[+]?[0-9]+")
_MORE = ",..."


def to_text(intervals: Iterable[Interval]) -> str:
    """The intervals as text."""
    return ",".join(_parts(intervals))


def bounded_text(intervals: Sequence[Interval], limit: int) -> str:
    """The text in at most `limit` characters: where it is longer, its first intervals and `,...`.

    `parse` of a shortened text gives the intervals that are in it.
    """
    written: list[str] = []
    length = 0
    for part in _parts(intervals):
        if length + len(part) + 1 > limit - len(_MORE):
            whole = to_text(intervals)
            return whole if len(whole) <= limit else ",".join(written) + _MORE
        written.append(part)
        length += len(part) + 1
    return ",".join(written)


def parse(text: str, completions: int) -> list[Interval]:
    """The intervals of a text, cut to numbers below `completions`.

    As Kubernetes does: a part that is not a number or a range is skipped, neighbours are joined, and
    reading ends at the first part that begins at or above `completions`.
    """
    found: list[Interval] = []
    for part in text.split(","):
        limits = part.split("-")
        if not all(_NUMBER.fullmatch(limit) for limit in limits[:2]):
            continue
        first = int(limits[0])
        if first >= completions:
            break
        last = min(int(limits[1]), completions - 1) if len(limits) > 1 else first
        if found and found[-1][1] == first - 1:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def _parts(intervals: Iterable[Interval]) -> Iterator[str]:
    for first, last in intervals:
        if last == first:
            yield str(first)
        elif last == first + 1:
            yield f"{first},{last}"
        else:
            yield f"{first}-{last}"
