"""Filters that make text of text.

Invariants: each is a function of its arguments; the length of what it makes is known, and checked, before it
is made; no regular expression here can backtrack.
"""

import re
import shlex
from typing import Any, Final
from urllib.parse import quote

from pierhead.secrets.templates.budget import Refusal, checked_length
from pierhead.secrets.templates.values import listing, mapping, text

MOST_PARTS: Final = 10_000
WIDEST_INDENT: Final = 32

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def upper(value: Any) -> str:
    """Capital letters."""
    return text(value).upper()


def lower(value: Any) -> str:
    """Small letters."""
    return text(value).lower()


def trim(value: Any) -> str:
    """No white space at either end."""
    return text(value).strip()


def replace(value: Any, old: Any, new: Any) -> str:
    """Every `old` becomes `new`. Raises Refusal."""
    whole, before, after = text(value), text(old), text(new)
    if not before:
        raise Refusal("cannot replace an empty text")
    count = whole.count(before)
    checked_length(len(whole) + count * (len(after) - len(before)))
    return whole.replace(before, after)


def split(value: Any, separator: Any) -> list[str]:
    """A list of the parts between separators. Raises Refusal."""
    whole, mark = text(value), text(separator)
    if not mark:
        raise Refusal("cannot split at an empty text")
    if whole.count(mark) >= MOST_PARTS:
        raise Refusal(f"would make more than {MOST_PARTS} parts")
    return whole.split(mark)


def join(value: Any, separator: Any = "") -> str:
    """The texts of a list, with a separator between them. Raises Refusal."""
    parts, mark = [text(part) for part in listing(value)], text(separator)
    checked_length(sum(map(len, parts)) + len(mark) * len(parts))
    return mark.join(parts)


def indent(value: Any, width: Any) -> str:
    """Blanks before every line but the first, and but empty ones. Raises Refusal."""
    if isinstance(width, bool) or not isinstance(width, int) or not 0 <= width <= WIDEST_INDENT:
        raise Refusal(f"takes a width from 0 to {WIDEST_INDENT}")
    whole = text(value)
    checked_length(len(whole) + width * whole.count("\n"))
    first, *others = whole.split("\n")
    return "\n".join([first, *(" " * width + line if line else line for line in others)])


def urlencode(value: Any) -> str:
    """Percent-encoded, all but letters, digits and -._~, as a part of a URL needs it."""
    return quote(text(value), safe="")


def shellquote(value: Any) -> str:
    """One word of a POSIX shell. Raises Refusal."""
    return shlex.quote(_without_null(text(value)))


def dotenvquote(value: Any) -> str:
    """The value of a line of a .env file, in quotes where it needs them. Raises Refusal."""
    whole = _without_null(text(value))
    if _PLAIN.fullmatch(whole):
        return whole
    return "'" + whole.replace("\\", "\\\\").replace("'", "\\'") + "'"


def dotenv(value: Any) -> str:
    """A line NAME=value for each member of a mapping, in its order. Raises Refusal."""
    members = mapping(value)
    if not all(_VARIABLE.fullmatch(name) for name in members):
        raise Refusal("has a name that is no variable's: letters, digits and _, and no digit first")
    return "".join(f"{name}={dotenvquote(item)}\n" for name, item in members.items())


def _without_null(value: str) -> str:
    if "\0" in value:
        raise Refusal("has a null character, which cannot be quoted")
    return value
