"""Fetched files on disk, by digest.

Invariant: an artifact's directory appears whole under its digest or not at all, is never changed after,
and is gone only when the store is over its bound and nobody asked for it lately. Names inside it never
lead out of it.
"""

import errno
import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pierhead.engine.outcome import Invalid

GRACE_SECONDS = 600.0
"""An artifact asked for within this time is never evicted: a render may be reading it."""

_UNFIT = frozenset({errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EILSEQ})


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a source holds."""

    revision: str
    """The source's own name for it, for people."""

    digest: str
    """`sha256:…` or `sha1:…` of the content."""

    path: Path
    """A directory, or a packaged chart."""

    entity_tag: str | None = field(default=None, compare=False)
    """What the next look may say that it knows."""


class ArtifactStore:
    """The folder of artifacts."""

    def __init__(
        self, directory: Path, *, limit_bytes: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._monotonic = monotonic
        self._used: dict[str, tuple[float, int]] = {}
        self._lock = threading.Lock()

    def find(self, digest: str) -> Path | None:
        """Where the content of a digest is, if it still is."""
        path = self._path(digest)
        if digest not in self._used or not path.exists():
            return None
        self._used[digest] = (self._monotonic(), self._used[digest][1])
        return path

    def put_files(self, files: Mapping[str, bytes]) -> tuple[str, Path]:
        """Keeps files by relative path; their digest and directory.

        Raises Invalid for a path that leads out of the directory, or that no file can have beside the others.
        """
        digest = digest_of(files)
        found = self.find(digest)
        if found is not None:
            return digest, found

        def write(directory: Path) -> None:
            for name, content in files.items():
                target = directory / safe_path(name)
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
                except OSError as error:
                    if error.errno not in _UNFIT:
                        raise
                    raise Invalid(
                        f"no file can be named {name!r} here: {error.strerror}", reason="InvalidPath"
                    ) from None

        return digest, self.put(digest, write)

    def put(self, digest: str, write: Callable[[Path], None]) -> Path:
        """Keeps what `write` puts into an empty directory, under `digest`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._path(digest)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self._directory))
        try:
            write(staging)
            size = sum(entry.lstat().st_size for entry in staging.rglob("*") if not entry.is_dir())
            if size > self._limit:
                raise Invalid(
                    f"the source holds {size} bytes and the operator keeps {self._limit}",
                    reason="SourceTooLarge",
                )
            with self._lock:
                # One that is there may be being read, and holds the same.
                if digest not in self._used or not path.exists():
                    shutil.rmtree(path, ignore_errors=True)
                    staging.rename(path)
                self._used[digest] = (self._monotonic(), size)
                self._evict()
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return path

    def clear(self) -> None:
        """Empties the folder: what an earlier process left is not trusted."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._used.clear()

    def _evict(self) -> None:
        held = sum(size for _, size in self._used.values())
        now = self._monotonic()
        for digest, (used, size) in sorted(self._used.items(), key=lambda item: item[1]):
            if held <= self._limit or now - used < GRACE_SECONDS:
                return
            shutil.rmtree(self._path(digest), ignore_errors=True)
            del self._used[digest]
            held -= size

    def _path(self, digest: str) -> Path:
        return self._directory / digest.replace(":", "-")


def digest_of(files: Mapping[str, bytes]) -> str:
    """Digest of files by name and content."""
    total = hashlib.sha256()
    for name in sorted(files):
        encoded = name.encode()
        total.update(len(encoded).to_bytes(8, "big") + encoded)
        total.update(len(files[name]).to_bytes(8, "big") + files[name])
    return f"sha256:{total.hexdigest()}"


def safe_path(name: str) -> PurePosixPath:
    """A relative path that stays where it is put. Raises Invalid for any other."""
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts or {"\\", "\0"} & set(name):
        raise Invalid(f"the path {name!r} leads out of its source", reason="InvalidPath")
    return path


def inside(artifact: Path, name: str | None, *, field: str) -> Path:
    """A path inside an artifact, which `field` of the spec gives.

    Raises Invalid when it does not exist there, or leads out of it.
    """
    if name is None or name in {".", "./"}:
        return artifact
    try:
        target = artifact / safe_path(name)
    except Invalid as error:
        raise Invalid(error.message, reason=error.reason, field=field) from None
    resolved = Path(os.path.realpath(target))
    if not resolved.is_relative_to(os.path.realpath(artifact)):
        raise Invalid(f"the path {name!r} leads out of its source", reason="InvalidPath", field=field)
    if not os.path.lexists(target):
        raise Invalid(f"the source has no {name!r}", reason="PathNotFound", field=field)
    return target
