"""The converter's law: a model and the schema made of it give the same verdict on every JSON value."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from pydantic import create_model

from crd_models import Shape, as_json, models
from pierhead.crds.definition import definition
from pierhead.engine.outcome import Invalid
from pierhead.model import READY, CustomResource, Model, Status, parse
from pierhead_sandbox.sandbox import Sandbox

MODELS = 40

ENOUGH = 40
"""Values that model and API server must both have taken, and both refused, for their agreement to tell."""


def some_models() -> list[Shape]:
    """The same models in each run, of all the sizes the strategy makes."""
    collected: list[Shape] = []

    @settings(max_examples=MODELS, derandomize=True, database=None, phases=[Phase.generate])
    @given(models())
    def collect(shape: Shape) -> None:
        collected.append(shape)

    collect()
    return collected


@dataclass(frozen=True)
class Gallery:
    """One kind with an optional field for each of the models."""

    spec: type[Model]
    shapes: dict[str, Shape]


@pytest.fixture(scope="module")
def gallery(sandbox: Sandbox) -> Iterator[Gallery]:
    shapes = {f"model{number}": shape for number, shape in enumerate(some_models())}
    fields: dict[str, Any] = {name: (shape.annotation | None, None) for name, shape in shapes.items()}
    spec = create_model("Gallery", __base__=Model, **fields)
    crd = definition(
        CustomResource(kind="Gallery", plural="galleries", spec=spec, status=Status, columns=(READY,))
    )
    sandbox.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=as_json(crd))
    name = crd["metadata"]["name"]
    sandbox.established(name)
    stored = sandbox.api.json("GET", f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
    assert "NonStructuralSchema" not in [condition["type"] for condition in stored["status"]["conditions"]]
    yield Gallery(spec, shapes)
    sandbox.kubectl("delete", "crd", name, "--wait=false")


def test_model_and_api_server_agree(
    gallery: Gallery, judge: Callable[[str, dict[str, Any]], str | None]
) -> None:
    verdicts: list[bool] = []

    @settings(
        max_examples=400,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(st.data())
    def agree(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(gallery.shapes)))
        spec = {name: data.draw(gallery.shapes[name].values)}
        note(as_json(spec))
        try:
            parse(gallery.spec, spec)
            ours = None
        except Invalid as error:
            ours = str(error)
        theirs = judge(
            "galleries",
            {
                "apiVersion": "pierhead.dev/v1alpha1",
                "kind": "Gallery",
                "metadata": {"name": "g"},
                "spec": spec,
            },
        )
        assert (ours is None) == (theirs is None), f"model: {ours}\nAPI server: {theirs}"
        verdicts.append(ours is None)

    agree()
    # Their share moves with the code: hypothesis draws on the constants of the modules that are loaded.
    assert min(verdicts.count(True), verdicts.count(False)) >= ENOUGH, "too few values of one verdict"
