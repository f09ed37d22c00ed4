"""A few renderer processes that all requests share.

Invariant: a request that runs for ever, eats memory or kills its process costs that process and its own
answer, nothing else; requests that wait are served in the order they came; no process outlives the pool.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

from pierhead.engine.outcome import ReconcileError
from pierhead.render.errors import RendererCrashed, RenderOutOfMemory, RenderTimeout
from pierhead.render.process import RendererProcess, is_large
from pierhead.render.protocol import (
    Lookup,
    LookupCall,
    Rendering,
    RenderRequest,
    decode_answer,
    decode_lookup,
    encode_request,
    frame,
)

_ADVICE = "look for a loop or a recursion that never ends, or render less at once"

# Of the deadline: a process that got less processor time than this was not let run.
_BUSY_SHARE = 0.1

_BACKOFF_SECONDS = 0.1
_LONGEST_BACKOFF_SECONDS = 10.0

# A renderer takes some 30 MiB and renders hundreds of charts a second: another is only worth it where some
# take long, and no longer than they do.
_PATIENCE_SECONDS = 0.5
_REST_SECONDS = 600.0

# An idle process keeps some 15 MiB, and up to 48 MiB of what it may need again.
_KEPT_MIB = 96


@dataclass(eq=False, slots=True)
class _Slot:
    """A place for one process; crashes in a row delay its next one."""

    process: RendererProcess | None = None
    crashes: int = 0
    not_before: float = 0.0


class RendererPool:
    """Renders with `processes` child processes of at most `memory_mib` each, `deadline_seconds` a request.

    One of them is there from the start; each other is started when a request has waited for `patience`
    seconds, and ended once none has had to wait for ten minutes.
    A process that keeps more than `kept_mib` after a request is replaced.
    Waiting for a process, and for the answer of a `lookup`, does not count towards the deadline.
    The event loop's thread must live as long as the pool: its end is what ends orphaned processes.
    """

    def __init__(
        self,
        path: Path,
        *,
        processes: int = 2,
        memory_mib: int = 256,
        deadline_seconds: float = 30,
        kept_mib: int = _KEPT_MIB,
        patience: float = _PATIENCE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._memory_mib = memory_mib
        self._deadline = deadline_seconds
        self._kept = kept_mib * 2**20
        self._clock = clock
        self._slots = [_Slot() for _ in range(processes)]
        self._idle = list(self._slots)
        self._patience = patience
        self._open = 1
        self._turns = asyncio.Semaphore(self._open)
        self._crowded_at = clock()
        self._numbers = count(1)
        self._ending: set[asyncio.Task[None]] = set()
        self._stopped = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def pids(self) -> tuple[int, ...]:
        """The ids of the running processes."""
        return tuple(slot.process.pid for slot in self._slots if slot.process and slot.process.alive)

    async def start(self) -> None:
        """Starts the first process, so that a renderer that cannot run is known at once.

        Raises RendererCrashed then.
        """
        try:
            await self._running(self._slots[0])
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Ends all processes. Requests under way or waiting end with RendererCrashed."""
        self._stopped = True
        processes = [slot.process for slot in self._slots if slot.process]
        for slot in self._slots:
            slot.process = None
        await asyncio.gather(*(process.stop() for process in processes), *self._ending)

    async def render(self, request: RenderRequest, lookup: Lookup | None = None) -> Rendering:
        """Renders one request; without a `lookup`, templates find the cluster empty.

        Raises RenderInvalid, RenderTimeout, RenderOutOfMemory, RendererCrashed, RendererFault, and
        whatever `lookup` raises.
        """
        identifier = str(next(self._numbers))
        encoded = await self._encode(identifier, request, lookup=lookup is not None)
        await self._turn()
        slot = self._take()
        try:
            lines = await self._exchange(slot, request, encoded, lookup)
        finally:
            self._give_back(slot)
        return decode_answer(identifier, lines)

    async def _turn(self) -> None:
        """Returns when it is this request's turn; the longer that takes, the more processes there are."""
        impatient = asyncio.get_running_loop().call_later(self._patience, self._widen)
        try:
            await self._turns.acquire()
        finally:
            impatient.cancel()

    def _widen(self) -> None:
        self._crowded_at = self._clock()
        if self._open < len(self._slots):
            self._open += 1
            self._turns.release()

    def _give_back(self, slot: _Slot) -> None:
        self._idle.append(slot)
        if self._open > 1 and self._clock() - self._crowded_at > _REST_SECONDS:
            self._open -= 1
            self._discard_later(slot)
        else:
            self._turns.release()

    async def _encode(self, identifier: str, request: RenderRequest, *, lookup: bool) -> bytes:
        texts: dict[str, Any] = {
            "values": request.chart.values if request.chart else None,
            "inline": request.overlay.inline if request.overlay else None,
            "text": request.manifests.text if request.manifests else None,
        }
        if is_large(texts):
            return await asyncio.to_thread(encode_request, identifier, request, lookup=lookup)
        return encode_request(identifier, request, lookup=lookup)

    def _take(self) -> _Slot:
        running = (slot for slot in self._idle if slot.process is not None and slot.process.alive)
        slot = next(running, self._idle[0])
        self._idle.remove(slot)
        return slot

    async def _exchange(
        self, slot: _Slot, request: RenderRequest, encoded: bytes, lookup: Lookup | None
    ) -> list[Any]:
        process = await self._running(slot)
        try:
            lines, refused = await self._converse(process, encoded, lookup, source=_blame(request))
        except RenderTimeout:
            await self._discard(slot)
            raise
        except RendererCrashed as error:
            await self._discard(slot)
            if process.starved:
                raise RenderOutOfMemory(
                    f"rendering needs more than the {self._memory_mib} MiB of memory that it may use: "
                    f"{_ADVICE}",
                    source=_blame(request),
                ) from error
            if self._stopped:
                raise RendererCrashed("the operator is stopping") from error
            self._count_crash(slot)
            raise RendererCrashed(_with_words(error.message, process.last_words)) from error
        except BaseException:
            # Cancelled, say: the process is in the middle of something.
            self._discard_later(slot)
            raise
        slot.crashes = 0
        if process.kept_bytes() > self._kept:
            self._discard_later(slot)
        if refused is not None:
            raise refused
        return lines

    async def _converse(
        self, process: RendererProcess, encoded: bytes, lookup: Lookup | None, *, source: str
    ) -> tuple[list[Any], ReconcileError | None]:
        """Sends a request and answers lookups until the renderer has answered.

        Returns the answer, and what a lookup failed with; no template goes on after that.
        """
        refused: ReconcileError | None = None
        remaining = self._deadline
        cpu_before = process.cpu_seconds()
        while True:
            started = self._clock()
            try:
                async with asyncio.timeout(remaining):
                    await process.send(encoded)
                    lines = await process.receive()
            except TimeoutError as error:
                raise self._late(process, cpu_before, source) from error
            remaining -= self._clock() - started
            call = decode_lookup(lines[0])
            if call is None:
                return lines, refused
            try:
                encoded = await _answer(call, lookup)
            except ReconcileError as error:
                refused = error
                encoded = frame({"error": "refused"})

    def _late(self, process: RendererProcess, cpu_before: float | None, source: str) -> ReconcileError:
        """Whose fault a missed deadline is. Nothing in a template waits, so a busy process is the input's."""
        cpu = process.cpu_seconds()
        if cpu_before is not None and cpu is not None and cpu - cpu_before < self._deadline * _BUSY_SHARE:
            return RendererCrashed(
                f"rendering did not end within {self._deadline:g} s, of which it was let run for only "
                f"{cpu - cpu_before:.1f} s: the operator needs more CPU"
            )
        return RenderTimeout(f"rendering did not end within {self._deadline:g} s: {_ADVICE}", source=source)

    async def _running(self, slot: _Slot) -> RendererProcess:
        if self._stopped:
            raise RendererCrashed("the operator is stopping")
        if slot.process is not None and slot.process.alive:
            return slot.process
        if slot.process is not None:
            await self._discard(slot)
        await asyncio.sleep(max(0.0, slot.not_before - self._clock()))
        if self._stopped:
            raise RendererCrashed("the operator is stopping")
        try:
            process = await RendererProcess.start(self._path, memory_mib=self._memory_mib)
        except RendererCrashed:
            self._count_crash(slot)
            raise
        if self._stopped:
            await process.kill()
            raise RendererCrashed("the operator is stopping")
        slot.process = process
        return process

    def _count_crash(self, slot: _Slot) -> None:
        delay = min(_BACKOFF_SECONDS * 2**slot.crashes, _LONGEST_BACKOFF_SECONDS)
        slot.crashes += 1
        slot.not_before = self._clock() + delay

    async def _discard(self, slot: _Slot) -> None:
        """Ends the slot's process; if this is cancelled, the process ends all the same."""
        await asyncio.shield(self._discard_later(slot))

    def _discard_later(self, slot: _Slot) -> "asyncio.Task[None]":
        process, slot.process = slot.process, None
        task = asyncio.create_task(_end(process))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        return task


async def _end(process: RendererProcess | None) -> None:
    if process is not None:
        await process.kill()


async def _answer(call: LookupCall, lookup: Lookup | None) -> bytes:
    if lookup is None:
        raise RendererCrashed("the renderer looks up what it was not told it may")
    found = await lookup(call)
    single = found is None or isinstance(found, Mapping)
    reply = {"object": found} if single else {"items": found}
    if is_large(reply):
        return await asyncio.to_thread(frame, reply)
    return frame(reply)


def _blame(request: RenderRequest) -> str:
    """What most likely costs time or memory."""
    if request.chart:
        return "helm"
    return "kustomize" if request.overlay else "resources"


def _with_words(message: str, words: str) -> str:
    return f"{message}: {words}" if words else message
