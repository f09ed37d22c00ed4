"""One renderer process and its pipes.

Invariant: a process is used by one request at a time, and one whose exchange did not end in a whole
answer is never used again.
"""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pierhead.render.errors import RendererCrashed, RendererFault
from pierhead.render.protocol import HEADER_BYTES, MAX_ANSWER_BYTES, decode_lines

# A larger frame is decoded in a thread: its JSON would hold up every other task.
LARGE_BYTES = 256 * 2**10

_START_SECONDS = 15.0
_STOP_SECONDS = 2.0
_STDERR_LINES = 40
_WORDS = 200
_PIPE_BYTES = 2**20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

# How Go's runtime ends when memory, or the stack, comes to its limit. A failed allocation deep in the
# runtime ends in a fault of its own; a program without C code has no other way to that.
_STARVED = re.compile(
    r"^(fatal error|runtime): "
    r".*(out of memory|cannot allocate memory|stack exceeds|stack overflow|new OS thread)"
    r"|^SIGSEGV: segmentation violation"
)


class RendererProcess:
    """A running renderer. Made by `start`; ended by `kill` or `stop`, and in any case by our own death."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise TypeError("the renderer needs all three pipes")
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._handle = _handle(process.pid)
        self._reading = asyncio.Lock()
        self._said: deque[str] = deque(maxlen=_STDERR_LINES)
        self._starved = False
        self._listening = asyncio.create_task(self._listen(process.stderr))

    @classmethod
    async def start(cls, path: Path, *, memory_mib: int) -> "RendererProcess":
        """Starts the program and waits until it takes requests.

        Raises RendererCrashed when it does not.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                path,
                f"--memory-mib={memory_mib}",
                f"--parent={os.getpid()}",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_PIPE_BYTES,
                # Ctrl-C in a terminal is for the operator, and its environment holds credentials.
                start_new_session=True,
                cwd="/",
                env={"GOTRACEBACK": "single"},
            )
        except OSError as error:
            raise RendererCrashed(f"the renderer {path} cannot be started: {error.strerror}") from error
        started = cls(process)
        try:
            async with asyncio.timeout(_START_SECONDS):
                lines = await started.receive()
        except (TimeoutError, json.JSONDecodeError, RendererFault) as error:
            await started.kill()
            raise RendererCrashed(f"{path} does not answer as a renderer does") from error
        except RendererCrashed as error:
            await started.kill()
            words = started.last_words or "without a word"
            raise RendererCrashed(f"the renderer {path} ended at its start: {words}") from error
        except BaseException:
            await started.kill()
            raise
        if "ready" in lines[0]:
            return started
        await started.kill()
        raise RendererCrashed(f"{path} does not answer as a renderer does")

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process was still running when the event loop last looked."""
        return self._process.returncode is None

    @property
    def starved(self) -> bool:
        """Whether it ended for want of memory. Settled once `kill` has returned."""
        return self._starved

    @property
    def last_words(self) -> str:
        """The first thing it said on its way out, for people; may be empty."""
        return next((line[:_WORDS] for line in self._said if line.strip()), "")

    def kept_bytes(self) -> int:
        """The memory that is its own, without its program; 0 where that cannot be read."""
        try:
            _, resident, shared = Path(f"/proc/{self.pid}/statm").read_text().split()[:3]
        except (OSError, ValueError):
            return 0
        return (int(resident) - int(shared)) * _PAGE_BYTES

    def cpu_seconds(self) -> float | None:
        """The processor time it has used; None where that cannot be read."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND
        except (OSError, ValueError, IndexError):
            return None

    async def send(self, frame: bytes) -> None:
        """Sends one frame. Raises RendererCrashed when the process is gone."""
        try:
            self._stdin.write(frame)
            await self._stdin.drain()
        except ConnectionError as error:
            raise RendererCrashed("the renderer ended before it took the request") from error

    async def receive(self) -> list[Any]:
        """The lines of the next frame, decoded.

        Raises RendererCrashed when the process is gone, RendererFault when a frame is beyond reason.
        """
        try:
            async with self._reading:
                length = int.from_bytes(await self._stdout.readexactly(HEADER_BYTES), "big")
                if length > MAX_ANSWER_BYTES:
                    raise RendererFault(f"an answer of {length} bytes")
                payload = await self._stdout.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise RendererCrashed("the renderer ended before it answered") from error
        if len(payload) > LARGE_BYTES:
            return await asyncio.to_thread(decode_lines, payload)
        return decode_lines(payload)

    async def stop(self) -> None:
        """Asks it to end by closing its input, and makes sure that it does."""
        self._stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._process.wait()
        await self.kill()

    async def kill(self) -> None:
        """Ends it at once, and returns when nothing of it is left."""
        _kill(self._process, self._handle)
        self._stdin.close()
        # Pipes are released only when they were read to their end.
        async with self._reading:
            while await self._stdout.read(_PIPE_BYTES):
                pass
        await self._listening
        await self._process.wait()
        with contextlib.suppress(ConnectionError):
            await self._stdin.wait_closed()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        while line := await _line(stderr):
            text = line.decode(errors="replace").rstrip()
            self._starved = self._starved or _STARVED.match(text) is not None
            if len(self._said) < _STDERR_LINES:
                self._said.append(text)


def _handle(pid: int) -> int | None:
    """A descriptor that stays this process's whoever reaps it; None where the kernel has none."""
    if sys.platform != "linux":
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _kill(process: asyncio.subprocess.Process, handle: int | None) -> None:
    """SIGKILL. asyncio's own way looks first whether the process ended, which hides that end from asyncio."""
    with contextlib.suppress(ProcessLookupError):
        if handle is not None and sys.platform == "linux":
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readline()
    except ValueError:
        # Longer than the reader's buffer: of no use to anyone.
        return b"\n"


def is_large(message: Mapping[str, Any], *, limit: int = LARGE_BYTES) -> bool:
    """Whether a message is likely to encode to more than `limit` bytes; looks at no more of it than that."""
    budget = limit
    pending: list[Any] = [message]
    while pending and budget > 0:
        value = pending.pop()
        budget -= 8
        if isinstance(value, str):
            budget -= len(value)
        elif isinstance(value, Mapping):
            pending.extend(value.values())
            budget -= 8 * len(value)
        elif isinstance(value, list | tuple):
            pending.extend(value)
    return budget <= 0
