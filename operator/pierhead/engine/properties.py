"""A text that holds JSON, and its properties by path.

Invariants: a number keeps the digits it was written with; a fault says where and what, and never quotes
the text; nothing raises, so no exception can carry the text along.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

MISSING: Final = object()
"""What `find` returns when there is no such property; None is JSON's null."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no value: a CamelCase word, and a sentence without the value."""

    reason: str
    message: str
    absent: bool = False
    """Whether this proves that what was asked for does not exist."""


_TOO_DEEP: Final = Fault("NotJSON", "is nested too deeply")
_INDEX: Final = re.compile(r"\d{1,9}", re.ASCII)


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def parse_json(text: str) -> Any | Fault:
    """The JSON value of the text, its numbers as `Number`."""
    duplicates: list[str] = []

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            duplicates.append(next(name for name in names if names.count(name) > 1))
        return found

    fault = None
    try:
        value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_refuse, object_pairs_hook=members
        )
    except json.JSONDecodeError as error:
        fault = Fault("NotJSON", f"is not JSON: line {error.lineno}, column {error.colno}")
    except ValueError:
        fault = Fault("NotJSON", "is not JSON: NaN and Infinity are no numbers in it")
    except RecursionError:
        fault = _TOO_DEEP
    if fault is not None:
        return fault
    if duplicates:
        return Fault("DuplicateProperty", f"has the property {shown(duplicates[0])} twice")
    return value


def find(value: Any, path: str) -> Any:
    """The property at the dotted path, or MISSING.

    At every level the longest name that exists wins, so a literal `a.b` beats `b` in `a`. Each property is
    reached by one path only, so this takes no longer than the document is large.
    """
    if isinstance(value, list):
        head, _, rest = path.partition(".")
        found = value[int(head)] if _INDEX.fullmatch(head) and int(head) < len(value) else MISSING
        return find(found, rest) if rest else found
    if not isinstance(value, dict):
        return MISSING
    if path in value:
        return value[path]
    end = path.rfind(".")
    while end > 0:
        if path[:end] in value:
            found = find(value[path[:end]], path[end + 1 :])
            if found is not MISSING:
                return found
        end = path.rfind(".", 0, end)
    return MISSING


def as_text(value: Any) -> str | Fault:
    """What a JSON value is as the value of a key: strings as they are, all else as JSON text."""
    if value is None:
        return Fault("NullValue", "is null; give it a value, or take the property away")
    try:
        return value if isinstance(value, str) else to_json(value)
    except RecursionError:
        return _TOO_DEEP


def to_json(value: Any) -> str:
    """Compact JSON text, in which numbers are as they were written."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{to_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(to_json(item) for item in value) + "]"
    return _quoted(value)


def _quoted(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _refuse(_constant: str) -> None:
    raise ValueError  # NaN and Infinity are Python's, not JSON's


def shown(name: str) -> str:
    """A name for a message; names are not secret, but may be long."""
    return repr(name if len(name) <= 64 else f"{name[:61]}…")  # noqa: PLR2004
