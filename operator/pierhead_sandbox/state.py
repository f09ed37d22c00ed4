"""Sandboxes that are up under a name, between one command and the next.

Invariant: a sandbox is up exactly as long as its supervisor holds the name's lock, which the kernel
drops with the process. What the files say about a supervisor that is gone is never believed, and the
process that is ended is the lock's holder, not a number in a file.
"""

import contextlib
import fcntl
import json
import os
import re
import select
import shlex
import shutil
import signal
import struct
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TextIO

from pierhead_sandbox.certificates import write_private
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import named_sandboxes_directory
from pierhead_sandbox.scratch import best_parent, sweep

Phase = Literal["down", "starting", "up", "failed", "crashed"]

_NAME = re.compile(r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.02
# struct flock of Linux: type, whence, start, length, process id.
_FLOCK = "hhqqi"


@dataclass(frozen=True, slots=True)
class Record:
    """What a supervisor writes about itself."""

    pid: int
    started: str
    ready: bool = False
    server: str = ""
    environment: Mapping[str, str] | None = None
    programs: Mapping[str, int] | None = None
    failure: str = ""


class NamedSandbox:
    """The files of one name. Raises SandboxError for a name that is no DNS label of at most 40 characters."""

    def __init__(self, name: str) -> None:
        if not _NAME.match(name):
            raise SandboxError(
                f"{name!r} cannot name a sandbox: use at most 40 lower-case letters, digits and dashes"
            )
        self.name = name
        root = named_sandboxes_directory()
        # Beside the folder: the lock must stay the same file while the folder comes and goes.
        self._lock_path = root / f"{name}.lock"
        self.log = root / f"{name}.log"
        self.directory = root / name
        self.environment_file = self.directory / "env"
        self.programs_directory = self.directory / "bin"
        self._record_path = self.directory / "state.json"

    @staticmethod
    def all() -> list["NamedSandbox"]:
        """Every name with state, in order."""
        root = named_sandboxes_directory()
        return [NamedSandbox(path.name) for path in sorted(root.iterdir()) if path.is_dir()]

    def supervisor(self) -> int | None:
        """Process id of the supervisor that lives, asked of the kernel without taking the lock."""
        with self._lock_path.open("a") as file:
            question = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, question))
        return None if answer[0] == fcntl.F_UNLCK else answer[4]

    def phase(self) -> tuple[Phase, Record | None]:
        """What it does now, and its supervisor's record.

        `failed` is a supervisor that gave up and said why; `crashed` one that was killed.
        """
        supervisor = self.supervisor()
        record = self.read()
        if supervisor is not None:
            ready = record is not None and record.ready and record.pid == supervisor
            return ("up" if ready else "starting"), record
        if record is None:
            return "down", None
        return ("failed" if record.failure else "crashed"), record

    def take_lock(self, *, patience: float = 1.0) -> TextIO | None:
        """Become the supervisor: the open file that holds the lock, or None when there is one already.

        `patience` seconds are for somebody who cleans up.
        """
        file = self._lock_path.open("a")
        deadline = time.monotonic() + patience
        while True:
            try:
                # A record lock: unlike flock it can be asked for without being taken, and names its holder.
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if time.monotonic() > deadline:
                    file.close()
                    return None
                time.sleep(_POLL_SECONDS)
            else:
                return file

    def read(self) -> Record | None:
        """The last record, if there is one."""
        try:
            return Record(**json.loads(self._record_path.read_text()))
        except (FileNotFoundError, json.JSONDecodeError, TypeError):
            return None

    def write(self, record: Record) -> None:
        """Replace the record, as a whole."""
        self.directory.mkdir(parents=True, exist_ok=True)
        temporary = write_private(self._record_path.with_suffix(".new"), json.dumps(asdict(record)).encode())
        temporary.replace(self._record_path)

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Write the file a shell can source."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
        temporary = write_private(self.environment_file.with_suffix(".new"), "".join(lines).encode())
        temporary.replace(self.environment_file)

    def clean(self) -> None:
        """Remove what is written about a sandbox that is not up, and what such sandboxes left in memory."""
        lock = self.take_lock(patience=0)
        if lock is None:
            return
        with lock:
            shutil.rmtree(self.directory, ignore_errors=True)
            self.log.unlink(missing_ok=True)
        sweep(best_parent())

    def stop(self) -> bool:
        """End the supervisor and wait for its end; whether there was one. Clean up in any case.

        Raises SandboxError when it does not end.
        """
        supervisor = self.supervisor()
        stopped = supervisor is not None and self._end(supervisor)
        if self.supervisor() is not None:
            raise SandboxError(f"sandbox {self.name} did not stop; see {self.log}")
        self.clean()
        return stopped

    def _end(self, pid: int) -> bool:
        """SIGTERM to the supervisor, and SIGKILL if that takes too long; whether it ended by that."""
        with contextlib.suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                # Asked again with the handle in hand: from here on it cannot be another process.
                if self.supervisor() != pid:
                    return False
                for number in (signal.SIGTERM, signal.SIGKILL):
                    signal.pidfd_send_signal(handle, number)
                    if select.select([handle], [], [], _STOP_SECONDS)[0]:
                        return True
            finally:
                os.close(handle)
        return False
