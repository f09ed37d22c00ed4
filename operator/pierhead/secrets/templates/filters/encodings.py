"""Filters between bytes and text.

Invariant: bytes come out as they went in, whatever they are; a refusal tells nothing of them, not even where
they are wrong.
"""

import base64
from typing import Any, Final

from pierhead.secrets.templates.budget import Refusal
from pierhead.secrets.templates.values import from_bytes, text, to_bytes

ENCODINGS: Final = ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1")


def base64encode(value: Any) -> str:
    """Base64 of text or bytes."""
    return base64.b64encode(to_bytes(value)).decode()


def base64decode(value: Any) -> str | bytes:
    """What is in base64; white space in it is passed over. Raises Refusal."""
    return _decoded(value, altchars=None)


def base64urlencode(value: Any) -> str:
    """Base64 for URLs, without `=` at its end, of text or bytes."""
    return base64.urlsafe_b64encode(to_bytes(value)).decode().rstrip("=")


def base64urldecode(value: Any) -> str | bytes:
    """What is in base64 for URLs, with or without `=` at its end. Raises Refusal."""
    return _decoded(value, altchars=b"-_")


def toutf8(value: Any, encoding: Any) -> str:
    """The text in bytes of another encoding. Raises Refusal."""
    if encoding not in ENCODINGS:
        raise Refusal(f"takes one of {', '.join(ENCODINGS)}")
    decoded = None
    try:
        decoded = to_bytes(value).decode(encoding)
        decoded.encode()
    except UnicodeError:
        decoded = None
    if decoded is None:
        raise Refusal(f"is not {encoding}")
    return decoded


def _decoded(value: Any, *, altchars: bytes | None) -> str | bytes:
    packed = "".join(text(value).split())
    if altchars is not None:
        packed = packed.rstrip("=")
        packed += "=" * (-len(packed) % 4)
    decoded = None
    try:
        decoded = base64.b64decode(packed, altchars=altchars, validate=True)
    except ValueError:
        decoded = None
    if decoded is None:
        raise Refusal("is not base64" if altchars is None else "is not base64 for URLs")
    return from_bytes(decoded)
