"""A reverse proxy in front of a real API server that records requests and makes faults of the wire.

It speaks plain HTTP on loopback. A request with its own bearer token goes on with it; any other is made
with the administrator's certificate. Nothing is made up but the faults that are asked for.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp
from aiohttp import web
from yarl import URL

from pierhead.kube.credentials import Credentials

_DROPPED = {
    "host",
    "connection",
    "transfer-encoding",
    "content-length",
    "keep-alive",
    "accept-encoding",
    # An answer is unpacked on its way through.
    "content-encoding",
}
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(slots=True)
class Recorded:
    """One request as it came, and its answer's status once there is one (0: none was given)."""

    method: str
    path: str
    query: dict[str, str]
    user_agent: str
    user: str
    body: bytes
    status: int = 0

    @property
    def verb(self) -> str:
        """As RBAC calls it, near enough for tests."""
        if self.query.get("watch") == "true":
            return "watch"
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}.get(
            self.method, "get"
        )

    @property
    def is_write(self) -> bool:
        """Whether it may change something."""
        return self.method != "GET" and self.query.get("dryRun") != "All"


@dataclass(slots=True, eq=False)
class Fault:
    """What goes wrong with the requests it matches.

    `when` before: nothing reaches the API server. `when` after: it was done, and the answer is lost.
    What happens then: `action` is awaited; an answer with `status` if there is one, else the connection
    is cut. `edit` instead changes the lines of a watch: it gives what to send for each, None ends it.
    """

    method: str | None = None
    path: str = ""
    user_agent: str = ""
    verb: str | None = None
    matches: Callable[[Recorded], bool] = lambda _request: True
    when: Literal["before", "after"] = "before"
    status: int = 0
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    action: Callable[[Recorded], Awaitable[None]] | None = None
    passes: bool = False
    """Whether the request goes on as if nothing were, after `action`."""
    edit: Callable[[bytes], Iterable[bytes] | None] | None = None
    skip: int = 0
    """Matching requests to let through first."""
    times: int | None = 1
    """Requests to hit; None for all."""
    hits: int = 0
    hit: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, request: Recorded) -> bool:
        """Whether it is this request's turn; counts it."""
        found = (
            (self.method is None or self.method == request.method)
            and (self.verb is None or self.verb == request.verb)
            and re.search(self.path, request.path) is not None
            and re.search(self.user_agent, request.user_agent) is not None
            and self.matches(request)
        )
        if not found or (self.times is not None and self.hits >= self.times):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        self.hit.set()
        return True


