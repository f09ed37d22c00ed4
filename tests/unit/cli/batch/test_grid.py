"""A picture of all indexes, in as many cells as there is room for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.cli.batch.grid import Cell, Picture, cells, picture_of, rows, sign, with_record


def batch_job(size: int, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "j", "namespace": "n"}, "spec": {}, "status": {"size": size, **status}}


def drawn(picture: Picture, room: int) -> str:
    return "".join(sign(cell)[0] for cell in cells(picture, room))


@pytest.mark.parametrize(
    ("picture", "room", "expected"),
    [
        (Picture(4), 10, "····"),
        (Picture(4, [(0, 3)]), 10, "████"),
        (Picture(4, [(0, 1)], [(3, 3)], active=1), 10, "██░█"),
        (Picture(9, [(0, 2), (3, 4), (6, 6)]), 3, "█▓▒"),
        (Picture(6, [(0, 1)], told_until=3), 10, "██·???"),
        (Picture(1), 1, "·"),
        (Picture(100_000, [(0, 99_999)]), 5, "█████"),
    ],
)
def test_the_fuller_a_cell_the_more_of_it_has_ended(picture: Picture, room: int, expected: str) -> None:
    assert drawn(picture, room) == expected


def test_one_failure_in_a_hundred_thousand_is_seen() -> None:
    found = cells(Picture(100_000, [(0, 77_776), (77_778, 99_999)], [(77_777, 77_777)]), 4000)
    assert [cell.first <= 77_777 <= cell.last for cell in found if sign(cell)[1] == "red"] == [True]
    assert {sign(cell)[1] for cell in found} == {"red", "green"}


@pytest.mark.parametrize(
    ("cell", "colour"),
    [
        (Cell(0, 9, succeeded=9, failed=1), "red"),
        (Cell(0, 9, succeeded=10), "green"),
        (Cell(0, 9, succeeded=5, active=5), "yellow"),
        (Cell(0, 9, succeeded=5), "green"),
        (Cell(0, 9, unknown=1, active=9), "bright_black"),
        (Cell(0, 9), "bright_black"),
    ],
)
def test_the_worst_that_is_known_colours_a_cell(cell: Cell, colour: str) -> None:
    assert sign(cell)[1] == colour


def test_what_is_in_batch_are_the_lowest_that_have_not_ended() -> None:
    found = cells(Picture(10, [(0, 1)], [(4, 4)], active=3), 5)
    assert [(cell.active, cell.waiting) for cell in found] == [(0, 0), (2, 0), (1, 0), (0, 2), (0, 2)]


def test_the_picture_fits_its_place() -> None:
    found = rows(Picture(100_000), columns=80, lines=20)
    assert (len(found), {len(row) for row in found}) == (20, {80})
    assert {cell.size for row in found for cell in row} == {62, 63}
    assert [len(row) for row in rows(Picture(7), columns=3, lines=9)] == [3, 3, 1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, Picture(9, [], [])),
        ({"completedIndexes": "0-8", "active": 1}, Picture(9, [(0, 8)])),
        (
            {"completedIndexes": "0,2-4", "failedIndexes": "1", "active": 2},
            Picture(9, [(0, 0), (2, 4)], [(1, 1)], 2),
        ),
        (
            {"completedIndexes": "0,2-4,...", "failedIndexes": "1,6"},
            Picture(9, [(0, 0), (2, 4)], [(1, 1), (6, 6)], told_until=5),
        ),
        ({"completedIndexes": "0,...", "failedIndexes": "1,..."}, Picture(9, [(0, 0)], [(1, 1)], 0, 1)),
    ],
)
def test_it_is_read_from_the_status(status: dict[str, Any], expected: Picture) -> None:
    assert picture_of(batch_job(9, **status)) == expected


@pytest.mark.parametrize(("finished", "expected"), [(False, "██?█?"), (True, "██·██")])
def test_the_exact_record_fills_in_what_the_text_leaves_out(finished: bool, expected: str) -> None:
    ledger = Ledger.first(5).with_results(IndexSet.of([0, 1, 3]), IndexSet.of([4]))
    shortened = Picture(5, [(0, 1)], told_until=2)
    assert drawn(with_record(shortened, ledger, finished=finished), 5) == expected


@given(
    st.integers(1, 300), st.sets(st.integers(0, 299)), st.sets(st.integers(0, 299)), st.integers(1, 400),
    st.integers(0, 300), st.none() | st.integers(0, 300),
)  # fmt: skip
def test_every_index_is_in_one_cell_and_every_state_is_counted_once(
    size: int, good: set[int], bad: set[int], room: int, active: int, told: int | None
) -> None:
    good = {index for index in good if index < size}
    bad = {index for index in bad if index < size} - good
    picture = Picture(size, IndexSet.of(good).intervals(), IndexSet.of(bad).intervals(), active, told)
    found = cells(picture, room)
    assert [index for cell in found for index in range(cell.first, cell.last + 1)] == list(range(size))
    assert max(cell.size for cell in found) - min(cell.size for cell in found) <= 1
    for cell in found:
        inside = set(range(cell.first, cell.last + 1))
        open_ = inside - good - bad
        assert (cell.succeeded, cell.failed) == (len(inside & good), len(inside & bad))
        assert cell.unknown == sum(told is not None and index >= told for index in open_)
        assert cell.waiting >= 0
    told_open = sum(cell.active + cell.waiting for cell in found)
    assert sum(cell.active for cell in found) == min(active, told_open)
