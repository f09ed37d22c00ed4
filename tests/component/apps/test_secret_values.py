"""Values that came from a Secret do not come back in a condition, whoever refuses them."""

import base64
import json

import pytest

from pierhead.kube.resources import SECRETS
from support.releases import condition

CANARY = "canary-7Kq2-hunter2"
CHART = {"chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n"}
FAILING = {
    "a template that fails with it": {
        "chart/templates/a.yaml": '{{ fail (printf "bad password %s" .Values.password) }}'
    },
    "a schema that it breaks": {
        "chart/templates/a.yaml": "",
        "chart/values.schema.json": json.dumps({"properties": {"password": {"pattern": "^other$"}}}),
    },
    "an object that the API server refuses for it": {
        "chart/templates/a.yaml": (
            "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
            "spec: {type: {{ .Values.password }}, ports: [{port: 80}]}"
        )
    },
}


@pytest.mark.parametrize("files", FAILING.values(), ids=FAILING)
async def test_a_secret_value_is_masked(controller, releases, files):
    values = base64.b64encode(f"password: {CANARY}".encode()).decode()
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "values", "namespace": releases.namespace},
        "data": {"values.yaml": values},
    }
    await releases.kube.create(SECRETS, secret)
    await releases.apply(
        {
            "source": {"inline": {"files": {**CHART, **files}}},
            "helm": {"path": "chart", "valuesFrom": [{"secret": {"name": "values"}}]},
        }
    )
    failed = await releases.until(lambda obj: condition(obj).get("status") == "False")
    assert CANARY not in json.dumps(failed["status"])
    assert "***" in condition(failed)["message"]


async def test_a_value_that_a_template_looks_up_is_masked(controller, releases):
    values = {"password": base64.b64encode(CANARY.encode()).decode()}
    metadata = {"name": "values", "namespace": releases.namespace}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values}
    await releases.kube.create(SECRETS, secret)
    template = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: 80}], type: "
        '{{ (lookup "v1" "Secret" .Release.Namespace "values").data.password | b64dec }}}'
    )
    files = {**CHART, "chart/templates/a.yaml": template}
    await releases.apply({"source": {"inline": {"files": files}}, "helm": {"path": "chart"}})
    failed = await releases.until(lambda obj: condition(obj).get("status") == "False")
    assert CANARY not in json.dumps(failed["status"])
    assert "***" in condition(failed)["message"]
