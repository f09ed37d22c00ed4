"""Index sets are sets."""

from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet, Layout

SIZE = 300
members_of_sets = st.sets(st.integers(0, SIZE - 1))


@given(members_of_sets, members_of_sets)
def test_operations_are_those_of_sets(left, right):
    one, other = IndexSet.of(left), IndexSet.of(right)
    assert set(one | other) == left | right
    assert set(one & other) == left & right
    assert set(one ^ other) == left ^ right
    assert set(one - other) == left - right
    assert (one == other) == (left == right)


@given(members_of_sets)
def test_members_come_in_order(members):
    indexes = IndexSet.of(members)
    assert list(indexes) == sorted(members)
    assert len(indexes) == len(members)
    assert bool(indexes) == bool(members)
    assert all((index in indexes) == (index in members) for index in range(-1, SIZE + 1))


@given(members_of_sets)
def test_bytes_give_back_the_set(members):
    indexes = IndexSet.of(members)
    assert IndexSet.from_bytes(indexes.to_bytes(SIZE)) == indexes


@given(members_of_sets, st.integers(0, SIZE), st.integers(0, SIZE))
def test_a_part_is_a_slice_of_the_sorted_members(members, start, size):
    assert list(Layout(IndexSet.of(members)).part(start, size)) == sorted(members)[start : start + size]


@given(members_of_sets, members_of_sets)
def test_members_are_found_by_their_places(members, places):
    ordered = sorted(members)
    expected = {ordered[place] for place in places if place < len(ordered)}
    assert set(IndexSet.of(members).at_places(IndexSet.of(places))) == expected


def test_a_hundred_thousand_random_indexes_are_small():
    indexes = IndexSet.of(range(0, 100_000, 2))
    assert len(indexes.to_bytes(100_000)) == 12_500
    assert len(indexes.intervals()) == 50_000
