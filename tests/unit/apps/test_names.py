"""Release names fit Helm and stay apart."""

import re

from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.names import RELEASE_NAME_LIMIT, release_name

NAMES = st.from_regex(re.compile(r"[a-z0-9]([-a-z0-9]{0,250}[a-z0-9])?"), fullmatch=True)


@given(NAMES)
def test_fits_and_is_stable(name):
    assert len(release_name(name)) <= RELEASE_NAME_LIMIT
    assert release_name(name) == release_name(name)
    assert name.startswith(release_name(name)[:40])


@given(NAMES, NAMES)
def test_different_names_stay_different(one, other):
    assert (release_name(one) == release_name(other)) == (one == other)
