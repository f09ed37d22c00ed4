"""Promises that the shape of the resource keeps; docs/security.md has all of them."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.model.target import Target
from pierhead.secrets.model.template import Template
from repository_files import ROOT

CRD = yaml.safe_load((ROOT / "crds" / "pierhead.dev_syncedsecrets.yaml").read_text())
SPEC = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
OBJECTS = {"spec.target.name", "spec.restart[].name", "spec.aws.serviceAccountName"}
"""Fields that name objects of the cluster."""


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from fields(inner, f"{path}.{name}")
    if "items" in schema:
        yield from fields(schema["items"], f"{path}[]")


def test_no_field_can_name_another_namespace() -> None:
    found = dict(fields(SPEC, "spec"))

    assert [path for path in found if "namespace" in path.rpartition(".")[2].lower()] == []
    assert {path for path in found if path.endswith((".name", "Name"))} == OBJECTS
    for path in OBJECTS:
        assert re.search(found[path]["pattern"], "shop")
        assert not re.search(found[path]["pattern"], "other/shop")


@pytest.mark.parametrize(
    "secret_type",
    ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1"],
)
def test_types_that_are_credentials_of_the_cluster_are_refused(secret_type: str) -> None:
    spec = {"data": [{"key": "a", "from": {"secret": "shop/db"}}], "target": {"type": secret_type}}

    with pytest.raises(ValidationError, match="type must not be"):
        SyncedSecretSpec.model_validate(spec)


def test_a_template_has_keys_and_nothing_else() -> None:
    assert set(Template.model_fields) == {"data", "merge_policy"}
    assert set(Target.model_fields) == {"name", "type", "immutable", "labels", "annotations", "adopt"}
    with pytest.raises(ValidationError, match=r"must not be of pierhead\.dev, kubernetes\.io"):
        Target.model_validate({"annotations": {"kubernetes.io/service-account.name": "admin"}})
