import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.crds.files import PLAIN, files, write
from pierhead.crds.kinds import RESOURCES
from pierhead.model import AGE, READY, REASON, CustomResource, Model, Status

ROOT = Path(__file__).parents[3]


class Spec(Model):
    """What it is."""

    size: int = 1
    """How big. Defaults to 1."""


def thing(**changes: Any) -> CustomResource[Spec]:
    description = {
        "kind": "Thing",
        "plural": "things",
        "spec": Spec,
        "status": Status,
        "columns": (READY, AGE),
    }
    return CustomResource(**description | changes)


def test_what_is_committed_is_what_the_models_say() -> None:
    differing = [
        str(path)
        for path, text in files(RESOURCES).items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]

    assert differing == [], "run `make manifests`"


def test_no_definition_is_left_of_a_kind_that_is_gone() -> None:
    assert {path.name for path in (ROOT / PLAIN).glob("*.yaml")} == {
        path.name for path in files(RESOURCES) if path.is_relative_to(PLAIN)
    }


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_every_kind_is_listed_the_same_way(resource: CustomResource[Any]) -> None:
    names = [column.name for column in resource.columns]

    assert names[0] == READY.name
    assert REASON.name in names
    assert names[-1] == AGE.name
    assert "pierhead" in resource.categories


def test_short_names_are_ours_alone() -> None:
    taken = {"app", "apps", "application", "ss", "sts", "job", "jobs", "cj", "es", "hr", "ks", "wf", "secret"}
    names = [
        name
        for resource in RESOURCES
        for name in (resource.kind.lower(), resource.plural, *resource.short_names)
    ]

    assert len(names) == len(set(names))
    assert not taken & set(names)


def test_no_default_is_in_any_schema() -> None:
    default = re.compile(r"^ +default:", re.MULTILINE)

    assert not [path for path, text in files(RESOURCES).items() if default.search(text)]


def test_writing_twice_changes_nothing_and_writing_less_removes(tmp_path: Path) -> None:
    other = thing(kind="Other", plural="others")

    assert len(write((thing(), other), tmp_path)) == 4
    assert write((thing(), other), tmp_path) == []
    assert [path.name for path in write((thing(),), tmp_path)] == ["pierhead.dev_others.yaml"] * 2
    assert not list(tmp_path.rglob("*others*"))


def test_a_definition_is_plain_yaml(tmp_path: Path) -> None:
    write((thing(name_limit=40, short_names=("th",)),), tmp_path)

    crd = yaml.safe_load((tmp_path / "crds/pierhead.dev_things.yaml").read_text())

    assert crd["spec"]["names"] == {
        "kind": "Thing",
        "listKind": "ThingList",
        "plural": "things",
        "singular": "thing",
        "shortNames": ["th"],
        "categories": ["pierhead"],
    }
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert root["x-kubernetes-validations"][0]["rule"] == "size(self.metadata.name) <= 40"


def test_a_description_that_helm_would_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Helm would read"):
        write((thing(description="Holds {{ braces }}."),), tmp_path)
