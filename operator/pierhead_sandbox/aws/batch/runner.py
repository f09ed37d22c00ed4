"""Runs containers as local processes: the command of the definition or the override, without an image.

Invariant: every started attempt comes back exactly once through `ended`, unless `clear` or `stop` came first.
Calls return at once; waiting is the launcher's.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pierhead_sandbox.aws.batch import launcher, logs, shapes
from pierhead_sandbox.aws.batch.injection import MissingSecretError, injected
from pierhead_sandbox.aws.batch.region import Job

Ended = Callable[[Job, int, int, int | None, str], None]

# What a process needs of the machine; all else comes from the job.
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ")


class Runner:
    """Processes of attempts, and their logs."""

    def __init__(self, directory: Path | None, ended: Ended) -> None:
        self._own_directory = directory is None
        self._directory = directory or Path(tempfile.mkdtemp(prefix="pierhead-batch-"))
        self._ended = ended
        self._endpoint = ""
        self._lock = threading.Lock()
        self._under_way: dict[str, tuple[Job, int, int]] = {}
        self._launcher: subprocess.Popen[bytes] | None = None

    def use_endpoint(self, url: str) -> None:
        """Where processes find AWS."""
        self._endpoint = url

    def start(self, job: Job, index: int, attempt: int) -> None:
        """Begin an attempt."""
        key = _key(job, index, attempt)
        command, environment = shapes.command_and_environment(job)
        with self._lock:
            self._under_way[key] = (job, index, attempt)
        try:
            environment |= injected(job)
        except MissingSecretError as error:
            # Said by the launcher, since this call has to return before the attempt ends.
            self._order({"refuse": key, "because": str(error)})
            return
        log = self.log_file(job, index, attempt)
        log.parent.mkdir(parents=True, exist_ok=True)
        self._order(
            {
                "start": key,
                "argv": command,
                "env": self._environment(job, environment, shapes.variables(job, index, attempt)),
                "cwd": str(log.parent),
                "log": str(log),
            }
        )

    def stop(self, job: Job, index: int, attempt: int, grace_seconds: float) -> bool:
        """SIGTERM now, SIGKILL after the grace period; False where no such attempt runs here."""
        key = _key(job, index, attempt)
        with self._lock:
            known = key in self._under_way
        if known:
            self._order({"stop": key, "grace": grace_seconds})
        return known

    def clear(self) -> None:
        """Kill everything, and hear no more of it."""
        with self._lock:
            self._under_way.clear()
            process, self._launcher = self._launcher, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
            process.wait(timeout=5)

    def close(self) -> None:
        """Kill everything and drop the logs, unless somebody named a folder for them."""
        self.clear()
        if self._own_directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def log_file(self, job: Job, index: int, attempt: int) -> Path:
        """Where an attempt's output goes; it runs in that folder."""
        return self._directory / job.id / str(index) / f"attempt-{attempt}.log"

    def _environment(self, job: Job, own: dict[str, str], batch: dict[str, str]) -> dict[str, str]:
        base = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        # `python` in a job is the one that has the examples' libraries.
        base["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{base.get('PATH', os.defpath)}"
        aws = {
            "AWS_ENDPOINT_URL": self._endpoint,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": job.region.name,
            "AWS_DEFAULT_REGION": job.region.name,
        }
        return {**base, **aws, **own, **batch}

    def _order(self, order: dict[str, Any]) -> None:
        with self._lock:
            process = self._launcher
            if process is None:
                process = self._launcher = self._launch()
        if process.stdin is not None:
            # A launcher that is gone is noticed by whoever listens to it.
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps(order).encode() + b"\n")
                process.stdin.flush()

    def _launch(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-I", launcher.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A Ctrl-C is for the server, which then closes the pipe.
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(process,), name="batch-processes", daemon=True).start()
        return process

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout:
            for line in process.stdout:
                message = json.loads(line)
                self._end(message["key"], message.get("code"), message.get("error", ""))
        process.wait()
        if process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        with self._lock:
            lost = []
            if self._launcher is process:
                self._launcher, lost = None, list(self._under_way)
        for key in lost:
            self._end(key, None, "the process that launches processes is gone")

    def _end(self, key: str, exit_code: int | None, reason: str) -> None:
        with self._lock:
            found = self._under_way.pop(key, None)
        if found is None:
            return
        job, index, attempt = found
        logs.ship(job, index, attempt, self.log_file(job, index, attempt))
        self._ended(job, index, attempt, exit_code, reason)


def _key(job: Job, index: int, attempt: int) -> str:
    return f"{job.child_id(index)}#{attempt}"
