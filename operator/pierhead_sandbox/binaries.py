"""The programs of the sandbox: found, or built once and kept.

Invariant: a path handed out is a whole program built from what its key says. It is moved into the
cache by one rename, and one builder works at a time in one cache, so others wait for it instead of
building the same again.
"""

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import cache_directory, repository
from pierhead_sandbox.progress import Progress, Silent, shown
from pierhead_sandbox.recipes import CONTROL_PLANE, KWOK_MODULE, KWOK_STAGES, Recipe, recipes
from pierhead_sandbox.toolchain import Go, find_go

_DAY_SECONDS = 24 * 3600
_KEPT_DAYS = 30
_KEPT_DAYS_OF_OURS = 7
_LINKING_SHARE = 0.85
_PACKAGE_LINE = re.compile(r"^[\w.\-/~]+$")


class Binaries:
    """The programs by name, of this checkout and in the user's cache unless others are given."""

    def __init__(
        self,
        cache: Path | None = None,
        catalogue: Mapping[str, Recipe] | None = None,
        go_requirements: Path | None = None,
    ) -> None:
        self.cache = cache or cache_directory()
        self.catalogue = dict(recipes(repository()) if catalogue is None else catalogue)
        self._go_requirements = go_requirements or repository() / "requirements" / "go.txt"

    def find(self, name: str) -> Path | None:
        """Where the program is, or None when it has to be built.

        A program of the folder that KUBEBUILDER_ASSETS names comes first, as in envtest.
        """
        recipe = self._recipe(name)
        assets = os.environ.get("KUBEBUILDER_ASSETS")
        if assets and not recipe.ours and os.access(Path(assets) / name, os.X_OK):
            return Path(assets).resolve() / name
        path = self._place(recipe)
        if not path.is_file():
            return None
        os.utime(path)
        return path

    def path(self, name: str) -> Path:
        """Where the program is, built now if need be."""
        return self.ensure([name])[name]

    def ensure(self, names: Iterable[str] | None = None, progress: Progress | None = None) -> dict[str, Path]:
        """Paths of the named programs (all that are known, by default), built where missing.

        Raises SandboxError when a build fails, with the end of what Go said.
        """
        wanted = list(self.catalogue if names is None else names)
        found = {name: self.find(name) for name in wanted}
        if missing := [name for name in wanted if found[name] is None]:
            weights = [(name, self._recipe(name).seconds) for name in missing]
            with nullcontext(progress) if progress else shown(weights) as told, self._alone(told):
                self._build_all(missing, told)
        paths = {name: self.find(name) for name in wanted}
        return {name: path for name, path in paths.items() if path is not None}

    def kwok_stages(self) -> tuple[Path, ...]:
        """Kwok's own rules for making nodes and pods ready, copied out of its module."""
        recipe = self._recipe("kwok")
        folder = self.cache / f"kwok-stages-{recipe.key}"
        if not folder.is_dir():
            with self._alone(Silent()):
                if not folder.is_dir():
                    self._copy_stages(recipe, folder)
        return tuple(folder / Path(stage).name for stage in KWOK_STAGES)

    def _recipe(self, name: str) -> Recipe:
        try:
            return self.catalogue[name]
        except KeyError:
            raise SandboxError(f"no program {name}; there are {', '.join(self.catalogue)}") from None

    def _place(self, recipe: Recipe) -> Path:
        return self.cache / "bin" / f"{recipe.name}-{recipe.key}"

    @contextmanager
    def _alone(self, progress: Progress) -> Iterator[None]:
        """Hold the cache's lock."""
        (self.cache / "bin").mkdir(parents=True, exist_ok=True)
        with (self.cache / "build.lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress.note("another build is under way; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _go(self, recipe: Recipe, progress: Progress) -> Go:
        return find_go(recipe.go_version, self.cache, self._go_requirements, progress.note)

    def _build_all(self, names: Iterable[str], progress: Progress) -> None:
        for name in names:
            recipe = self._recipe(name)
            if self.find(name) is not None:
                # Somebody else built it while we waited.
                progress.finish(name)
                continue
            go = self._go(recipe, progress)
            progress.start(name)
            self._build(recipe, go, progress)
            progress.finish(name)
            self._forget_unused(recipe)

    def _build(self, recipe: Recipe, go: Go, progress: Progress) -> None:
        while True:
            place = self._place(recipe)
            with tempfile.TemporaryDirectory(prefix=f"{recipe.name}-", dir=self.cache) as temporary:
                output = Path(temporary) / recipe.name
                _compile(recipe, go, output, progress)
                # Sources of ours may be edited meanwhile; then nobody knows which of them went in.
                if self._place(recipe) == place:
                    output.rename(place)
                    return

    def _copy_stages(self, recipe: Recipe, folder: Path) -> None:
        go = self._go(recipe, Silent())
        source = Path(json.loads(go.run(recipe.module, "mod", "download", "-json", KWOK_MODULE))["Dir"])
        with tempfile.TemporaryDirectory(prefix="kwok-stages-", dir=self.cache) as temporary:
            target = Path(temporary) / "stages"
            target.mkdir()
            for stage in KWOK_STAGES:
                shutil.copyfile(source / stage, target / Path(stage).name)
            target.rename(folder)

    def _forget_unused(self, recipe: Recipe) -> None:
        """Remove the program's other versions that nobody used for a month; ours change often: a week."""
        oldest = time.time() - (_KEPT_DAYS_OF_OURS if recipe.ours else _KEPT_DAYS) * _DAY_SECONDS
        current = self._place(recipe)
        for path in current.parent.glob(f"{recipe.name}-*"):
            same_program = path.name.rpartition("-")[0] == recipe.name
            if same_program and path != current and path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def ensure_all(progress: Progress | None = None) -> dict[str, Path]:
    """Build whatever of this checkout is missing, kwok's stages included."""
    binaries = Binaries()
    paths = binaries.ensure(progress=progress)
    binaries.kwok_stages()
    return paths


def ensure_control_plane(binaries: Binaries) -> dict[str, Path]:
    """The programs a sandbox runs."""
    return binaries.ensure(CONTROL_PLANE)


def _compile(recipe: Recipe, go: Go, output: Path, progress: Progress) -> None:
    """Run `go build -v`, which names each package on standard error as it compiles it."""
    progress.advance(recipe.name, 0.0, "reading the module")
    tags = [f"-tags={recipe.tags}"] if recipe.tags else []
    listed = go.run(recipe.module, "list", "-deps", *tags, "-f", "{{.ImportPath}}", recipe.package)
    packages = max(1, len(listed.split()))
    command = [str(go.program), "build", "-v", *recipe.flags, "-o", str(output), recipe.package]
    said: list[str] = []
    compiled = 0
    with subprocess.Popen(
        command, cwd=recipe.module, env=go.environment, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stderr or ():
            text = line.strip()
            if _PACKAGE_LINE.match(text):
                compiled += 1
            else:
                said.append(text)
            progress.advance(recipe.name, min(1.0, compiled / packages) * _LINKING_SHARE, text)
    if process.returncode != 0:
        end = "\n".join(said[-20:])
        raise SandboxError(f"building {recipe.name} failed:\n{end}")
