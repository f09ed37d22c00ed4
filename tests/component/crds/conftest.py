import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pierhead.crds.definition import definition
from pierhead.crds.kinds import RESOURCES
from pierhead.model import API_VERSION
from pierhead_sandbox.errors import ApiFailure
from pierhead_sandbox.sandbox import Sandbox

Judge = Callable[[str, dict[str, Any]], str | None]


@pytest.fixture(scope="module")
def definitions(sandbox: Sandbox) -> Path:
    """Our CRDs, established; their folder."""
    folder = Path(__file__).parents[3] / "crds"
    sandbox.kubectl("apply", "--server-side", "--validate=strict", "-f", str(folder))
    names = [definition(resource)["metadata"]["name"] for resource in RESOURCES]
    sandbox.established(*names)
    return folder


@pytest.fixture
def judge(sandbox: Sandbox) -> Judge:
    """The API server's verdict on an object of a resource: None when it would take it, else what it says."""

    def verdict(plural: str, obj: dict[str, Any]) -> str | None:
        url = f"/apis/{API_VERSION}/namespaces/default/{plural}?dryRun=All&fieldValidation=Strict"
        try:
            sandbox.api.json("POST", url, obj)
        except ApiFailure as failure:
            if failure.status not in (400, 422):
                raise
            return str(json.loads(failure.body)["message"])
        return None

    return verdict
