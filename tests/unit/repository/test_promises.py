"""Each promise of the documentation is held by tests that exist."""

import re

from repository_files import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
ROW = re.compile(r"^\| (P\d+) \|(.*)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_promise_has_a_test() -> None:
    rows = dict(ROW.findall(PAGE))

    assert list(rows) == [f"P{number}" for number in range(1, 16)]
    assert [name for name, row in rows.items() if not TEST.search(row)] == []


def test_every_test_that_holds_a_promise_exists() -> None:
    missing = [
        f"{path}::{name}"
        for path, name in TEST.findall(PAGE)
        if not (ROOT / path).exists() or not re.search(rf"def {name}\(", (ROOT / path).read_text())
    ]

    assert missing == []
