"""Opening PKCS#12, in a process of its own.

Invariants: who wrote a file of PKCS#12 says in it how long opening takes, so it is opened where that can be
ended: in a process with a limit of time and memory. The file and its password go there by a pipe, never by an
argument or the environment, and what goes wrong is told by one word of ours.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Final

from pierhead.secrets.templates.budget import Refusal

CPU_SECONDS: Final = 5
WALL_SECONDS: Final = 30
MEMORY_BYTES: Final = 256 * 1024 * 1024
"""Address space; a bare interpreter with the library takes a sixth of it."""

MOST_STORES: Final = 4
"""Files that one rendering may open."""

_CHILD: Final = "pierhead.secrets.templates.pkcs12_child"


@dataclass(frozen=True, slots=True)
class Store:
    """What was in a file, as PEM, each ended by a line end."""

    keys: list[str] = field(repr=False)
    certificates: list[str] = field(repr=False)
    """The holder's, then the others in the file's order."""


class Stores:
    """The files that one rendering opens, each once."""

    def __init__(self) -> None:
        self._opened: dict[tuple[bytes, str], Store] = {}

    def open(self, packed: bytes, password: str) -> Store:
        """What is in a file; blocks. Raises Refusal where it cannot be opened."""
        if (packed, password) not in self._opened:
            if len(self._opened) >= MOST_STORES:
                raise Refusal(f"opens more than {MOST_STORES} files", reason="TemplateTooCostly")
            self._opened[packed, password] = _open(packed, password)
        return self._opened[packed, password]


def _open(packed: bytes, password: str) -> Store:
    head = password.encode()
    answer = None
    try:
        done = subprocess.run(  # noqa: S603 (this very interpreter, and no argument but constants)
            [sys.executable, "-I", "-m", _CHILD],
            input=len(head).to_bytes(4, "big") + head + packed,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
            timeout=WALL_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        answer = None
    if answer is None:
        raise Refusal("takes too long to open, or too much memory", reason="TemplateTooCostly")
    if "error" in answer:
        raise Refusal(_ERRORS[answer["error"]], reason="NotPKCS12")
    return Store(answer["keys"], answer["certificates"])


_ERRORS: Final = {
    "password": "is not PKCS#12, or the password is wrong",
    "key": "has a private key of a kind that is not supported",
}
