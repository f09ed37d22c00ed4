"""What documentation and code point at exists."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from repository_files import ROOT, shown, text_of, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGE = re.compile(r"\bdocs/[\w/-]+\.md\b")


def anchors(page: Path) -> set[str]:
    """What links can name in a page: its headings, as GitHub makes anchors of them."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ +(.*)$", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower().strip()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> Iterator[str]:
    for target in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = page.parent / path if path else page
        if not place.exists() or (anchor and place.suffix == ".md" and anchor not in anchors(place)):
            yield target


@pytest.mark.parametrize("page", tracked("*.md"), ids=shown)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    assert list(dead_links(page)) == []


def test_every_page_that_code_or_values_mention_exists() -> None:
    dead = [
        f"{shown(path)}: {page}"
        for path in tracked("operator/*", "charts/*", "crds/*", "examples/*", "Makefile")
        for page in PAGE.findall(text_of(path))
        if not (ROOT / page).exists()
    ]

    assert dead == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(LINK.findall((folder / "README.md").read_text()))

    assert {path.name for path in folder.glob("*.md")} - listed == {"README.md"}


def test_decisions_are_numbered_without_a_gap_or_a_double() -> None:
    numbers = [path.name[:4] for path in sorted((ROOT / "docs" / "decisions").glob("0*.md"))]

    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
