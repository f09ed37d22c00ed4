"""The shape of the repository: what lies where, and what must not lie anywhere."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from repository_files import ROOT, shown, text_of, tracked

SOURCES = ROOT / "operator" / "pierhead"
KINDS = sorted(path.parent.name for path in SOURCES.glob("*/decide.py"))
PARTS = sorted(path.name for path in SOURCES.iterdir() if len(list(path.glob("*.py"))) > 1)


def test_the_folder_of_the_packages_is_no_package() -> None:
    assert not (ROOT / "operator" / "__init__.py").exists()
    subprocess.run(
        [sys.executable, "-c", "import collections"], cwd=ROOT, check=True, env={"PYTHONPATH": "."}
    )


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        shown(path) for path in tracked("operator/*.py") if not ast.get_docstring(ast.parse(text_of(path)))
    ]

    assert silent == []


def test_nothing_is_left_for_later() -> None:
    word = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    found = [
        f"{shown(path)}: {match[0]}"
        for path in tracked("*.py", "*.go", "*.md", "*.yaml", "*.tpl", "Makefile", "Dockerfile")
        if path != Path(__file__)
        for match in word.finditer(text_of(path))
    ]

    assert found == []


@pytest.mark.parametrize("part", PARTS)
def test_every_part_has_tests_of_its_own(part: str) -> None:
    assert list((ROOT / "tests" / "unit" / part).glob("test_*.py"))


def test_the_kinds_are_found() -> None:
    assert {"apps", "batch", "secrets"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_model_and_tests_against_a_real_api_server(kind: str) -> None:
    assert (SOURCES / kind / "model" / "__init__.py").exists()
    assert (SOURCES / kind / "reconcile.py").exists()
    assert list((ROOT / "tests" / "component" / kind).glob("test_*.py"))


def test_every_folder_of_unit_tests_mirrors_a_part() -> None:
    ours = {path.name for path in SOURCES.iterdir()} | {path.stem for path in SOURCES.glob("*.py")}
    sandbox = {"sandbox", *(path.name for path in (ROOT / "operator" / "pierhead_sandbox").iterdir())}
    folders = {path.parent.name for path in (ROOT / "tests" / "unit").glob("*/test_*.py")}

    assert folders - ours - sandbox - {"repository", "aws_stand_in", "bench", "renderer"} == set()


def test_test_files_of_one_name_are_told_apart() -> None:
    names = [path.name for path in tracked("tests/*.py") if path.name.startswith("test_")]
    repeated = sorted(name for name in set(names) if names.count(name) > 1)
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["addopts"]

    assert repeated == [] or "--import-mode=importlib" in options
