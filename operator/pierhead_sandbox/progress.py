"""Showing a build to the person who waits for it.

Invariant: what is shown goes to standard error, moves while something happens, and is plain lines
when standard error is not a terminal. The share done is an estimate and is labelled as one.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """What a builder tells while it works."""

    def start(self, name: str) -> None:
        """Work on `name` begins."""

    def advance(self, name: str, share: float, activity: str) -> None:
        """About `share` (0 to 1) of `name` is done; `activity` is what happens now."""

    def finish(self, name: str) -> None:
        """`name` is there."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Silent:
    """Shows nothing."""

    def start(self, name: str) -> None:
        """Nothing."""

    def advance(self, name: str, share: float, activity: str) -> None:
        """Nothing."""

    def finish(self, name: str) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Lines:
    """Plain lines, one at the start and end of each program and one each `every` seconds between."""

    def __init__(self, weights: Sequence[tuple[str, float]], *, every: float = 15.0) -> None:
        self._names = [name for name, _ in weights]
        self._every = every
        self._begun = time.monotonic()
        self._last = self._begun

    def start(self, name: str) -> None:
        """One line."""
        self._begun = self._last = time.monotonic()
        place = f" ({self._names.index(name) + 1} of {len(self._names)})" if name in self._names else ""
        self.note(f"building {name}{place}")

    def advance(self, name: str, share: float, activity: str) -> None:
        """A line when the last one is old enough."""
        now = time.monotonic()
        if now - self._last >= self._every:
            self._last = now
            self.note(f"{name}: about {share:.0%} after {now - self._begun:.0f} s, {activity}")

    def finish(self, name: str) -> None:
        """One line."""
        self.note(f"{name}: there after {time.monotonic() - self._begun:.0f} s")

    def note(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)


@contextmanager
def shown(weights: Sequence[tuple[str, float]]) -> Iterator[Progress]:
    """Progress over programs and their rough seconds: bars on a terminal, else lines."""
    if not sys.stderr.isatty():
        yield Lines(weights)
        return
    # Imported here: it takes a tenth of a second, and most starts have nothing to build.
    from pierhead_sandbox.bars import Bars  # noqa: PLC0415

    with Bars(weights) as bars:
        yield bars
