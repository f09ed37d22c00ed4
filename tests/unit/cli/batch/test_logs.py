"""Which job ran an index, and which of its attempts is meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.aws.batchsurvey import Attempt
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.submitting.shards import index_variables
from pierhead.cli.batch.jobs import place_of
from pierhead.cli.batch.logs import chosen
from pierhead.cli.failures import CommandError


@pytest.mark.parametrize(
    ("index", "size", "variables", "expected"),
    [
        (3, 10, {}, 3),
        (10, 10, {}, None),
        (12_003, 10_000, {"PIERHEAD_INDEX_OFFSET": "10000"}, 2003),
        (9_999, 10_000, {"PIERHEAD_INDEX_OFFSET": "10000"}, None),
        (7, None, {"PIERHEAD_INDEX_OFFSET": "7"}, 0),
        (8, None, {"PIERHEAD_INDEX_OFFSET": "7"}, None),
        (9, 5, {"PIERHEAD_INDEX_MAP": "3,7-9,12"}, 3),
        (5, 5, {"PIERHEAD_INDEX_MAP": "3,7-9,12"}, None),
        (13, 5, {"PIERHEAD_INDEX_MAP": "3,7-9,12"}, None),
    ],
)
def test_an_index_is_found_as_the_container_finds_it(
    index: int, size: int | None, variables: dict[str, str], expected: int | None
) -> None:
    assert place_of(index, size, variables) == expected


@given(st.sets(st.integers(0, 200), min_size=1))
def test_every_index_of_a_shard_is_found_at_its_place_and_no_other(members: set[int]) -> None:
    indexes = IndexSet.of(members)
    size = len(members) if len(members) > 1 else None
    found = {index: place_of(index, size, index_variables(indexes)) for index in range(202)}
    assert [index for index, place in found.items() if place is not None] == sorted(members)
    assert [place for place in found.values() if place is not None] == list(range(len(members)))


def test_the_last_attempt_is_meant_unless_another_is_asked_for() -> None:
    attempts = [Attempt("g", name, None, None) for name in ("one", "two")]
    assert chosen(attempts, 0, None).log_stream == "two"
    assert chosen(attempts, 0, 1).log_stream == "one"
    with pytest.raises(CommandError, match="no attempt 3"):
        chosen(attempts, 0, 3)
    with pytest.raises(CommandError, match="not started"):
        chosen([], 4, None)
