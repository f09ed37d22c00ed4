"""Values that are kept encoded.

Invariant: a fault never quotes the value; nothing raises, so no exception can carry it along.
"""

import base64
import re
from typing import Final

from pierhead.engine.properties import Fault
from pierhead.secrets.model.sources import Decode

_SPACES: Final = b" \t\r\n"
_STANDARD: Final = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_URL: Final = re.compile(rb"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}(?:==)?|[A-Za-z0-9_-]{3}=?)?")


def decoded(value: bytes, how: Decode | None) -> bytes | Fault:
    """The value, decoded as asked. Spaces and line ends within Base64 do not count.

    `Auto` decodes what is Base64 with its padding, or else Base64URL with its padding; all else, and what is
    empty, stays as it is. A word of 4, 8, 12… letters and digits is Base64 too.
    """
    if how is None or how == "None":
        return value
    compact = value.translate(None, _SPACES)
    if how == "Auto":
        if len(compact) % 4 == 0 and (_STANDARD.fullmatch(compact) or _URL.fullmatch(compact)):
            return _decoded(compact)
        return value
    if not (_STANDARD if how == "Base64" else _URL).fullmatch(compact):
        return Fault("NotBase64", f"is not {how}, as decode says")
    return _decoded(compact)


def _decoded(compact: bytes) -> bytes:
    """Decodes either alphabet, which is known to be one of them, with or without its padding."""
    standard = compact.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    return base64.b64decode(standard + b"=" * (-len(standard) % 4))
