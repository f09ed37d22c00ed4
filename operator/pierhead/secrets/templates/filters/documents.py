"""Filters for JSON, YAML, and the values in them.

Invariant: numbers keep the digits they were written with, in and out; what is made is JSON or YAML whatever
characters the values have.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from pierhead.engine.properties import MISSING, Fault, Number, find, parse_json, to_json
from pierhead.secrets.templates.budget import Refusal, size
from pierhead.secrets.templates.values import Undefined, kind, text

LONGEST_PATH: Final = 512

# What YAML 1.1 and 1.2 both read as this very text, at the head of a member.
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})

# Allowed in JSON as they are, but line ends or unprintable to YAML.
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def fromjson(value: Any) -> Any:
    """What is in JSON text. Raises Refusal."""
    document = parse_json(text(value))
    if isinstance(document, Fault):
        raise Refusal(f"{document.message}", reason=document.reason)
    size(document, len(text(value)) * 32 + 1024)  # refuses what is nested too deeply
    if not _encodable(document):
        raise Refusal("has half a surrogate pair, which no text can hold", reason="NotText")
    return document


def tojson(value: Any) -> str:
    """Compact JSON text of any value; a text in quotes."""
    return _json(value)


def toyaml(value: Any) -> str:
    """YAML text of any value, in block style. Raises Refusal."""
    return "\n".join(_yaml(value, "")) + "\n"


def get(value: Any, path: Any) -> Any:
    """The property at a dotted path, with numbers for places in lists. Raises Refusal."""
    if not isinstance(path, str) or len(path) > LONGEST_PATH:
        raise Refusal(f"takes a path of at most {LONGEST_PATH} characters")
    found = find(value, path) if isinstance(value, (dict, list)) else MISSING
    if found is MISSING:
        kind(value)  # what is not there is told by its own name
        return Undefined(f"the property {path!r:.80}", reason="PropertyNotFound")
    return found


def merge(value: Any, other: Any) -> dict[str, Any]:
    """Two mappings in one, and so those in them; elsewhere the second wins. Raises Refusal."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        raise Refusal(f"needs two mappings, and is given {kind(value)} and {kind(other)}")
    merged = dict(value)
    for name, item in other.items():
        both = isinstance(item, dict) and isinstance(merged.get(name), dict)
        merged[name] = merge(merged[name], item) if both else item
    return merged


def _json(value: Any) -> str:
    """JSON of what templates have beside what JSON has: whole numbers, truths and null."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{to_json(name)}:{_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, (bool, int)):
        return text(value)
    return to_json(value if isinstance(value, Number) else text(value))


def _yaml(value: Any, margin: str) -> Iterator[str]:
    """Lines, of which the first has no margin."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _member(f"{_name(name)}:", item, margin)
    elif isinstance(value, list) and value:
        for item in value:
            yield from _member("-", item, margin)
    else:
        yield margin + _scalar(value)


def _member(head: str, item: Any, margin: str) -> Iterator[str]:
    if isinstance(item, (dict, list)) and item:
        yield margin + head
        yield from _yaml(item, margin + "  ")
    else:
        yield f"{margin}{head} {_scalar(item)}"


def _name(name: str) -> str:
    return name if _PLAIN_NAME.fullmatch(name) and name.lower() not in _WORDS else _scalar(name)


def _scalar(value: Any) -> str:
    """JSON is YAML, but for a few characters."""
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", _json(value))


def _encodable(document: Any) -> bool:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
