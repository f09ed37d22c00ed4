"""Loopback ports that stay ours.

Invariant: between choosing a port and a program's listening on it, nobody else can take it. The port
is bound with SO_REUSEPORT and never listened on: the kernel then gives it to nobody who does not ask
for sharing under the same user, and it never picks a bound port by itself. The programs are told to
bind with SO_REUSEPORT too. Held for the sandbox's life, so a program can be started again on its port.
"""

import socket
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"


class Reservation:
    """One loopback TCP port, ours until `close`."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._socket.bind((LOOPBACK, 0))
        except OSError:
            self._socket.close()
            raise
        self.port: int = self._socket.getsockname()[1]

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"{LOOPBACK}:{self.port}"

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
