"""Answers that somebody else is about to ask for.

Invariant: an answer is held while `wanted` says so of its read, and in any case for `HELD_SECONDS` and
`HELD_BYTES` at most; it serves only what asks for the very same read, identity and region included, and
never one that needs a younger answer. Losing one costs a call and nothing else.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

HELD_SECONDS: Final = 60.0
HELD_BYTES: Final = 16 * 1024 * 1024

_Read = TypeVar("_Read")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Held(Generic[_Answer]):
    answer: _Answer | Exception = field(repr=False)
    asked_at: float
    size: int


class HeldAnswers(Generic[_Read, _Answer]):
    """The answers of one reader that are held; failures are answers too."""

    def __init__(
        self,
        *,
        wanted: Callable[[_Read], bool] = lambda _read: False,
        size: Callable[[_Answer], int] = lambda _answer: 0,
        clock: Callable[[], float],
    ) -> None:
        """`wanted` says whether a read is going to be asked for, `size` how many bytes an answer takes."""
        self._wanted = wanted
        self._size = size
        self.clock = clock
        self._held: OrderedDict[_Read, _Held[_Answer]] = OrderedDict()
        self._bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, read: _Read, answer: _Answer | Exception, asked_at: float) -> None:
        """Holds the answer to a call that was begun at `asked_at`, if somebody is going to ask for it."""
        self._drop(read)
        size = 0 if isinstance(answer, Exception) else self._size(answer)
        if not self._wanted(read) or size > HELD_BYTES:
            return
        self._held[read] = _Held(answer, asked_at, size)
        self._bytes += size
        while self._bytes > HELD_BYTES:
            self._drop(next(iter(self._held)))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(HELD_SECONDS, self._expire)

    def get(self, read: _Read, not_before: float) -> _Answer | Exception | None:
        """The answer, if it is held and its call was not begun earlier than `not_before`."""
        held = self._held.get(read)
        if held is None or held.asked_at < not_before or self._expired(held):
            return None
        return held.answer

    def sweep(self) -> None:
        """Drops what nobody is going to ask for any more."""
        for read in [read for read in self._held if not self._wanted(read)]:
            self._drop(read)

    def clear(self) -> None:
        """Drops everything."""
        self._held.clear()
        self._bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self, held: _Held[_Answer]) -> bool:
        return self.clock() >= held.asked_at + HELD_SECONDS

    def _expire(self) -> None:
        self._timer = None
        for read in [read for read, held in self._held.items() if self._expired(held)]:
            self._drop(read)
        if self._held:
            oldest = min(held.asked_at for held in self._held.values())
            delay = max(0.05, oldest + HELD_SECONDS - self.clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._expire)

    def _drop(self, read: _Read) -> None:
        held = self._held.pop(read, None)
        if held is not None:
            self._bytes -= held.size
