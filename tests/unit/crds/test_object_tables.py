"""The tables of good and bad objects are complete; their verdicts are compared on a real API server."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.crds.kinds import RESOURCES
from pierhead.model import CustomResource

DATA = Path(__file__).parents[2] / "data" / "objects"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
def test_every_field_of_a_spec_is_in_a_good_object(resource: CustomResource[Any]) -> None:
    entries = yaml.safe_load((DATA / f"{resource.plural}.yaml").read_text())
    shown = {name for entry in entries if "fault" not in entry for name in entry["spec"]}

    assert {field.alias or name for name, field in resource.spec.model_fields.items()} - shown == set()


def test_no_table_is_left_of_a_kind_that_is_gone() -> None:
    assert {path.stem for path in DATA.glob("*.yaml")} == {resource.plural for resource in RESOURCES}
