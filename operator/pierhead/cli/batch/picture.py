"""How a BatchJob looks while it is watched.

Invariant: pure; a picture is never larger than the terminal, whatever the number of indexes.
"""

from datetime import datetime
from typing import Any, Final

from rich.text import Text

from pierhead.batch.ledgers.ledger import Ledger
from pierhead.cli.batch import views
from pierhead.cli.batch.grid import picture_of, rows, sign, with_record
from pierhead.cli.conditions import condition
from pierhead.cli.output import style_of
from pierhead.engine.resource import Object

_RUNNING: Final = "Running"
_AROUND: Final = 7
"""Lines that are no grid."""

_LABELS: Final = {"succeeded": "green", "failed": "red", "active": "yellow", "waiting": "bright_black"}


def line(obj: Object, now: datetime) -> str:
    """A BatchJob in one line, which changes only when something has happened."""
    found = views.summary(obj, now)
    counts = ", ".join(f"{found[name]} {name}" for name in views.COUNTS[1:])
    states = _states(obj)
    why = views.waits_for(obj) if condition(obj, "Schedulable") else None
    # While it runs the message says what the counts say.
    more = "" if found["status"] == _RUNNING else f"; {found['message']}"
    more += f"; waits for: {why}" if why else ""
    return (
        f"{found['status']} {found['succeeded']}/{found['size']}, {counts}"
        f"{f' ({states})' if states else ''}, round {found['round']}{more}"
    )


def picture(obj: Object, now: datetime, *, width: int, height: int, record: Ledger | None = None) -> Text:
    """A BatchJob on a terminal of this many columns and lines; `record` has what its texts leave out."""
    found = views.summary(obj, now)
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"BatchJob {found['name']}  ", style="bold")
    text.append(found["status"], style=style_of(found["status"]) or "yellow")
    text.append(f"  {views.duration_text(found['durationSeconds'])}  round {found['round']}\n")
    text.append_text(_bar(found, width))
    for name, style in _LABELS.items():
        text.append(f"{name} {found[name]}  ", style=style if found[name] else "")
    text.append(f"{_states(obj)}\n\n")
    known = picture_of(obj)
    if record is not None:
        known = with_record(known, record, finished=views.is_finished(obj))
    grid = rows(known, columns=width, lines=max(1, height - _AROUND))
    for row in grid:
        for cell in row:
            text.append(*sign(cell))
        text.append("\n")
    largest = max(cell.size for row in grid for cell in row)
    if largest > 1:
        text.append(f"a cell is {largest} indexes or one less\n", style="bright_black")
    waits = views.waits_for(obj) if found["status"] == _RUNNING else None
    text.append(f"waits for: {waits}" if waits else found["message"], style="yellow" if waits else "")
    return text


def _bar(found: dict[str, Any], width: int) -> Text:
    percent = f" {100 * found['succeeded'] // found['size']:>3}% {found['succeeded']}/{found['size']}"
    room = max(1, width - len(percent))
    good = room * found["succeeded"] // found["size"]
    bad = min(room - good, -(-room * found["failed"] // found["size"]))
    return Text.assemble(
        ("━" * good, "green"), ("━" * bad, "red"), ("━" * (room - good - bad), "bright_black"), f"{percent}\n"
    )


def _states(obj: Object) -> str:
    states = views.status_of(obj).get("states") or {}
    return ", ".join(f"{name} {count}" for name, count in states.items() if count)
