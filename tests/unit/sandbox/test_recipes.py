"""What a program's key depends on."""

import dataclasses

import pytest

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import repository
from pierhead_sandbox.recipes import (
    CONTROL_PLANE,
    HELM,
    KUSTOMIZE,
    RENDERER,
    Recipe,
    recipes,
    required_version,
)


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26.0\n")
    (tmp_path / "go.sum").write_text("a\n")
    (tmp_path / "main.go").write_text("package main\n")
    return Recipe("x", tmp_path, ".")


@pytest.mark.parametrize(
    ("path", "ours", "changes"),
    [
        ("go.mod", False, True),
        ("go.sum", False, True),
        ("main.go", False, False),
        ("go.mod", True, True),
        ("main.go", True, True),
        ("inner/embedded.yaml", True, True),
        ("main_test.go", True, False),
        ("testdata/chart.yaml", True, False),
        (".cache/x", True, False),
    ],
)
def test_the_key_follows_what_decides_the_program(recipe, path, ours, changes):
    recipe = dataclasses.replace(recipe, ours=ours)
    before = recipe.key
    target = recipe.module / path
    target.parent.mkdir(exist_ok=True)
    target.write_text((target.read_text() if target.exists() else "") + "\n// more\n")
    assert (recipe.key != before) is changes


@pytest.mark.parametrize("change", [{"tags": "t"}, {"stamps": {"a.b": "v1"}}, {"package": "./cmd"}])
def test_the_key_follows_the_flags(recipe, change):
    assert dataclasses.replace(recipe, **change).key != recipe.key


def test_a_module_that_is_not_there_is_said_so(recipe):
    (recipe.module / "go.mod").unlink()
    with pytest.raises(SandboxError, match="x cannot be built"):
        _ = recipe.key


def test_the_go_line_is_read(recipe):
    assert recipe.go_version == (1, 26)


def test_this_checkout_pins_every_program_and_stamps_the_versions():
    known = recipes(repository())
    assert {*CONTROL_PLANE, HELM, KUSTOMIZE, RENDERER} == set(known)
    kubernetes = required_version(repository() / "tools/kube/go.mod", "k8s.io/kubernetes")
    assert f"-X k8s.io/component-base/version.gitVersion={kubernetes}" in " ".join(
        known["kube-apiserver"].flags
    )


@pytest.mark.parametrize(
    ("judge", "library"),
    [
        ("helm", "helm.sh/helm/v4"),
        ("kustomize", "sigs.k8s.io/kustomize/api"),
        ("kustomize", "sigs.k8s.io/kustomize/kyaml"),
    ],
)
def test_the_renderer_has_the_libraries_of_the_commands_it_is_compared_with(judge, library):
    ours, theirs = (repository() / path / "go.mod" for path in ("renderer", f"tools/{judge}"))
    assert required_version(ours, library) == required_version(theirs, library)


def test_an_unpinned_module_is_said_so(recipe):
    with pytest.raises(SandboxError, match=r"does not require k8s\.io/kubernetes"):
        required_version(recipe.module / "go.mod", "k8s.io/kubernetes")
