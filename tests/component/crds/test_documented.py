"""What the documentation and the examples show can be applied as it stands."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from pierhead.crds.kinds import RESOURCES
from pierhead.model import API_VERSION, CustomResource
from repository_files import shown, text_of, tracked

Kind = CustomResource[Any]
Object = dict[str, Any]

BLOCKS = re.compile(r"^```ya?ml\n(.*?)^```", re.DOTALL | re.MULTILINE)
KINDS = {resource.kind: resource for resource in RESOURCES}
# What a page shows a part of, beside which that part is read.
PAGES: dict[str, tuple[Kind, Object]] = {
    "docs/apprelease.md": (KINDS["AppRelease"], {"source": {"inline": {"files": {"a.yaml": "{}"}}}}),
    "docs/syncedsecret.md": (KINDS["SyncedSecret"], {"data": [{"key": "A", "from": {"secret": "shop/a"}}]}),
    "docs/templates.md": (KINDS["SyncedSecret"], {"data": [{"key": "A", "from": {"secret": "shop/a"}}]}),
    "docs/batchjob.md": (KINDS["BatchJob"], {"queue": "media-q"}),
}
DEFINED = {"jobDefinition": "thumbnail"}
# Parts of a status, values of templates, and not of a spec.
NOT_SPECS = (["extracts"], ["MODE", "PASSWORD"])


def documents() -> Iterator[tuple[str, Any]]:
    """Every YAML document of the pages and examples, with the file it is in."""
    for path in tracked("README.md", "docs/*.md", "examples/*.md"):
        for block in BLOCKS.findall(text_of(path)):
            yield from ((shown(path), document) for document in yaml.safe_load_all(block))
    for path in tracked("examples/*.yaml"):
        if "templates/" not in shown(path):
            yield from ((shown(path), document) for document in yaml.safe_load_all(text_of(path)))


def completed(place: str, document: Any) -> Object | None:
    """The object that is shown, or that a part of is shown; None for what is none of ours."""
    if "kind" in document:
        return document if document.get("apiVersion") == API_VERSION else None
    if place not in PAGES or any(list(document)[: len(begin)] == begin for begin in NOT_SPECS):
        return None
    resource, beside = PAGES[place]
    spec = beside | document.get("spec", document)
    if resource.kind == "BatchJob" and "template" not in spec:
        spec |= DEFINED
    return {
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "metadata": {"name": "shown"},
        "spec": spec,
    }


SHOWN = [
    pytest.param(obj, id=f"{place}-{number}")
    for number, (place, document) in enumerate(documents())
    if document and (obj := completed(place, document))
]


def test_all_kinds_are_shown() -> None:
    assert {parameter.values[0]["kind"] for parameter in SHOWN} == set(KINDS)


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("obj", SHOWN)
def test_what_is_shown_is_accepted(obj: Object, judge: Callable[[str, Object], str | None]) -> None:
    resource = KINDS[obj["kind"]]
    here = {**obj, "metadata": {**obj["metadata"], "namespace": "default"}}

    assert judge(resource.plural, here) is None
    assert resource.parse(here)