def status_body(code: int, reason: str, message: str = "made by the test") -> dict[str, Any]:
    """A metav1.Status, as the API server would send it."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


class Proxy:
    """The proxy; `requests` is what came, `fail` makes faults."""

    def __init__(self, upstream: Credentials) -> None:
        self._upstream = upstream
        self._faults: list[Fault] = []
        self._streams: set[asyncio.Transport] = set()
        self.requests: list[Recorded] = []
        self.url = ""
        self.down = False
        """Whether every connection is cut at once."""

    @classmethod
    @asynccontextmanager
    async def started(cls, upstream: Credentials, *, port: int = 0) -> AsyncIterator["Proxy"]:
        """A running proxy; stopped on leaving."""
        proxy = cls(upstream)
        certified, plain = (
            upstream.ssl_context(),
            Credentials(
                server=upstream.server, ca_file=upstream.ca_file, ca_data=upstream.ca_data
            ).ssl_context(),
        )
        timeout = aiohttp.ClientTimeout(total=None)
        async with (
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=certified, limit=0), timeout=timeout
            ) as proxy._as_admin,
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=plain, limit=0), timeout=timeout
            ) as proxy._as_sender,
        ):
            server = web.Server(proxy._handle, access_log=None)
            runner = web.ServerRunner(server, shutdown_timeout=0.1, handler_cancellation=True)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            proxy.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            try:
                yield proxy
            finally:
                proxy.cut_streams()
                await runner.cleanup()

    @property
    def credentials(self) -> Credentials:
        """An administrator's, by way of the proxy."""
        return Credentials(server=self.url)

    def fail(self, **fault: Any) -> Fault:
        """Makes a `Fault`; the first that takes a request has it."""
        made = Fault(**fault)
        self._faults.append(made)
        return made

    def take_back(self, fault: Fault) -> None:
        """Ends one fault."""
        if fault in self._faults:
            self._faults.remove(fault)

    def heal(self) -> None:
        """Takes back all faults."""
        self._faults.clear()
        self.down = False

    def cut_streams(self) -> None:
        """Cuts every open watch."""
        for transport in list(self._streams):
            transport.abort()

    def count(self, verb: str | None = None, path: str = "") -> int:
        """How many requests came of this verb to such a path."""
        return sum(
            (verb is None or request.verb == verb) and re.search(path, request.path) is not None
            for request in self.requests
        )

    async def _handle(self, incoming: web.BaseRequest) -> web.StreamResponse:
        body = await incoming.read()
        request = Recorded(
            method=incoming.method,
            path=incoming.path,
            query=dict(incoming.query),
            user_agent=incoming.headers.get("User-Agent", ""),
            user=incoming.headers.get("Impersonate-User", ""),
            body=body,
        )
        self.requests.append(request)
        if self.down:
            return _cut(incoming)
        fault = next((fault for fault in self._faults if fault.takes(request)), None)
        if fault is not None and fault.edit is None and fault.when == "before":
            if fault.action is not None:
                await fault.action(request)
            if not fault.passes:
                return self._spoil(incoming, request, fault)
        with suppress(ConnectionError, aiohttp.ClientError):
            return await self._forward(incoming, request, fault)
        return _cut(incoming)

    def _spoil(self, incoming: web.BaseRequest, request: Recorded, fault: Fault) -> web.StreamResponse:
        if not fault.status:
            return _cut(incoming)
        request.status = fault.status
        if fault.body is None:
            return web.Response(status=fault.status, headers=fault.headers, text="made by the test")
        return web.json_response(fault.body, status=fault.status, headers=fault.headers)

    async def _forward(
        self, incoming: web.BaseRequest, request: Recorded, fault: Fault | None
    ) -> web.StreamResponse:
        headers = {name: value for name, value in incoming.headers.items() if name.lower() not in _DROPPED}
        session = self._as_sender if "Authorization" in headers else self._as_admin
        url = f"{self._upstream.server}{incoming.raw_path}"
        async with session.request(
            request.method, URL(url, encoded=True), data=request.body or None, headers=headers
        ) as answer:
            if request.verb == "watch" and answer.status == 200:
                return await self._stream(incoming, request, answer, fault)
            content = await answer.read()
            if fault is not None and fault.when == "after":
                if fault.action is not None:
                    await fault.action(request)
                if not fault.passes:
                    return self._spoil(incoming, request, fault)
            request.status = answer.status
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _DROPPED}
            return web.Response(status=answer.status, body=content, headers=kept)

    async def _stream(
        self,
        incoming: web.BaseRequest,
        request: Recorded,
        answer: aiohttp.ClientResponse,
        fault: Fault | None,
    ) -> web.StreamResponse:
        request.status = answer.status
        response = web.StreamResponse(headers={"Content-Type": answer.headers["Content-Type"]})
        transport = incoming.transport
        assert isinstance(transport, asyncio.Transport)
        self._streams.add(transport)
        try:
            await response.prepare(incoming)
            buffer = b""
            async for chunk in answer.content.iter_any():
                if fault is None or fault.edit is None:
                    await response.write(chunk)
                    continue
                *lines, buffer = (buffer + chunk).split(b"\n")
                for line in lines:
                    edited = fault.edit(line)
                    if edited is None:
                        await response.write_eof()
                        return response
                    for replaced in edited:
                        await response.write(replaced + b"\n")
            await response.write_eof()
        finally:
            self._streams.discard(transport)
        return response


def _cut(incoming: web.BaseRequest) -> web.StreamResponse:
    if incoming.transport is not None:
        incoming.transport.close()
    return web.Response(status=500)
