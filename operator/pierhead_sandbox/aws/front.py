"""The one door for AWS calls: names each call, lets faults strike it, passes it on, counts it.

Invariant: a call struck before it is carried out never reaches a service; one struck after it was carried
out exactly once. The sandbox's own paths (`/sandbox/…`, unsigned) are neither counted nor struck.
"""

import io
import json
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from pierhead_sandbox.aws.answer import Answer, error_answer, error_code
from pierhead_sandbox.aws.calls import CallLog
from pierhead_sandbox.aws.consistency import asker, before, empty_page, without_empty_page
from pierhead_sandbox.aws.faults import FaultBook, Strike
from pierhead_sandbox.aws.operations import Call, identify
from pierhead_sandbox.aws.protocol import CallRecord
from pierhead_sandbox.aws.written import WrittenValues

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Environ = dict[str, Any]
Service = Callable[[Call, Environ, bytes], Answer]

_ERROR = 400


class Front:
    """WSGI application in front of moto and of what replaces parts of it."""

    def __init__(
        self,
        *,
        moto: Callable[[Environ], Answer],
        door: Callable[[str, str, bytes], Answer],
        services: Mapping[str, Service],
        calls: CallLog,
        faults: FaultBook,
        written: WrittenValues,
        stopping: threading.Event,
    ) -> None:
        self._moto = moto
        self._door = door
        self._services = services
        self._calls = calls
        self._faults = faults
        self._written = written
        self._stopping = stopping

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """One request, in a thread of its own."""
        body = _take_body(environ)
        path = str(environ.get("PATH_INFO", "/"))
        call = identify(environ, body)
        if call is None:
            if path.startswith("/sandbox/"):
                return _send(self._door(environ["REQUEST_METHOD"], path, body), start_response)
            return _send(self._moto(environ), start_response)
        return _send(self._aws(call, environ, body), start_response)

    def _aws(self, call: Call, environ: Environ, body: bytes) -> Answer:
        arrived, began = time.time(), time.monotonic()
        body = without_empty_page(environ, body)
        # A batch of secrets is struck member by member, by whoever answers it.
        named = [] if call.operation == "BatchGetSecretValue" else resources(environ, body)
        strike = self._faults.strike(call.service, call.operation, named, began)
        if strike.delay_seconds:
            self._stopping.wait(strike.delay_seconds)
        status = 0
        outcome: str = strike.fault.effect if strike.fault else "none"
        try:
            if strike.fault is None or strike.fault.accepted:
                answer = self._serve(call, environ, body)
            if strike.fault is not None:
                answer = self._struck(call, strike, environ, body)
            status = answer.status
            outcome = str(status) if status < _ERROR else error_code(answer)
        finally:
            self._calls.record(
                CallRecord(
                    at=arrived,
                    seconds=time.monotonic() - began,
                    service=call.service,
                    operation=call.operation,
                    region=call.region,
                    access_key=call.access_key,
                    resources=tuple(resources(environ, body)) if _reads(call) else (),
                    status=status,
                    outcome=outcome,
                    fault=strike.fault_id,
                )
            )
        return answer

    def _serve(self, call: Call, environ: Environ, body: bytes) -> Answer:
        service = self._services.get(call.service)
        answer = self._moto(environ) if service is None else service(call, environ, body)
        if answer.status < _ERROR:
            self._written.record(call, body)
        return answer

    def _struck(self, call: Call, strike: Strike, environ: Environ, body: bytes) -> Answer:
        fault = strike.fault
        if fault is not None and fault.effect == "empty":
            return empty_page(call.operation, body) or self._serve(call, environ, body)
        if fault is not None and fault.effect == "stale":
            answer = self._serve(call, environ, body)
            return before(call.operation, body, answer, asker(self._moto, environ))
        if fault is None or fault.effect == "error":
            return (
                error_answer(call.protocol, fault.status, fault.code, fault.message) if fault else Answer(500)
            )
        connection: socket.socket = environ["werkzeug.socket"]
        if fault.effect == "hang":
            self._hang(connection)
        connection.shutdown(socket.SHUT_RDWR)
        # The server takes this for a client that went away, and closes the connection in silence.
        raise ConnectionAbortedError("dropped by a fault of the sandbox")

    def _hang(self, connection: socket.socket) -> None:
        while not self._stopping.is_set():
            readable, _, _ = select.select([connection], [], [], 0.1)
            if readable:
                return


def resources(environ: Environ, body: bytes) -> list[str]:
    """The strings a request names things by: what its JSON body holds at the top, and its path."""
    path = str(environ.get("PATH_INFO", "/")).strip("/")
    found = [path] if path else []
    if body[:1] != b"{":
        return found
    try:
        document = json.loads(body)
    except ValueError:
        return found
    for value in document.values():
        members = value if isinstance(value, list) else [value]
        found += [member for member in members if isinstance(member, str)]
    return found


def _reads(call: Call) -> bool:
    """Whether all that the request names is names: one that writes has values too."""
    return call.operation.startswith(("Get", "BatchGet", "Describe", "List"))


def _take_body(environ: Environ) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not str(length).isdigit() or int(length) == 0:
        return b""
    body: bytes = environ["wsgi.input"].read(int(length))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _send(answer: Answer, start_response: StartResponse) -> list[bytes]:
    start_response(answer.status_line, answer.headers)
    return [answer.body]
