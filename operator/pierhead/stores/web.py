"""HTTP servers whose address a tenant chose: the one door to them.

Invariant: nothing of a server's answer but what was asked for leaves this module, error texts are ours; an
answer has a bound and every exchange an end; credentials go to the host they are for and to no other, also
when it redirects; and no connection goes to an address that the operator's settings refuse.
"""

import asyncio
import hashlib
import ssl
import tempfile
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

from urllib3.exceptions import HTTPError, ProtocolError, SSLError
from urllib3.exceptions import TimeoutError as WebTimeoutError
from urllib3.response import BaseHTTPResponse
from urllib3.util import Timeout

from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Throttled, Transient
from pierhead.stores.connections import CONNECT_SECONDS, Exchange
from pierhead.stores.networks import Networks

MOST_REDIRECTS = 5
MOST_TRUSTS = 64
THROTTLE_SECONDS = 60.0
MOST_THROTTLE_SECONDS = 3600.0

_CHUNK = 65536
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK, _NOT_MODIFIED, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 200, 304, 401, 403, 429
_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked for."""

    url: str
    limit: int
    """Most bytes of an answer."""

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    authorization: str | None = field(default=None, repr=False)
    """The Authorization header, for the address's own host alone."""

    trust: str | None = None
    """PEM text of certificate authorities to trust beside the system's."""

    certificate: tuple[str, str] | None = field(default=None, repr=False)
    """A certificate and its private key in PEM, to prove who asks to the address's own host alone."""

    also: frozenset[int] = frozenset()
    """Statuses beside 200 that are answers and no failures."""

    into: Path | None = None
    """File that takes the content."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""

    content: bytes
    """Empty where a file took it."""

    digest: str
    """`sha256:…` of the content."""

    url: str
    """Where it came from in the end."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file as a server gave it."""

    content: bytes
    entity_tag: str | None
    """For the next conditional request; None where the server gives none."""


class Web:
    """Asks HTTP servers, on threads of its own."""

    def __init__(
        self,
        networks: Networks,
        *,
        threads: int = 32,
        silence_seconds: float = 30,
        total_seconds: float = 120,
    ) -> None:
        """An answer may pause `silence_seconds` at most, and has to be complete after `total_seconds`."""
        self._networks = networks
        self._silence = silence_seconds
        self._total = total_seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._trusts: OrderedDict[tuple[str | None, tuple[str, str] | None], ssl.SSLContext] = OrderedDict()

    async def fetch(
        self,
        url: str,
        *,
        limit: int,
        entity_tag: str | None = None,
        authorization: str | None = None,
        trust: str | None = None,
        certificate: tuple[str, str] | None = None,
    ) -> Fetched | None:
        """The file at `url`; None when it still is the one with `entity_tag`. Raises what `send` raises."""
        headers = {"If-None-Match": entity_tag} if entity_tag else {}
        answer = await self.send(
            Request(
                url=url,
                limit=limit,
                headers=headers,
                authorization=authorization,
                trust=trust,
                certificate=certificate,
                also=frozenset({_NOT_MODIFIED}) if entity_tag else frozenset(),
            )
        )
        if answer.status == _NOT_MODIFIED:
            return None
        return Fetched(answer.content, answer.headers.get("etag"))

    async def send(self, request: Request) -> Answer:
        """The answer.

        Raises Invalid for what does not exist, is over its limit, or has a certificate that nobody trusts;
        Denied for 401, 403 and refused addresses; Throttled for 429; Transient for anything else.
        """
        exchange = Exchange(self._networks)
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self._threads, self._ask, exchange, request)
        try:
            async with asyncio.timeout(self._total):
                return await answer
        except TimeoutError:
            raise Transient(
                f"{shown(request.url)} did not answer completely within {self._total:g}s",
                reason="SourceUnreachable",
            ) from None
        finally:
            exchange.end()

    def close(self) -> None:
        """Lets the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, exchange: Exchange, request: Request) -> Answer:
        url = request.url
        for _ in range(MOST_REDIRECTS + 1):
            answer = self._hop(exchange, request, url)
            if isinstance(answer, Answer):
                return answer
            url = answer
        raise Invalid(f"{shown(request.url)} redirects too often", reason="SourceUnreachable")

    def _hop(self, exchange: Exchange, request: Request, url: str) -> Answer | str:
        """One request; its answer, or where it leads."""
        parts = urlsplit(url)
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
            tls = self._tls(parts, request)
            pool = exchange.pool(parts.scheme, parts.hostname or "", port, tls=tls)
            try:
                response = pool.urlopen(
                    request.method,
                    urlunsplit(("", "", parts.path or "/", parts.query, "")),
                    headers=self._headers(request, parts),
                    retries=False,
                    redirect=False,
                    timeout=Timeout(connect=CONNECT_SECONDS, read=self._silence),
                    preload_content=False,
                    decode_content=False,
                )
                try:
                    return self._read(request, url, response)
                finally:
                    response.close()
            finally:
                pool.close()
        except ReconcileError as error:
            if not error.message.startswith(("http:", "https:")):
                error.message = f"{shown(url)} {error.message}"
            raise
        except SSLError as error:
            raise _untrusted(url, error) from None
        except WebTimeoutError:
            raise Transient(
                f"{shown(url)} did not answer within {self._silence:g}s", reason="SourceUnreachable"
            ) from None
        except ProtocolError:
            raise Transient(f"{shown(url)} broke its answer off", reason="SourceUnreachable") from None
        except (HTTPError, OSError, ValueError) as error:
            raise Transient(
                f"{shown(url)} cannot be reached ({type(error).__name__})", reason="SourceUnreachable"
            ) from None

    def _read(self, request: Request, url: str, response: BaseHTTPResponse) -> Answer | str:
        location = response.headers.get("location")
        if response.status in _REDIRECTS and location:
            return _led(url, location)
        if response.status != _OK and response.status not in request.also:
            raise _failure(url, response)
        content, total = bytearray(), hashlib.sha256()
        sink: BinaryIO | None = request.into.open("wb") if request.into is not None else None
        size = 0
        try:
            for chunk in response.stream(_CHUNK, decode_content=False):
                size += len(chunk)
                if size > request.limit:
                    raise Invalid(f"{shown(url)} is over {request.limit} bytes", reason="SourceTooLarge")
                total.update(chunk)
                if sink is None:
                    content += chunk
                else:
                    _write(sink, chunk)
        finally:
            if sink is not None:
                sink.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, headers, bytes(content), f"sha256:{total.hexdigest()}", url)

    def _headers(self, request: Request, parts: SplitResult) -> dict[str, str]:
        headers = {"User-Agent": "pierhead", "Accept-Encoding": "identity", **request.headers}
        asked = urlsplit(request.url)
        if _origin(parts) == _origin(asked):
            authorization = request.authorization
            if authorization is None and asked.username is not None:
                authorization = basic(unquote(asked.username), unquote(asked.password or ""))
            if authorization is not None:
                headers["Authorization"] = authorization
        return headers

    def _tls(self, parts: SplitResult, request: Request) -> ssl.SSLContext | None:
        """The system's trust, and the given authorities beside it. Raises Invalid for a text without any."""
        if parts.scheme != "https":
            return None
        trust = request.trust
        certificate = request.certificate if _origin(parts) == _origin(urlsplit(request.url)) else None
        context = self._trusts.get((trust, certificate))
        if context is None:
            context = ssl.create_default_context()
            if trust is not None:
                # Many private authorities lack the extensions that the strict profile asks for.
                context.verify_flags &= ~ssl.VERIFY_X509_STRICT
                try:
                    context.load_verify_locations(cadata=trust)
                except (ssl.SSLError, ValueError):
                    raise Invalid(
                        f"{shown(urlunsplit(parts))} cannot be asked: ca.crt holds no PEM certificate",
                        reason="InvalidCertificate",
                        field="secret",
                    ) from None
            if certificate is not None:
                _prove(context, *certificate)
            self._trusts[trust, certificate] = context
            if len(self._trusts) > MOST_TRUSTS:
                self._trusts.popitem(last=False)
        return context


