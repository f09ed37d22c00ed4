"""One HTTP exchange on connections that are made here.

Invariant: a connection goes to an address that was judged, not to a name that is looked up again; and every
exchange can be ended from outside, by closing its sockets.
"""

import contextlib
import socket
import ssl
import threading
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pierhead.engine.outcome import Transient
from pierhead.stores.networks import Networks

CONNECT_SECONDS = 10.0


class Exchange:
    """The sockets of one exchange."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._handles: list[socket.socket] = []
        self._lock = threading.Lock()
        self._ended = False

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to the first of the host's places that takes one.

        Raises what `Networks.places` raises, and Transient.
        """
        failure: OSError | None = None
        for family, address, at in self._networks.places(host.strip("[]"), port):
            made = socket.socket(family, socket.SOCK_STREAM)
            try:
                self._keep(made)
                made.settimeout(CONNECT_SECONDS)
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.connect((address, at))
            except OSError as error:
                failure = error
                made.close()
                continue
            return made
        if isinstance(failure, ConnectionRefusedError):
            raise Transient("cannot be reached: the connection is refused", reason="SourceUnreachable")
        if isinstance(failure, TimeoutError):
            raise Transient(f"cannot be reached within {CONNECT_SECONDS:g}s", reason="SourceUnreachable")
        raise Transient("cannot be reached", reason="SourceUnreachable")

    def end(self) -> None:
        """Ends the exchange, whatever it is at."""
        with self._lock:
            self._ended = True
            for handle in self._handles:
                # Closing alone would leave a thread in its read.
                with contextlib.suppress(OSError):
                    handle.shutdown(socket.SHUT_RDWR)
                handle.close()
            self._handles.clear()

    def pool(self, scheme: str, host: str, port: int, *, tls: ssl.SSLContext | None) -> HTTPConnectionPool:
        """Connections to one server."""
        if scheme == "https":
            return _HTTPSPool(host, port, ssl_context=tls, exchange=self)
        return _HTTPPool(host, port, exchange=self)

    def _keep(self, made: socket.socket) -> None:
        """Keeps a handle of its own: TLS takes the socket itself over. Raises OSError after the end."""
        with self._lock:
            if self._ended:
                raise ConnectionAbortedError
            self._handles.append(made.dup())


class _HTTP(HTTPConnection):
    def __init__(self, *arguments: Any, exchange: Exchange, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._exchange = exchange

    def _new_conn(self) -> socket.socket:
        return self._exchange.connect(self._dns_host, self.port or 80)


class _HTTPS(HTTPSConnection):
    def __init__(self, *arguments: Any, exchange: Exchange, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._exchange = exchange

    def _new_conn(self) -> socket.socket:
        return self._exchange.connect(self._dns_host, self.port or 443)


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _HTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _HTTPS
