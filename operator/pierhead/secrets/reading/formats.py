"""Texts that hold several values: JSON and dotenv.

Invariant: a fault says where and what, and never quotes the text; nothing raises, so no exception can carry
the text along.
"""

import io
import re
from collections.abc import Callable, Mapping
from typing import Final

from dotenv.parser import parse_stream

from pierhead.engine.properties import Fault, as_text, parse_json, shown

_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")


def json_keys(text: str) -> Mapping[str, str | Fault] | Fault:
    """Every property of a JSON object, as text."""
    value = parse_json(text)
    if isinstance(value, Fault):
        return value
    if not isinstance(value, dict):
        return Fault("NotAnObject", "is JSON, but not an object with a property for each key")
    return {name: as_text(item) for name, item in value.items()}


def dotenv_keys(text: str) -> Mapping[str, str | Fault] | Fault:
    """Every variable of a .env file. `${…}` stays as it is: a secret is no place for other variables."""
    found: dict[str, str | Fault] = {}
    for binding in parse_stream(io.StringIO(text)):
        # The parser counts from the blank lines before the variable.
        blank = len(binding.original.string) - len(binding.original.string.lstrip())
        line = binding.original.line + binding.original.string[:blank].count("\n")
        if binding.error:
            return Fault("NotDotenv", f"line {line} is not KEY=value")
        if binding.key is None:
            continue
        if binding.value is None:
            return Fault("NotDotenv", f"line {line} has no =; an empty value is written KEY=")
        if not _KEY.fullmatch(binding.key):
            # Not shown: where quotes are missing, a line of a value is taken for a name.
            return Fault("BadKey", f"line {line}: a variable's name has letters, digits, -, _ and . only")
        if binding.key in found:
            return Fault("DuplicateProperty", f"has the variable {shown(binding.key)} twice")
        found[binding.key] = binding.value
    return found


PARSERS: Final[Mapping[str, Callable[[str], Mapping[str, str | Fault] | Fault]]] = {
    "json": json_keys,
    "dotenv": dotenv_keys,
}
