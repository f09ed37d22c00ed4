"""JSON answers, without holding up the event loop.

Invariant: an answer of any size is decoded without the loop standing still for longer than one item
takes. The standard library's decoder keeps the interpreter lock for a whole document, in a thread too
(measured: 2.9 MB cost the loop 24 ms either way); decoding a list item by item in a thread gives the
lock back between items.
"""

import asyncio
import json
from typing import Any

from pierhead.engine.nesting import loads

THREAD_BYTES = 256 * 1024
_DECODER = json.JSONDecoder()
_SPACE = " \t\r\n"


async def decode(body: bytes) -> Any:
    """The JSON value of an answer. Raises ValueError when it is none."""
    if len(body) <= THREAD_BYTES:
        return loads(body)
    return await asyncio.to_thread(_decoded, body)


def _decoded(body: bytes) -> Any:
    try:
        return decode_stepwise(body)
    except RecursionError:
        return loads(body)


def decode_stepwise(body: bytes) -> Any:
    """As `json.loads`, with one decoder call for each item of the arrays of a top-level object."""
    text = body.decode()
    position = _skip(text, 0)
    if text[position : position + 1] != "{":
        return json.loads(text)
    decoded: dict[str, Any] = {}
    position = _skip(text, position + 1)
    if text[position : position + 1] == "}":
        return json.loads(text)
    while True:
        key, position = _DECODER.raw_decode(text, position)
        position = _skip(text, _expect(text, _skip(text, position), ":"))
        if text[position : position + 1] == "[":
            decoded[key], position = _array(text, position)
        else:
            decoded[key], position = _DECODER.raw_decode(text, position)
        position = _skip(text, position)
        if text[position : position + 1] != ",":
            break
        position = _skip(text, position + 1)
    position = _skip(text, _expect(text, position, "}"))
    if position != len(text):
        raise ValueError(f"more text at {position} after the end of the JSON value")
    return decoded


def _array(text: str, position: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    position = _skip(text, position + 1)
    if text[position : position + 1] == "]":
        return items, position + 1
    while True:
        item, position = _DECODER.raw_decode(text, position)
        items.append(item)
        position = _skip(text, position)
        if text[position : position + 1] != ",":
            return items, _expect(text, position, "]")
        position = _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _SPACE:
        position += 1
    return position


def _expect(text: str, position: int, character: str) -> int:
    if text[position : position + 1] != character:
        raise ValueError(f"{character!r} expected at {position}")
    return position + 1
