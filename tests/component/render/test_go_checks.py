"""The renderer's own checks: its Go tests, vet and gofmt."""

import subprocess
from pathlib import Path

import pytest

from pierhead_sandbox.paths import cache_directory, repository
from pierhead_sandbox.toolchain import Go, find_go

RENDERER = repository() / "renderer"


@pytest.fixture(scope="module")
def go() -> Go:
    return find_go((1, 26), cache_directory(), repository() / "requirements" / "go.txt", lambda _: None)


@pytest.mark.timeout(600)
def test_go_tests_pass(go: Go) -> None:
    # With the flags of the real build, whose packages are in the cache already.
    assert "ok" in go.run(RENDERER, "test", "-trimpath", "./...")


@pytest.mark.timeout(600)
def test_go_vet_is_content(go: Go) -> None:
    go.run(RENDERER, "vet", "-trimpath", "./...")


def test_go_files_are_formatted(go: Go) -> None:
    gofmt = Path(go.run(RENDERER, "env", "GOROOT").strip()) / "bin" / "gofmt"
    done = subprocess.run([gofmt, "-l", RENDERER], capture_output=True, text=True, check=True)
    assert done.stdout == ""
