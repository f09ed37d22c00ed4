"""Version ranges, judged by the tests of the library that Helm uses."""

from pathlib import Path

import pytest

from pierhead.versions import Version, VersionRange

TABLE = Path(__file__).parents[1] / "data" / "version_ranges.tsv"
ROWS = [line.split("\t") for line in TABLE.read_text().splitlines() if not line.startswith("#")]


def version(text: str) -> Version:
    found = Version.parse(text)
    assert found is not None
    return found


def test_a_range_means_what_it_means_to_helm():
    assert len(ROWS) > 100
    wrong = [row for row in ROWS if VersionRange(row[0]).allows(version(row[1])) != (row[2] == "true")]
    assert wrong == []


@pytest.mark.parametrize(
    "text", ["", "||", "abc", ">=1.0.0<2.0.0", ">= 1.0 ||", "1.2.3.4", ">> 1", "1,", ">=", "1.1x"]
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match="version"):
        VersionRange(text)


def test_a_long_text_is_judged_at_once():
    with pytest.raises(ValueError, match="version"):
        VersionRange("1.0 " * 5000 + "!")


def test_the_order_is_that_of_semver():
    before = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1"
    versions = [version(text) for text in [*before.split(), "1.0.0", "1.0.1", "1.10.0"]]
    assert versions[0] < versions[-1]
    assert sorted(versions, key=lambda each: each) == versions
    assert version("1.2") == version("v1.2.0+build")


def test_the_newest_of_a_range_is_chosen_and_what_is_no_version_does_not_count():
    texts = ["latest", "1.9.0", "v1.10.0", "2.0.0", "1.11.0-rc.1", "1.10", "sha256-abc.sig"]
    assert VersionRange("1.x").newest(texts) == "v1.10.0"
    assert VersionRange(">=1.0.0-0 <2").newest(texts) == "1.11.0-rc.1"
    assert VersionRange("^3").newest(texts) is None
    assert VersionRange("*").newest([]) is None


def test_the_choice_does_not_depend_on_the_order_of_what_is_offered():
    texts = ["1.0.0+b", "1.0.0+a"]
    assert VersionRange("*").newest(texts) == VersionRange("*").newest(reversed(texts)) == "1.0.0+b"
