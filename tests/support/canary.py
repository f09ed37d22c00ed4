"""The shapes in which a secret value shows when it leaks, and the search for them.

A value is looked for as it is, escaped, in hexadecimal, in base64 at each of its three alignments, and as the
common digests of itself and of `KEY=value;`, cut off or not. What is too short to tell from chance is looked
for by its digests only, so tests mark their values with MARK.
"""

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import quote

MARK = f"cAnArY{secrets.token_hex(15)}"
"""In front of the values of this session's tests. 36 characters: base64 of what begins with them begins with
their base64."""

DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_256", "blake2b")
_PLAIN_AT_LEAST = 8
_DIFFERENT_AT_LEAST = 5
_DIGESTED_AT_LEAST = 4
_TOKEN = 16
"""Characters of a digest that tell it from any other text."""

_HEX = re.compile(r"[0-9a-fA-F]{16,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}")
_UUID = re.compile(r"\b([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})\b")
_PLAIN_WORD = re.compile(r"[\w .:/-]{1,40}")
_JSON_TEXT = re.compile(r'(:\s*")(?=[^"\\]+")')
_DOTENV = re.compile(r"(?:export )?\w+=(['\"]?)[\w ]+\1")
_DOTENV_VALUE = re.compile(r"((?:export )?\w+=['\"]?)(?=\w)")

_RAW = MARK.encode()
_UNMARKED = (
    _RAW,
    base64.b64encode(_RAW),
    base64.b64encode(base64.b64encode(_RAW)),
    base64.b64decode(_RAW),
    _RAW.hex().encode(),
)


def marked(value: str | bytes) -> str | bytes:
    """The value with MARK in it where that changes nothing of its form: words, JSON texts, dotenv values."""
    if isinstance(value, bytes) or MARK in value:
        return value
    if _PLAIN_WORD.fullmatch(value) and not value.isdecimal():
        return MARK + value
    if value.startswith("{"):
        with suppress(ValueError):
            json.loads(value)
            return _JSON_TEXT.sub(rf"\g<1>{MARK}", value)
    if all(_DOTENV.fullmatch(line) for line in value.splitlines()):
        return "".join(_DOTENV_VALUE.sub(rf"\g<1>{MARK}", line) for line in value.splitlines(keepends=True))
    return value


def unmarked(value: bytes) -> bytes:
    """What a test put in, from what came of it: without MARK, also where it was encoded."""
    for mark in _UNMARKED:
        value = value.replace(mark, b"")
    return value


class Traces:
    """What these values leave where they have leaked."""

    def __init__(self, values: Iterable[bytes], *, known: str = "", keys: Iterable[str] = ()) -> None:
        """`known` is text that anybody may read, such as names: what is in it is no secret."""
        self._plain: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        keys = tuple(keys)
        for atom in {atom for value in values for atom in _atoms(value)}:
            self._add(atom, keys, known)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def found_in(self, text: str) -> list[str]:
        """Each form in which a value is in this text."""
        found = [f"{name}: {form}" for form, name in self._plain.items() if form in text]
        joined = _UUID.sub(r"\1\2\3\4\5", text)
        tokens = {match.lower()[:_TOKEN] for match in _HEX.findall(joined)}
        tokens |= {match[:_TOKEN] for match in _BASE64.findall(text)}
        return found + [f"{self._digests[token]}: {token}…" for token in tokens & self._digests.keys()]

    def _add(self, atom: bytes, keys: Iterable[str], known: str) -> None:
        if len(atom) < _DIGESTED_AT_LEAST:
            return
        shown = atom.decode("utf-8", "backslashreplace")
        if shown not in known:
            self._plain |= dict(_plain_forms(atom, shown))
        for name, made in (
            ("", atom),
            *((f" of {key}=…;", f"{key}=".encode() + atom + b";") for key in keys),
        ):
            for algorithm in DIGESTS:
                digest = hashlib.new(algorithm, made)
                self._digests[digest.hexdigest()[:_TOKEN]] = f"{algorithm}{name}"
                for encode in (base64.b64encode, base64.urlsafe_b64encode):
                    self._digests[encode(digest.digest()).decode()[:_TOKEN]] = f"{algorithm}{name} in base64"


def _plain_forms(atom: bytes, shown: str) -> Iterator[tuple[str, str]]:
    if len(atom) < _PLAIN_AT_LEAST or len(set(atom)) < _DIFFERENT_AT_LEAST:
        return
    if atom.decode("utf-8", "ignore").encode() == atom:
        for form in (shown, json.dumps(shown)[1:-1], repr(shown)[1:-1], quote(shown), quote(shown, safe="")):
            yield form, "as it is"
    yield repr(atom)[2:-1], "as bytes"
    yield atom.hex(), "hexadecimal"
    yield atom.hex().upper(), "hexadecimal"
    for shift in range(3):
        # Without the characters at either end that also depend on what is beside it.
        whole = atom[: len(atom) - (len(atom) + shift) % 3]
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(bytes(shift) + whole).decode()[(0, 2, 3)[shift] :], "base64"


def _atoms(value: bytes) -> Iterator[bytes]:
    """The value, and what is in it: JSON's texts and numbers, lines of dotenv, what base64 says."""
    yield value
    with suppress(UnicodeDecodeError):
        text = value.decode()
        with suppress(ValueError, RecursionError):
            yield from _leaves(json.loads(text, parse_float=str, parse_int=str))
        for line in text.splitlines():
            _, equals, rest = line.partition("=")
            if equals and not line.startswith(("{", "[")):
                yield rest.strip(" '\"").encode()
        with suppress(ValueError):
            yield base64.b64decode(text, validate=True)


def _leaves(document: object) -> Iterator[bytes]:
    if isinstance(document, dict):
        for item in document.values():
            yield from _leaves(item)
    elif isinstance(document, list):
        for item in document:
            yield from _leaves(item)
    elif isinstance(document, str):
        yield document.encode("utf-8", "surrogatepass")
