"""JSON that nests deeper than Python decodes.

Invariant: one object's nesting ends no watch. The API server takes 10,000 levels from anybody who may write
an object, the standard library's decoder some 1,000; what lies deeper than `DEEPEST` is left out of a
document that is too deep, and the kinds refuse what is half as deep in what they read.
"""

import json
import re
from typing import Any

DEEPEST = 200
"""Levels that are kept of a document that is too deep to be decoded."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]')


def loads(body: bytes | str) -> Any:
    """As `json.loads`, with nulls for what is nested too deep to be decoded. Raises ValueError."""
    try:
        return json.loads(body)
    except RecursionError:
        return json.loads(shallow(body if isinstance(body, str) else body.decode()))


def shallow_line(line: bytes) -> bytes:
    """One JSON document with null for what is below `DEEPEST` levels; cheap where nothing can be."""
    if line.count(b"{") + line.count(b"[") <= DEEPEST:
        return line
    return shallow(line.decode()).encode()


def shallow(text: str) -> str:
    """The JSON text with null for every array and object below `DEEPEST` levels."""
    kept: list[str] = []
    depth = position = 0
    for token in _TOKEN.finditer(text):
        character = token.group()[0]
        if character in "[{":
            depth += 1
            if depth == DEEPEST + 1:
                kept += [text[position : token.start()], "null"]
        elif character in "]}":
            if depth == DEEPEST + 1:
                position = token.end()
            depth -= 1
    kept.append(text[position:])
    return "".join(kept)
