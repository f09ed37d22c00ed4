"""What the person who runs the demo sees while it runs.

Invariant: everything shown is shown as it happens: on a terminal one picture that changes in place, else
plain lines, one for each thing that changed.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Row:
    """One custom resource as `kubectl get` would show it."""

    kind: str
    name: str
    ready: str
    reason: str
    message: str


@dataclass(slots=True)
class Phase:
    """One step of the demo. `seconds` is None while it runs."""

    title: str
    began: float
    detail: str = ""
    seconds: float | None = None
    failed: bool = False


@dataclass(slots=True)
class Scene:
    """All there is to see."""

    began: float
    phases: list[Phase] = field(default_factory=list)
    rows: Sequence[Row] = ()


class Display(Protocol):
    """Where a scene is shown."""

    def phase_changed(self, scene: Scene, phase: Phase) -> None:
        """A phase began, has another detail, or ended."""

    def rows_changed(self, scene: Scene, before: Sequence[Row]) -> None:
        """The objects changed."""

    def __enter__(self) -> Self:
        """Begins to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leaves the last picture where it is."""


class Stage:
    """The scene and its display."""

    def __init__(self, display: Display, clock: Callable[[], float] = time.monotonic) -> None:
        self._display = display
        self._clock = clock
        self._scene = Scene(clock())

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return self._clock() - self._scene.began

    @contextmanager
    def phase(self, title: str) -> Iterator[Callable[[str], None]]:
        """A step; call what it yields to say what came of it or what is awaited."""
        phase = Phase(title, self._clock())
        self._scene.phases.append(phase)
        self._display.phase_changed(self._scene, phase)

        def tell(detail: str) -> None:
            phase.detail = detail
            self._display.phase_changed(self._scene, phase)

        try:
            yield tell
        except BaseException:
            phase.failed = True
            raise
        finally:
            phase.seconds = self._clock() - phase.began
            self._display.phase_changed(self._scene, phase)

    def show(self, rows: Sequence[Row]) -> None:
        """The objects as they are now."""
        if rows != self._scene.rows:
            before, self._scene.rows = self._scene.rows, rows
            self._display.rows_changed(self._scene, before)


class Lines:
    """Plain lines."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def phase_changed(self, scene: Scene, phase: Phase) -> None:
        """A line when it begins and when it ends."""
        if phase.seconds is not None:
            word = "failed" if phase.failed else "done"
            detail = f": {phase.detail}" if phase.detail else ""
            self._print(scene, f"{phase.title}{detail} ({word} in {phase.seconds:.1f} s)")
        elif not phase.detail:
            self._print(scene, f"{phase.title} …")

    def rows_changed(self, scene: Scene, before: Sequence[Row]) -> None:
        """A line for each object that changed."""
        for row in scene.rows:
            if row not in before:
                text = f"  {row.kind} {row.name}: Ready={row.ready or '?'} {row.reason} {row.message}"
                self._print(scene, text.rstrip())

    def _print(self, scene: Scene, text: str) -> None:
        self._console.print(
            f"{time.monotonic() - scene.began:6.1f} s  {text}", markup=False, highlight=False, soft_wrap=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class Picture:
    """One picture that changes in place."""

    def __init__(self, console: Console) -> None:
        self._scene: Scene | None = None
        self._spinner = Spinner("dots", style="cyan")
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=12)

    def phase_changed(self, scene: Scene, phase: Phase) -> None:
        """It is drawn from the scene, many times a second."""
        del phase
        self._scene = scene

    def rows_changed(self, scene: Scene, before: Sequence[Row]) -> None:
        """It is drawn from the scene, many times a second."""
        del before
        self._scene = scene

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.refresh()
        self._live.stop()

    def _render(self) -> RenderableType:
        scene = self._scene
        if scene is None:
            return Text("")
        parts: list[RenderableType] = [_phases(scene, self._spinner)]
        if scene.rows:
            parts += ["", _objects(scene.rows)]
        return Group(*parts)


def best_display(console: Console) -> Display:
    """A picture on a terminal, else lines."""
    return Picture(console) if console.is_terminal and not console.is_dumb_terminal else Lines(console)


def _phases(scene: Scene, spinner: Spinner) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=1)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", width=7)
    table.add_column(style="dim", overflow="ellipsis", no_wrap=True)
    now = time.monotonic()
    for phase in list(scene.phases):
        if phase.seconds is None:
            mark: RenderableType = spinner
            title = Text(phase.title, style="bold")
        else:
            mark = Text("✗", style="red") if phase.failed else Text("✓", style="green")
            title = Text(phase.title)
        spent = now - phase.began if phase.seconds is None else phase.seconds
        table.add_row(mark, title, f"{spent:.1f} s", Text(phase.detail))
    return table


def _objects(rows: Sequence[Row]) -> Table:
    table = Table(
        "KIND", "NAME", "READY", "REASON", "MESSAGE", box=box.SIMPLE_HEAD, pad_edge=False, expand=True
    )
    table.columns[-1].overflow = "ellipsis"
    for column in table.columns:
        column.no_wrap = True
    table.columns[-1].ratio = 1
    styles = {"True": "green", "False": "yellow"}
    for row in rows:
        ready = Text(row.ready or "…", style=styles.get(row.ready, "dim"))
        table.add_row(row.kind, row.name, ready, row.reason, Text(row.message, style="dim"))
    return table
