"""A small threaded HTTP server of a test: answers what the test says, and remembers what it was asked."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pierhead_sandbox.certificates import Authority


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass
class Reply:
    """What it is answered with."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Bytes of the body after which the connection is closed."""


Answering = Callable[[Asked], Reply]


class WebServer:
    """The server; `requests` is everything it was asked."""

    def __init__(self, answer: Answering, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Asked] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, parts.path, parts.query, headers)
                owner.requests.append(asked)
                reply = answer(asked)
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(reply.body[: reply.cut])
                self.close_connection = reply.cut is not None

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"

    @property
    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [asked.path for asked in self.requests]

    @contextmanager
    def running(self) -> Iterator["WebServer"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()


def authority(directory: Path, name: str | None = None) -> tuple[ssl.SSLContext, str]:
    """A TLS context for a server on the loopback, or of a name, and the PEM text of who vouches for it."""
    made = Authority(directory)
    pair = made.serving("web")
    if name is not None:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "web")])
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        pair = made._issue("named", subject, ExtendedKeyUsageOID.SERVER_AUTH, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context, made.files.certificate.read_text()


def proving(directory: Path) -> tuple[ssl.SSLContext, dict[str, str]]:
    """As `authority`, of a server that asks for a client certificate; and a Secret that holds one."""
    made = Authority(directory)
    server, client = made.serving("web"), made.client("robot", "robot")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(made.files.certificate)
    return context, {
        "ca.crt": made.files.certificate.read_text(),
        "tls.crt": client.certificate.read_text(),
        "tls.key": client.key.read_text(),
    }
