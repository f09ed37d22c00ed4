"""Starts, stops and reaps the processes of jobs, in a small process of its own.

Invariant: none of them outlives the server: when the pipe to the server closes, however the server died,
every process group is killed; and when this process is killed, the kernel kills its children. Being small
and without threads it may fork safely. Needs only the standard library; run as a file, isolated (`-I`).

Lines of JSON come in on standard input: `{"start": key, "argv", "env", "cwd", "log"}`,
`{"stop": key, "grace": seconds}` and `{"refuse": key, "because"}`; and go out on standard output:
`{"key", "code"}` or `{"key", "error"}`.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_CHUNK = 65536
_CANNOT_START = "CannotStartContainerError: "


class Launcher:
    """The processes under way, by key."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._kill_at: dict[str, float] = {}

    def run(self) -> None:
        """Serve until standard input closes."""
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        pending = b""
        while True:
            ready, _, _ = select.select([0, read_end], [], [], self._patience())
            if read_end in ready:
                os.read(read_end, _CHUNK)
            if 0 in ready:
                chunk = os.read(0, _CHUNK)
                if not chunk:
                    break
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    self._obey(json.loads(line))
            self._kill_overdue()
            self._reap()
        for key in list(self._running):
            self._signal(key, signal.SIGKILL)

    def _patience(self) -> float | None:
        return max(0.0, min(self._kill_at.values()) - time.monotonic()) if self._kill_at else None

    def _obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            self._start(order)
        elif "refuse" in order:
            self._say({"key": order["refuse"], "error": order["because"]})
        elif order["stop"] in self._running:
            self._signal(order["stop"], signal.SIGTERM)
            self._kill_at[order["stop"]] = time.monotonic() + order["grace"]

    def _start(self, order: dict[str, Any]) -> None:
        key = order["start"]
        if not order["argv"]:
            self._say({"key": key, "error": _CANNOT_START + "no command, and the sandbox runs no images"})
            return
        try:
            with Path(order["log"]).open("ab") as log:
                self._running[key] = subprocess.Popen(
                    order["argv"],
                    env=order["env"],
                    cwd=order["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    preexec_fn=self._die_with_parent,  # noqa: PLW1509 (no threads here)
                )
        except (OSError, ValueError) as error:
            self._say({"key": key, "error": _CANNOT_START + str(error)})

    def _die_with_parent(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    def _signal(self, key: str, number: int) -> None:
        try:
            os.killpg(self._running[key].pid, number)
        except ProcessLookupError:
            return

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for key, moment in list(self._kill_at.items()):
            if moment <= now:
                del self._kill_at[key]
                self._signal(key, signal.SIGKILL)

    def _reap(self) -> None:
        for key, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            # A container takes everything in it along when its first process ends.
            self._signal(key, signal.SIGKILL)
            del self._running[key]
            self._kill_at.pop(key, None)
            self._say({"key": key, "code": code if code >= 0 else 128 - code})

    def _say(self, message: dict[str, Any]) -> None:
        os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    Launcher().run()
