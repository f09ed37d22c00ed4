import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart_files import CHART, NAMESPACE, Helm, Objects
from pierhead_sandbox.binaries import Binaries


@pytest.fixture(scope="session")
def helm(operator_binaries: Binaries) -> Helm:
    """Runs helm; `values` are given as if they were in a file."""
    program = str(operator_binaries.path("helm"))

    def run(
        *arguments: str,
        values: dict[str, Any] | None = None,
        environment: dict[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments, *(("--values", "-") if values is not None else ())],
            input=json.dumps(values or {}),
            env=environment,
            check=check,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def render(helm: Helm) -> Callable[..., Objects]:
    """The chart's objects with these values, CRDs left out."""

    def run(values: dict[str, Any] | None = None) -> Objects:
        without_crds = {"crds": {"enabled": False}, **(values or {})}
        command = ("template", "pierhead", str(CHART), "--namespace", NAMESPACE)
        text = helm(*command, values=without_crds).stdout
        return [obj for obj in yaml.safe_load_all(text) if obj]

    return run
