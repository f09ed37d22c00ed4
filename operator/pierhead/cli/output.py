"""How results look: aligned text, colours on a terminal only, JSON and YAML for scripts.

Invariant: text has no tabs, no colours and no cuts unless it goes to a terminal; nothing is printed of a
Secret's values.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import typer
import yaml
from rich.console import Console
from rich.text import Text

from pierhead.cli.options import Output

_GOOD = frozenset(
    {"True", "Current", "deployed", "InSync", "Create", "create", "ok", "Complete", "Succeeded"}
)
_BAD = frozenset({"False", "Failed", "failed", "NotFound", "Delete", "remove", "!!"})
_RUNNING = frozenset(
    {
        "InProgress",
        "Terminating",
        "Unknown",
        "Update",
        "change",
        "pending-install",
        "pending-rollback",
        "pending-upgrade",
        "uninstalling",
    }
)
_GAP = "   "
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def show(value: Any, output: Output, text: Callable[[], None]) -> None:
    """Prints a result: as data where that was asked for, else by calling `text`."""
    if output is Output.JSON:
        typer.echo(json.dumps(value, indent=2))
    elif output is Output.YAML:
        typer.echo(as_yaml(value), nl=False)
    else:
        text()


def as_yaml(value: Any) -> str:
    """YAML with keys in their order, texts of several lines as blocks, and no aliases."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    """Columns as wide as they have to be; a terminal's last column is cut where the line ends.

    `err` prints to standard error.
    """
    lines = [list(headers), *(list(row) for row in rows)]
    lines = [[" ".join(cell.split()) for cell in line] for line in lines]
    widths = [max(len(line[index]) for line in lines) for index in range(len(headers))]
    console = Console(stderr=err)
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        text = _GAP.join(cells).rstrip()
        if not console.is_terminal:
            typer.echo(text, err=err)
            continue
        styled = Text(text, style="bold" if number == 0 else "", no_wrap=True, overflow="ellipsis")
        position = 0
        for cell, width in zip(line, widths, strict=True):
            styled.stylize(style_of(cell), position, position + len(cell))
            position += width + len(_GAP)
        console.print(styled)


def print_fields(fields: Mapping[str, str | None]) -> None:
    """A line for each field that has a text, with the texts below each other."""
    width = max(map(len, fields)) + 1
    for label, text in fields.items():
        if text:
            typer.echo(f"{label + ':':<{width}} {text}")


def print_marked(mark: str, text: str) -> None:
    """A line that begins with a mark of its own colour."""
    console = Console()
    if console.is_terminal:
        console.print(Text.assemble((mark, style_of(mark)), f" {text}"))
    else:
        typer.echo(f"{mark} {text}")


Node = Mapping[str, Any]


def print_tree(
    root: Node, *, label: Callable[[Node], Iterable[str]], children: Callable[[Node], Sequence[Node]]
) -> None:
    """A tree, with the words of each node's label in columns of their own colour."""
    console = Console()

    def lines(node: Node, indent: str, below: str) -> None:
        text = Text(indent)
        for word in label(node):
            text.append(f"{' '.join(word.split())}  ", style=style_of(word))
        text.rstrip()
        if console.is_terminal:
            text.truncate(console.width, overflow="ellipsis")
            console.print(text)
        else:
            typer.echo(text.plain)
        found = children(node)
        for number, child in enumerate(found):
            last = number == len(found) - 1
            lines(child, below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))

    lines(root, "", "")


def style_of(word: str) -> str:
    """The colour of a state."""
    if word in _GOOD:
        return "green"
    if word in _BAD:
        return "red"
    return "yellow" if word in _RUNNING else ""


def age(moment: str | None, now: datetime) -> str:
    """How long ago, as kubectl puts it: `42s`, `7m`, `5h`, `3d`."""
    if not moment:
        return ""
    passed = max(now - datetime.fromisoformat(moment), timedelta())
    total = int(passed.total_seconds())
    if total < 2 * _MINUTE:
        return f"{total}s"
    if total < 2 * _HOUR:
        return f"{total // _MINUTE}m"
    if total < 2 * _DAY:
        return f"{total // _HOUR}h"
    return f"{total // _DAY}d"


def columns_of(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """The fields of a list of entries that fit into a table, in the order they are met."""
    found: dict[str, None] = {}
    for entry in entries:
        found |= {key: None for key, value in entry.items() if not isinstance(value, dict)}
    return list(found)


def cell(value: Any) -> str:
    """A value in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return value if isinstance(value, str) else json.dumps(value)


class _Dumper(yaml.SafeDumper):
    """PyYAML's safe dumper, for people."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the overridden signature)
        """An object that occurs twice is written twice."""
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # A block cannot hold what ends a line with a blank.
    block = "\n" in text and not any(line != line.rstrip() for line in text.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text_node)
