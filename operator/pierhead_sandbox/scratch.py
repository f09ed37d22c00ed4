"""The folder of one running sandbox.

Invariant: a folder whose owner is gone is removed by the next sandbox that starts, so a killed process
leaves no memory used for good (the folder is on tmpfs where there is room). Ownership is a file lock,
which the kernel drops with its process.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TextIO

_ROOM_BYTES = 2 * 1024**3
_MEMORY = Path("/dev/shm")


class Scratch:
    """A fresh folder, and the lock that says its owner lives. `parent` defaults to the best place."""

    def __init__(self, parent: Path | None = None) -> None:
        parent = parent or best_parent()
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(parent)
        self._lock_path, self._lock = _new_lock(parent)
        self.path = self._lock_path.with_suffix("")
        self.path.mkdir(mode=0o700)

    def remove(self) -> None:
        """Remove the folder and give up the lock."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock_path.unlink(missing_ok=True)
        self._lock.close()


def best_parent() -> Path:
    """Memory when there is room for several sandboxes, else the folder for temporary files."""
    name = f"pierhead-sandbox-{os.getuid()}"
    with contextlib.suppress(OSError):
        if os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ROOM_BYTES:
            return _MEMORY / name
    return Path(tempfile.gettempdir()) / name


def sweep(parent: Path) -> None:
    """Remove the folders under `parent` whose owner is gone."""
    for path in parent.glob("*.lock"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)
            path.unlink(missing_ok=True)


def _new_lock(parent: Path) -> tuple[Path, TextIO]:
    while True:
        path = parent / f"{secrets.token_hex(4)}.lock"
        file = path.open("a")
        fcntl.flock(file, fcntl.LOCK_EX)
        # A sweep may have taken the file between its creation and our lock; then we hold a lock on nothing.
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                return path, file
        file.close()
