"""Requests and answers: one session, bounded connections, and every failure as a class of `errors`.

Invariant: a request is sent a second time only where that cannot do anything twice: after a 429 or a 401
nothing was done, and a cut connection is tried again for reads and server-side applies alone. Streams have
connections of their own bound, so watches can never starve requests, nor requests watches.
"""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from random import Random
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from pierhead.kube.credentials import Credentials, TokenSource
from pierhead.kube.decoding import decode
from pierhead.kube.errors import ApiError, Request, TooManyRequests, Unreachable, from_status, from_text

_THROTTLE_RETRIES = 2
_LONGEST_WAIT = 2.0
_FAILURE = 400
_UNAUTHORIZED = 401
_KEEPALIVE_SECONDS = 60.0
"""Below the 90 s after which the API server closes an idle connection."""


class RequestObserver(Protocol):
    """Where requests are counted, as `rest_client_requests_total` and its latency are."""

    def observe_request(self, *, code: str, method: str, host: str, seconds: float) -> None:
        """One answer, or `<error>` as its code for none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request."""

    method: str
    path: str
    request: Request
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    user: str | None = None
    """Whom to impersonate."""
    repeatable: bool = False
    """Whether sending it twice does what sending it once does."""
    text: bool = False
    """Whether the answer is text, and no JSON."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: its HTTP status, the JSON value, and its Date header."""

    code: int
    value: Any
    date_text: str | None
    seconds: float
    """How long it took, all tries included."""

    @property
    def date(self) -> datetime | None:
        """The API server's clock, in whole seconds."""
        return _date(self.date_text)


class Transport:
    """Sends calls. Shared by all views of a client."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        connections: int,
        streams: int,
        user_agent: str,
        observer: RequestObserver | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        """To be made with the event loop running. `connections` and `streams` bound the two pools."""
        self.server = credentials.server
        self._host = urlsplit(credentials.server).netloc
        self._tokens = TokenSource(credentials, clock=clock)
        self._observer = observer
        self._clock = clock
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._connect_timeout = connect_timeout
        self._stream_limit = streams
        tls = credentials.ssl_context()
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=read_timeout)
        # Compressing costs the API server and us more than a cluster's network saves.
        headers = {"User-Agent": user_agent, "Accept-Encoding": "identity"}
        self._session = _session(tls, connections, headers, timeout)
        self._streams = _session(tls, streams, headers, timeout)

    async def close(self) -> None:
        """Closes every connection; streams end."""
        await self._session.close()
        await self._streams.close()

    async def send(self, call: Call) -> Answer:
        """The answer to a call. Raises ApiError."""
        throttled, renewed, cut = 0, False, False
        started = self._clock()
        while True:
            try:
                async with self._open(self._session, call) as response:
                    body = await response.read()
                    if response.status < _FAILURE:
                        date = response.headers.get("Date")
                        value = body.decode(errors="replace") if call.text else await self._value(body)
                        return Answer(response.status, value, date, self._clock() - started)
                    error = await self._error(response, body, call)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as failure:
                if call.repeatable and not cut and not isinstance(failure, aiohttp.ClientConnectorError):
                    cut = True
                    continue
                raise self._unreachable(call, failure) from failure
            except (aiohttp.ClientError, TimeoutError) as failure:
                raise self._unreachable(call, failure) from failure
            if error.code == _UNAUTHORIZED and not renewed and self._tokens.reload():
                renewed = True
                continue
            if isinstance(error, TooManyRequests) and throttled < _THROTTLE_RETRIES:
                throttled += 1
                if error.after <= _LONGEST_WAIT:
                    await asyncio.sleep(error.after * self._random.uniform(1.0, 1.3))
                    continue
            raise error

    @asynccontextmanager
    async def stream(self, call: Call, *, silence: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """The chunks of a long answer as they come.

        Raises ApiError; Unreachable also while reading, when nothing came for `silence` seconds.
        """
        # Unlike a request, a stream may hold its connection for ever: waiting for a free one must end.
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=2 * self._connect_timeout,
            sock_connect=self._connect_timeout,
            sock_read=silence,
        )
        try:
            async with self._open(self._streams, call, timeout=timeout) as response:
                if response.status >= _FAILURE:
                    error = await self._error(response, await response.read(), call)
                    if error.code == _UNAUTHORIZED:
                        self._tokens.reload()
                    raise error
                yield response.content.iter_any()
        except aiohttp.ConnectionTimeoutError as failure:
            limit = self._stream_limit
            raise Unreachable(
                f"{call.request}: no connection in time, or all {limit} streams are in use"
            ) from failure
        except (aiohttp.ClientError, TimeoutError) as failure:
            raise self._unreachable(call, failure) from failure

    @asynccontextmanager
    async def _open(
        self, session: aiohttp.ClientSession, call: Call, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"Accept": call.accept}
        if call.body is not None:
            headers["Content-Type"] = call.content_type
        token = self._tokens.current()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if call.user:
            headers["Impersonate-User"] = call.user
        url = URL(f"{self.server}{call.path}{_query(call.query)}", encoded=True)
        started = self._clock()
        try:
            response = await session.request(
                call.method, url, data=call.body, headers=headers, allow_redirects=False, **options
            )
        except (aiohttp.ClientError, TimeoutError):
            self._observe("<error>", call, started)
            raise
        self._observe(str(response.status), call, started)
        async with response:
            yield response

    def _observe(self, code: str, call: Call, started: float) -> None:
        if self._observer is not None:
            seconds = self._clock() - started
            self._observer.observe_request(code=code, method=call.method, host=self._host, seconds=seconds)

    async def _value(self, body: bytes) -> Any:
        try:
            return await decode(body) if body else None
        except ValueError as error:
            raise aiohttp.ClientPayloadError("its answer is not JSON") from error

    async def _error(self, response: aiohttp.ClientResponse, body: bytes, call: Call) -> ApiError:
        retry_after = _seconds(response.headers.get("Retry-After"))
        if response.content_type == "application/json":
            try:
                status = await decode(body)
            except ValueError:
                status = None
            if isinstance(status, dict) and status.get("kind") == "Status":
                return from_status(
                    status, code=response.status, request=call.request, retry_after=retry_after
                )
        text = body[:1024].decode(errors="replace")
        return from_text(text, code=response.status, request=call.request, retry_after=retry_after)

    def _unreachable(self, call: Call, failure: Exception) -> Unreachable:
        detail = str(failure) or type(failure).__name__
        return Unreachable(f"{call.request}: no answer from the API server ({detail})")


def _session(
    tls: ssl.SSLContext, limit: int, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout
) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(ssl=tls, limit=limit, keepalive_timeout=_KEEPALIVE_SECONDS)
    return aiohttp.ClientSession(
        connector=connector, headers=headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
    )


def _query(query: Mapping[str, str]) -> str:
    if not query:
        return ""
    return "?" + "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


@lru_cache(maxsize=8)
def _date(text: str | None) -> datetime | None:
    """The answers of one second have the same date."""
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
