"""Programs that run as long as the sandbox does, and never longer.

Invariant: a program started here ends when its sandbox is stopped, and also when the process that
started it dies in any way, SIGKILL included. The kernel's parent-death signal follows the *thread*
that forked, so every start is done by one thread of ours that lives as long as this object. Each
program is the leader of its own session and process group, so a terminal's Ctrl-C reaches us alone
and what the program starts is ended with it.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from pierhead_sandbox.errors import ProcessDied, SandboxError

_TAIL_BYTES = 4000
_LAUNCHER = Path(__file__).with_name("die_with_parent.py")


class Program:
    """One running program and what is needed to start it again."""

    def __init__(
        self, name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, *, needed: bool
    ) -> None:
        self.name = name
        self.needed = needed
        self.arguments = tuple(arguments)
        self.environment = dict(environment)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, which is also its process group. Raises SandboxError before the first start."""
        if self._process is None:
            raise SandboxError(f"{self.name} was not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def check(self) -> None:
        """Raise ProcessDied, with the tail of the log, unless it runs."""
        if self.running:
            return
        status = None if self._process is None else self._process.returncode
        raise ProcessDied(f"{self.name} ended with status {status}; its log {self.log} ends:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of the log."""
        with contextlib.suppress(FileNotFoundError), self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
        return ""

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its whole process group; no error when it is gone."""
        if self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it at once, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        self.wait()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most `timeout` seconds; whether it ended."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def launch(self) -> None:
        """Fork and execute, in the calling thread: the program dies when that thread ends."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                tethered(self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                start_new_session=True,
            )


def tethered(arguments: Sequence[str]) -> list[str]:
    """The command that runs `arguments` (an absolute path first) and dies with the thread that starts it."""
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *arguments]


class Processes:
    """The programs of one sandbox. `logs` is the folder of their output, a file each."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._programs: dict[str, Program] = {}
        self._launcher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-launcher")
        self._lock = threading.Lock()

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        needed: bool = False,
    ) -> Program:
        """Start a program; `arguments[0]` is an absolute path. `environment` replaces ours, if given.

        `needed` says that the sandbox is broken without it. Raises SandboxError when the name runs already.
        """
        program = Program(
            name,
            arguments,
            dict(os.environ) if environment is None else environment,
            self._logs / f"{name}.log",
            needed=needed,
        )
        with self._lock:
            if name in self._programs and self._programs[name].running:
                raise SandboxError(f"{name} runs already")
            self._programs[name] = program
        self._launcher.submit(program.launch).result()
        return program

    def restart(self, name: str) -> Program:
        """Kill the program if it runs, and start it again with the same arguments."""
        program = self[name]
        program.kill()
        self._launcher.submit(program.launch).result()
        return program

    def __getitem__(self, name: str) -> Program:
        try:
            return self._programs[name]
        except KeyError:
            raise SandboxError(f"no program {name}; there are {', '.join(self._programs)}") from None

    def check(self) -> None:
        """Raise ProcessDied for the first needed program that ended."""
        for program in list(self._programs.values()):
            if program.needed:
                program.check()

    def pids(self) -> dict[str, int]:
        """Process ids of what runs, by name."""
        return {name: program.pid for name, program in self._programs.items() if program.running}

    def stop(self, *, gentle: Sequence[str] = (), grace: float = 5.0) -> None:
        """End all of them. The `gentle` ones get SIGTERM and up to `grace` seconds first."""
        asked = [self._programs[name] for name in gentle if name in self._programs]
        for program in asked:
            program.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        for program in asked:
            program.wait(max(0.0, deadline - time.monotonic()))
        programs = list(reversed(self._programs.values()))
        for program in programs:
            program.signal(signal.SIGKILL)
        for program in programs:
            program.wait()
        self._launcher.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
