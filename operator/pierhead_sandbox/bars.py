"""The build, as bars on a terminal.

Invariant: one bar for the whole, weighted by rough seconds, and one line that says what happens now.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Bars:
    """Bars of rich; see `progress.Progress` for what the methods mean."""

    def __init__(self, weights: Sequence[tuple[str, float]]) -> None:
        self._weights = dict(weights)
        self._done = 0.0
        self._display = Progress(
            SpinnerColumn(),
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("about {task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[activity]}", table_column=None),
            console=Console(stderr=True),
        )
        total = sum(self._weights.values())
        self._whole: TaskID = self._display.add_task(
            f"{len(self._weights)} programs", total=total or None, activity=""
        )
        self._tasks: dict[str, TaskID] = {}

    def start(self, name: str) -> None:
        """Add the program's own bar."""
        self._tasks[name] = self._display.add_task(f"  {name}", total=1.0, activity="")

    def advance(self, name: str, share: float, activity: str) -> None:
        """Move both bars."""
        if name in self._tasks:
            self._display.update(self._tasks[name], completed=share, activity=activity[-48:])
        weight = self._weights.get(name, 0.0)
        self._display.update(self._whole, completed=self._done + weight * share)

    def finish(self, name: str) -> None:
        """Fill the program's bar."""
        if name in self._tasks:
            self._display.update(self._tasks[name], completed=1.0, activity="done")
            self._display.stop_task(self._tasks[name])
        self._done += self._weights.get(name, 0.0)
        self._display.update(self._whole, completed=self._done)

    def note(self, text: str) -> None:
        """A line above the bars."""
        self._display.console.print(text, highlight=False)

    def __enter__(self) -> Self:
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._display.stop()
