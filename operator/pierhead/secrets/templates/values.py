"""What expressions of templates give: text, bytes, JSON, and what is not there.

Invariants: a value that is UTF-8 is text and is written as the very bytes it was; text is always such that
UTF-8 can hold it; numbers keep the digits they were written with; a refusal names the kind of a value only.
"""

from dataclasses import dataclass
from typing import Any, Final

from pierhead.engine.properties import Number
from pierhead.secrets.templates.budget import Refusal


@dataclass(frozen=True, slots=True)
class Undefined:
    """What is not there."""

    what: str
    """How a message names it: by words of the template's."""

    reason: str = "UndefinedKey"

    def refusal(self) -> Refusal:
        """The error of using it."""
        return Refusal(f"{self.what} is not there; the filter default takes its place", reason=self.reason)


def from_bytes(value: bytes) -> str | bytes:
    """A value that was read, as text if it is that."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def to_bytes(value: Any) -> bytes:
    """A value as it is written. Raises Refusal where it has no one text."""
    return value if isinstance(value, bytes) else text(value).encode()


def text(value: Any) -> str:
    """A value as text. Raises Refusal where it has no one text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Undefined):
        raise value.refusal()
    if isinstance(value, bytes):
        raise Refusal("needs text, and is given binary; base64encode makes it text")
    raise Refusal(f"needs text, and is given {kind(value)}")


def mapping(value: Any) -> dict[str, Any]:
    """A mapping. Raises Refusal for anything else."""
    if isinstance(value, dict):
        return value
    raise Refusal(f"needs a mapping, and is given {kind(value)}")


def listing(value: Any) -> list[Any]:
    """A list. Raises Refusal for anything else."""
    if isinstance(value, list):
        return value
    raise Refusal(f"needs a list, and is given {kind(value)}")


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same; a number is the same as its text."""
    if any(isinstance(one, (Number, int)) and not isinstance(one, bool) for one in (left, right)):
        return _scalar(left) and _scalar(right) and text(left) == text(right)
    return type(left) is type(right) and bool(left == right)


def _scalar(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool)


_KINDS: Final = (
    (Number, "a number"),
    (str, "text"),
    (bytes, "binary"),
    (bool, "true or false"),
    (int, "a number"),
    (dict, "a mapping"),
    (list, "a list"),
)


def kind(value: Any) -> str:
    """What sort of value it is, for a message. Raises Refusal for what is not there."""
    if isinstance(value, Undefined):
        raise value.refusal()
    return next((name for one, name in _KINDS if isinstance(value, one)), "null")
