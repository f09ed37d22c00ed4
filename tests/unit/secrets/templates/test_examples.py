"""Every example of docs/templates.md gives what the page says."""

import re

import pytest
import yaml

from pierhead.secrets.templates.filters.table import FILTERS
from repository_files import ROOT
from support.secret_templates import pem_parts, pkcs12_of, render

PAGE = (ROOT / "docs" / "templates.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| ([^|]+) \| `(.+)` \| `(.+)` \|$", re.MULTILINE)
ROWS = [
    (name, example.replace("\\|", "|"), gives.replace("\\|", "|").replace("⏎", "\n"))
    for name, _, example, gives in ROW.findall(PAGE)
]


def values() -> dict[str, str | bytes]:
    keys = next(
        found
        for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
        if "HOSTS" in (found := yaml.safe_load(block))
    )
    parts = pem_parts()
    return {
        **keys,
        "BUNDLE": parts["key"] + parts["chain"],
        "STORE": pkcs12_of(keys["PASSWORD"]),
        "LOGO": b"\xff\0\1",
    }


@pytest.mark.parametrize(("name", "example", "gives"), ROWS, ids=[row[0] for row in ROWS])
def test_an_example_gives_what_the_page_says(name: str, example: str, gives: str) -> None:
    made = render(example, values())

    assert re.search(rf"\| {name}\b", example)
    assert isinstance(made, bytes), made
    if gives.endswith("…"):
        assert made.decode().startswith(gives.removesuffix("…"))
    else:
        assert made.decode() == gives


def test_every_filter_is_on_the_page() -> None:
    assert sorted(name for name, _, _ in ROWS) == sorted(FILTERS)
