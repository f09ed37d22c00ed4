"""Interval text is exactly Kubernetes'."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.intervals import bounded_text, parse, to_text

SIZE = 400
index_sets = st.sets(st.integers(0, SIZE - 1)).map(IndexSet.of)


def plainly(members: set[int]) -> str:
    """The rules once more, written index by index: a run of one, of two, and of more."""
    parts: list[str] = []
    for first in sorted(members):
        if first - 1 in members:
            continue
        last = first
        while last + 1 in members:
            last += 1
        ends = [str(first)] if last == first else [str(first), str(last)]
        parts.append(("-" if last > first + 1 else ",").join(ends))
    return ",".join(parts)


@pytest.mark.parametrize(
    ("members", "text"),
    [
        ([], ""),
        ([0], "0"),
        ([4, 5], "4,5"),
        ([4, 5, 6], "4-6"),
        ([0, 2, 3, 5, 6, 7, 9], "0,2,3,5-7,9"),
    ],
)
def test_text_is_written_as_kubernetes_writes_it(members, text):
    assert IndexSet.of(members).text() == text


@pytest.mark.parametrize(
    ("text", "completions", "intervals"),
    [
        ("", 10, []),
        ("0", 10, [(0, 0)]),
        ("1,3", 10, [(1, 1), (3, 3)]),
        ("1,2", 10, [(1, 2)]),
        ("1-3,4,5-7", 10, [(1, 7)]),
        ("0-2,9", 10, [(0, 2), (9, 9)]),
        # Cut to the completions.
        ("3-8", 5, [(3, 4)]),
        ("3,5,6-8", 5, [(3, 3)]),
        ("5", 5, []),
        # Corrupt parts are skipped.
        ("1,x,3", 10, [(1, 1), (3, 3)]),
        ("1,2-y,4", 10, [(1, 1), (4, 4)]),
        ("-3,4", 10, [(4, 4)]),
        (",,2", 10, [(2, 2)]),
        ("1, 2", 10, [(1, 1)]),
    ],
)
def test_text_is_read_as_kubernetes_reads_it(text, completions, intervals):
    assert parse(text, completions) == intervals


@given(st.sets(st.integers(0, SIZE - 1)))
def test_text_of_any_set_follows_the_rules(members):
    assert IndexSet.of(members).text() == plainly(members)


@given(index_sets)
def test_reading_gives_back_what_was_written(indexes):
    assert IndexSet.from_text(indexes.text(), SIZE) == indexes


@given(index_sets, st.integers(1, SIZE))
def test_reading_with_fewer_completions_cuts(indexes, completions):
    assert IndexSet.from_text(indexes.text(), completions) == indexes & IndexSet.below(completions)


@given(st.text(alphabet="0123456789-,x+ ", max_size=40), st.integers(1, SIZE))
def test_reading_never_fails_and_stays_below_the_completions(text, completions):
    assert all(last < completions for _, last in parse(text, completions))


@given(index_sets, st.integers(8, 200))
def test_bounded_text_is_short_and_true(indexes, limit):
    text = bounded_text(indexes.intervals(), limit)
    assert len(text) <= limit
    assert not IndexSet.from_text(text, SIZE) - indexes
    if len(to_text(indexes.intervals())) <= limit:
        assert text == to_text(indexes.intervals())
    else:
        assert text.endswith(",...")