def _prove(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Lets a context show a certificate; OpenSSL takes it from a file only."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(f"{certificate.rstrip()}\n{key.rstrip()}\n")
        file.flush()
        try:
            # An empty password: nobody is here to be asked for one.
            context.load_cert_chain(file.name, password="")
        except (ssl.SSLError, ValueError, OSError):
            raise Invalid(
                "cannot be asked: tls.crt and tls.key are no certificate and its private key",
                reason="InvalidCertificate",
                field="secret",
            ) from None


def _write(sink: BinaryIO, chunk: bytes) -> None:
    try:
        sink.write(chunk)
    except OSError as error:
        # A full or broken disk is the operator's own trouble, and passes.
        raise Transient(f"cannot be kept: {error.strerror}") from None


def basic(username: str, password: str) -> str:
    """The Authorization header of HTTP basic authentication."""
    return f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"


def shown(url: str) -> str:
    """The address without credentials, query or fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port


def _led(url: str, location: str) -> str:
    """Where a redirect leads. Raises Invalid for one that leaves http, or what TLS protects."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in {"http", "https"} or (scheme == "http" and urlsplit(url).scheme == "https"):
        raise Invalid(f"{shown(url)} redirects to what is not https", reason="SourceUnreachable")
    return target


def _untrusted(url: str, error: SSLError) -> ReconcileError:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Invalid(
            f"{shown(url)} has a certificate that is not trusted ({cause.verify_message}): a private "
            "authority belongs into the key ca.crt of the source's secret",
            reason="SourceUntrusted",
        )
    return Transient(f"{shown(url)} does not speak TLS as it should", reason="SourceUnreachable")


def _failure(url: str, response: BaseHTTPResponse) -> ReconcileError:
    status = response.status
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return Denied(f"{shown(url)} is not for us ({status})", reason="SourceDenied")
    if status in _GONE:
        return Invalid(f"{shown(url)} does not exist ({status})", reason="SourceNotFound")
    if status == _TOO_MANY:
        after = response.headers.get("retry-after", "")
        pause = float(after) if after.isdecimal() and len(after) < 6 else THROTTLE_SECONDS  # noqa: PLR2004
        return Throttled(
            f"{shown(url)} asks for fewer requests (429)",
            after=min(pause, MOST_THROTTLE_SECONDS),
            reason="SourceThrottled",
        )
    return Transient(f"{shown(url)} answered with status {status}", reason="SourceUnreachable")
