"""Job names are Batch's, and no two alike."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pierhead.batch.submitting.names import JobNames

BATCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
names = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?", fullmatch=True)


@given(labels, names, st.uuids(), st.integers(0, 10**6), st.integers(0, 10**6))
def test_names_are_such_as_batch_takes_and_lower_case(namespace, name, uid, number, shard):
    job = JobNames.of(namespace, name, str(uid)).job(number, shard)
    assert BATCH_NAME.fullmatch(job)
    assert job == job.lower()


@given(st.tuples(st.integers(0, 99), st.integers(0, 99)), st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_names_differ_by_round_and_shard(one, other):
    known = JobNames.of("team", "job", "0f1e2d3c-0000")
    assert (known.job(*one) == known.job(*other)) == (one == other)


def test_names_tell_an_object_from_its_namesake():
    assert JobNames.of("team", "job", "0f1e2d3c-1").job(0, 0) == "team-job-0f1e2d3c-r0-s0"
    assert JobNames.of("team", "job", "1f1e2d3c-1").job(0, 0) != JobNames.of("team", "job", "0f1e2d3c-1").job(
        0, 0
    )


def test_a_round_has_a_prefix_of_its_own():
    known = JobNames.of("team", "job", "0f1e2d3c-1")
    assert known.job(1, 12).startswith(known.prefix(1))
    assert not known.job(11, 0).startswith(known.prefix(1))
