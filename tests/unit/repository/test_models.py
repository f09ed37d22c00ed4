"""Every public field says what it is: its docstring is what `kubectl explain` and the documentation show."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import pierhead
from pierhead.crds.kinds import RESOURCES
from pierhead.model import Model
from pierhead.settings import Settings


def all_models() -> Iterator[type[BaseModel]]:
    for module in pkgutil.walk_packages(pierhead.__path__, "pierhead."):
        if module.name.endswith((".model", ".settings")) or ".model." in module.name:
            importlib.import_module(module.name)
    waiting: list[type[BaseModel]] = [Settings, *Model.__subclasses__()]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        if model.__module__.startswith("pierhead."):
            yield model


@pytest.mark.parametrize(
    "model", list(all_models()), ids=lambda model: f"{model.__module__}.{model.__name__}"
)
def test_every_model_and_every_field_has_a_docstring(model: type[BaseModel]) -> None:
    undescribed = [name for name, field in model.model_fields.items() if not field.description]

    assert undescribed == []
    assert model.__doc__ or model.__name__.startswith("_")


def test_every_kind_is_listed() -> None:
    listed = {resource.spec.__module__.partition(".model")[0] + ".model" for resource in RESOURCES}
    defined = {
        module.name
        for module in pkgutil.walk_packages(pierhead.__path__, "pierhead.")
        if module.name.endswith(".model") and hasattr(importlib.import_module(module.name), "RESOURCE")
    }

    assert defined == listed
