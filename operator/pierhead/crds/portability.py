"""What a schema must not leave open.

Invariant: a spec that passes has bounds the API server can estimate a rule's cost from, and no pattern
that Go's regular expressions read otherwise than Rust's (pydantic's).
"""

import re
from collections.abc import Iterator
from typing import Any

# Perl's classes are ASCII in Go and Unicode in Rust; the last three are set operations in Rust's classes.
_AMBIGUOUS = re.compile(r"(?<!\\)(?:\\\\)*(\\[dDwWsSbB]|&&|--|~~)")
_SELF_BOUNDED = frozenset({"byte", "date", "date-time", "ipv4", "ipv6", "cidr", "uuid"})


def problems(schema: dict[str, Any], path: str = "spec") -> Iterator[str]:
    """Each open end of a structural schema, as `path: what to do`."""
    kind = schema.get("type")
    if pattern := schema.get("pattern"):
        yield from (
            f"{path}: pattern has {found!r}, which Go reads otherwise; write the characters out"
            for found in _AMBIGUOUS.findall(pattern)
        )
    is_text = kind == "string" or "x-kubernetes-int-or-string" in schema
    if is_text and not ({"enum", "maxLength"} & schema.keys() or schema.get("format") in _SELF_BOUNDED):
        yield f"{path}: give the text a max_length"
    if kind == "array":
        if "maxItems" not in schema:
            yield f"{path}: give the list a max_length"
        yield from problems(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        if "maxProperties" not in schema:
            yield f"{path}: give the mapping a max_length"
        yield from problems(schema["additionalProperties"], f"{path}.*")
    for name, value in schema.get("properties", {}).items():
        yield from problems(value, f"{path}.{name}")
