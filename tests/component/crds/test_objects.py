"""Our kinds on the API server: the same verdict as the model's, and nothing stored that was not written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.crds.kinds import RESOURCES
from pierhead.engine.outcome import Invalid
from pierhead.model import API_VERSION, CustomResource
from pierhead_sandbox.errors import ApiFailure
from pierhead_sandbox.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "data" / "objects"

Entry = dict[str, Any]
Kind = CustomResource[Any]


def entries(*, good: bool | None = None) -> list[Any]:
    """Every entry of every kind's table, or only the good or bad ones, as pytest's parameters."""
    return [
        pytest.param(resource, entry, id=f"{resource.kind}: {entry['case']}")
        for resource in RESOURCES
        for entry in yaml.safe_load((DATA / f"{resource.plural}.yaml").read_text())
        if good is None or ("fault" not in entry) == good
    ]


def whole(resource: Kind, entry: Entry, name: str = "subject") -> Entry:
    return {
        "apiVersion": API_VERSION,
        "kind": resource.kind,
        "metadata": {"name": entry.get("name", name)},
        "spec": entry["spec"],
    }


pytestmark = pytest.mark.usefixtures("definitions")


@pytest.mark.parametrize(("resource", "entry"), entries())
def test_model_and_api_server_agree(
    resource: Kind, entry: Entry, judge: Callable[[str, Entry], str | None]
) -> None:
    theirs = judge(resource.plural, whole(resource, entry))
    if "fault" not in entry:
        assert theirs is None
        assert resource.parse(whole(resource, entry))
        return
    assert theirs is not None
    with pytest.raises(Invalid) as caught:
        resource.parse(whole(resource, entry))
    assert caught.value.field == entry["field"]
    assert entry["fault"] in caught.value.message


@pytest.mark.parametrize(("resource", "entry"), entries(good=True))
def test_a_spec_is_stored_as_it_was_written(
    resource: Kind, entry: Entry, sandbox: Sandbox, namespace: str
) -> None:
    url = f"/apis/{API_VERSION}/namespaces/{namespace}/{resource.plural}"

    stored = sandbox.api.json("POST", f"{url}?fieldValidation=Strict", whole(resource, entry))

    assert stored["spec"] == entry["spec"]
    assert set(stored["metadata"]) == {
        *("name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields")
    }


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"completions": 6}, "completions can be changed only together with a parallelism"),
        ({"parallelism": 5}, None),
        ({"backoffLimitPerIndex": 1}, "backoffLimitPerIndex cannot be changed"),
        ({"outputUri": "s3://a/b"}, "outputUri cannot be changed"),
        ({"queue": "other"}, "queue cannot be changed"),
        ({"suspend": True}, None),
        ({"maxFailedIndexes": 2}, None),
    ],
)
def test_what_decides_the_work_cannot_be_changed(
    change: dict[str, Any], fault: str | None, sandbox: Sandbox, namespace: str
) -> None:
    url = f"/apis/{API_VERSION}/namespaces/{namespace}/batchjobs"
    stored = sandbox.api.json(
        "POST",
        url,
        {
            "apiVersion": API_VERSION,
            "kind": "BatchJob",
            "metadata": {"name": "subject"},
            "spec": {"queue": "thumbnails", "jobDefinition": "thumbnail", "completions": 5},
        },
    )
    changed = stored | {"spec": stored["spec"] | change}

    if fault is None:
        assert sandbox.api.json("PUT", f"{url}/subject", changed)["metadata"]["generation"] == 2
    else:
        with pytest.raises(ApiFailure, match=fault):
            sandbox.api.json("PUT", f"{url}/subject", changed)


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.kind)
class TestKind:
    def test_its_definition_is_established_without_a_complaint(
        self, resource: Kind, sandbox: Sandbox
    ) -> None:
        name = f"{resource.plural}.pierhead.dev"
        crd = sandbox.api.json("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")

        conditions = {entry["type"]: entry["status"] for entry in crd["status"]["conditions"]}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}

    def test_applying_its_definition_again_changes_nothing(
        self, resource: Kind, sandbox: Sandbox, definitions: Path
    ) -> None:
        file = definitions / f"pierhead.dev_{resource.plural}.yaml"

        assert sandbox.kubectl("diff", "--server-side", "-f", str(file), check=False).stdout == ""

    def test_kubectl_explains_every_field(self, resource: Kind, sandbox: Sandbox) -> None:
        explained = sandbox.kubectl("explain", f"{resource.plural}.spec").stdout
        text = " ".join(explained.split())

        for name, field in resource.spec.model_fields.items():
            assert f"{field.alias or name} <" in text
            assert " ".join((field.description or "").split()) in text

    def test_kubectl_lists_it_by_each_of_its_names(
        self, resource: Kind, sandbox: Sandbox, namespace: str
    ) -> None:
        entry = next(param.values[1] for param in entries(good=True) if param.values[0] is resource)
        obj = whole(resource, entry) | {"metadata": {"name": "subject", "namespace": namespace}}
        sandbox.kubectl("create", "-f", "-", stdin=json.dumps(obj))

        for name in (*resource.short_names, resource.kind, *resource.categories):
            header, *rows = sandbox.kubectl("get", name, "-n", namespace).stdout.splitlines()
            shown = [column.name.upper() for column in resource.columns if not column.priority]
            assert header.split() == ["NAME", *shown]
            assert len(rows) == 1
