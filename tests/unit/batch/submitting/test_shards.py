"""Shards take every index once, and their containers find it."""

import os
import runpy
import subprocess
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.submitting.contract import ARRAY_INDEX, INDEX_MAP, INDEX_OFFSET
from pierhead.batch.submitting.shards import ARRAY_LIMIT, index_variables, split

EXAMPLES = Path(__file__).parents[4] / "examples"
resolve = runpy.run_path(str(EXAMPLES / "batch" / "index.py"))["completion_index"]
resolve_in_thumbnail = runpy.run_path(str(EXAMPLES / "thumbnails" / "thumbnail.py"))["completion_index"]

plans = st.one_of(
    st.integers(1, 35_000).map(IndexSet.below),
    st.sets(st.integers(0, 3_000), min_size=1).map(IndexSet.of),
    st.lists(st.tuples(st.integers(0, 60_000), st.integers(0, 9_000)), min_size=1, max_size=30).map(
        lambda pairs: IndexSet.spanning((first, first + length) for first, length in pairs)
    ),
)


@settings(deadline=None)
@given(plans, st.integers(64, 9_000), st.integers(1, 200), st.none() | st.integers(500, 30_000))
def test_shards_cover_every_index_exactly_once(plan, map_limit, most, room):
    layout, start, covered = Layout(plan), 0, IndexSet()
    while start < len(plan):
        parts = split(layout, start=start, most=most, map_limit=map_limit, room=room)
        assert 0 < len(parts) <= most
        assert room is None or sum(part.size for part in parts) <= room
        for part in parts:
            indexes = layout.part(part.first, part.size)
            assert part.first == start
            assert len(indexes) == part.size <= ARRAY_LIMIT
            assert not indexes & covered
            assert len(index_variables(indexes).get(INDEX_MAP, "")) <= map_limit
            covered |= indexes
            start += part.size
    assert covered == plan


def test_a_hundred_thousand_indexes_are_ten_arrays():
    parts = split(Layout(IndexSet.below(100_000)), start=0, most=100, map_limit=8_000)
    assert [part.size for part in parts] == [ARRAY_LIMIT] * 10


def test_the_rest_of_one_index_is_a_plain_job():
    parts = split(Layout(IndexSet.below(ARRAY_LIMIT + 1)), start=0, most=100, map_limit=8_000)
    assert [part.size for part in parts] == [ARRAY_LIMIT, 1]


def test_fifteen_hundred_random_indexes_fit_one_map():
    scattered = IndexSet.of(range(0, 100_000, 67))
    assert len(scattered) == 1493
    assert len(split(Layout(scattered), start=0, most=100, map_limit=9_000)) == 1


@pytest.mark.parametrize("function", [resolve, resolve_in_thumbnail])
@given(indexes=st.sets(st.integers(0, 20_000), min_size=1, max_size=200).map(IndexSet.of))
def test_python_lines_resolve_the_contract(function, indexes):
    found = []
    for place in range(len(indexes)):
        environment = dict(index_variables(indexes))
        if len(indexes) > 1:
            environment[ARRAY_INDEX] = str(place)
        with mock.patch.dict(os.environ, environment, clear=True):
            found.append(function())
    assert found == list(indexes)


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({}, 0),
        ({INDEX_OFFSET: "17"}, 17),
        ({INDEX_OFFSET: "10000", ARRAY_INDEX: "9"}, 10_009),
        ({INDEX_MAP: "5"}, 5),
        ({INDEX_MAP: "3,7-9,12", ARRAY_INDEX: "0"}, 3),
        ({INDEX_MAP: "3,7-9,12", ARRAY_INDEX: "3"}, 9),
        ({INDEX_MAP: "3,7-9,12", ARRAY_INDEX: "4"}, 12),
        ({INDEX_MAP: "0-99,108,109", ARRAY_INDEX: "101"}, 109),
    ],
)
def test_shell_lines_resolve_the_contract_as_the_python_ones_do(environment, index):
    shell = subprocess.run(
        ["/bin/sh", EXAMPLES / "batch" / "index.sh"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(shell.stdout) == index
    with mock.patch.dict(os.environ, environment, clear=True):
        assert resolve() == index
