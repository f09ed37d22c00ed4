"""A very small client of the API server, for the sandbox's own needs.

Invariant: standard library only and no state between calls, so it can be used from any thread and
from processes that must start fast. Tests and the operator use real clients.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pierhead_sandbox.errors import ApiFailure

_ERRORS_FROM = 400
_USER_AGENT = "pierhead-sandbox"


class Api:
    """Requests to one HTTP(S) server; `context` is None for plain HTTP."""

    def __init__(self, server: str, context: ssl.SSLContext | None, *, timeout: float = 10.0) -> None:
        parts = urlsplit(server)
        self._host, self._port = parts.hostname or "", parts.port
        self._context = context
        self._timeout = timeout

    @classmethod
    def with_certificate(cls, server: str, authority: Path, certificate: Path, key: Path) -> "Api":
        """A client that authenticates by a client certificate."""
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate, key)
        return cls(server, context)

    def text(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        user_agent: str = _USER_AGENT,
    ) -> str:
        """The answer's text. Raises ApiFailure for an error answer, OSError when there is none."""
        connection: http.client.HTTPConnection
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout, context=self._context
            )
        headers = {"User-Agent": user_agent, "Content-Type": content_type}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()
        if answer.status >= _ERRORS_FROM:
            raise ApiFailure(answer.status, text, request=f"{method} {path}")
        return text

    def json(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """As `text`, with the answer read as a JSON object."""
        answer: dict[str, Any] = json.loads(self.text(method, path, body))
        return answer

    def succeeds(self, path: str) -> bool:
        """Whether GET `path` is answered without an error."""
        try:
            self.text("GET", path)
        except (ApiFailure, OSError):
            return False
        return True
