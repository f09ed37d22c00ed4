"""kopf, held to what we want of it: lists, watches, and the login for them.

Invariant: kopf writes nothing, anywhere: no annotation, no finalizer, no Event, no peering. It sees only
our own kinds. Its tasks live between `start` and `stop`, and never touch a task of ours. No object, whatever
somebody wrote into it, ends its watch.

kopf 1.45.2 is assumed; what is said of it here was read in its source.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, cast

import aiohttp
import kopf

from pierhead.engine.controller import Controller
from pierhead.engine.nesting import loads, shallow_line

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 60.0
_STOP_SECONDS = 5.0
_SPARE_CONNECTIONS = 8
_PAGE_SIZE = 500
_NO_FINALIZER = "pierhead.dev/never-set"


class WatchEnded(Exception):
    """kopf gave up; only a new process watches again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How kopf reaches the API server: with the credentials that the rest of the process has."""

    server: str
    tls: Callable[[], ssl.SSLContext]
    token: Callable[[], str | None]
    """The bearer token of now, asked for each request; None where certificates speak."""
    reload: Callable[[], object]
    """Called when the API server refused the token."""
    user_agent: str


class Watches:
    """kopf's watches over the kinds of some controllers."""

    def __init__(
        self,
        controllers: Sequence[Controller],
        *,
        login: Login,
        namespaces: Collection[str] = (),
        random: Random | None = None,
    ) -> None:
        self._namespaces = sorted(namespaces)
        self._registry = kopf.OperatorRegistry()
        self._settings = quiet_settings(random or Random())  # noqa: S311 (jitter)
        self._stopped = asyncio.Event()
        self._tasks: Collection[asyncio.Task[Any]] = ()
        for controller in controllers:
            controller.register(self._registry)
        watches = len(controllers) * max(1, len(self._namespaces))
        _log_in(self._registry, login, connections=watches + _SPARE_CONNECTIONS)

    async def start(self) -> None:
        """Starts kopf's tasks. Takes over SIGTERM and SIGINT: give them their handlers again afterwards."""
        self._tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=self._settings,
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            # Of a peering that is off; without it kopf asks DNS for the host's name, and the loop waits.
            identity=cast("Any", "pierhead"),
            stop_flag=self._stopped,
        )

    async def run(self) -> None:
        """Waits for the end that must not be: raises WatchEnded when one of kopf's tasks ends."""
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise WatchEnded(f"{task.get_name()}: {type(error).__name__}") from error
        raise WatchEnded(", ".join(task.get_name() for task in done))

    async def stop(self) -> None:
        """Ends kopf's tasks and closes its connections."""
        self._stopped.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_STOP_SECONDS)


def quiet_settings(random: Random) -> kopf.OperatorSettings:
    """How kopf is set up to watch and do nothing else."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = True
    # Ours is the only deadline of the process; kopf's would be a SIGKILL.
    settings.process.ultimate_exiting_timeout = None
    # A worker of kopf's lives this long after an object's last event; ours do the work.
    settings.queueing.idle_timeout = 0.05
    settings.watching.chunk_size = _PAGE_SIZE
    # Streams end at different times in different pods, so that they spread over API servers again.
    settings.watching.server_timeout = random.randint(300, 600)
    settings.watching.client_timeout = settings.watching.server_timeout + 60
    settings.watching.connect_timeout = _CONNECT_SECONDS
    settings.networking.connect_timeout = _CONNECT_SECONDS
    settings.networking.request_timeout = _REQUEST_SECONDS
    settings.networking.error_backoffs = _Backoffs(random)
    # One that no object has: kopf takes off its own finalizer where it has no handler that needs it.
    settings.persistence.finalizer = _NO_FINALIZER
    settings.persistence.progress_storage = _NoProgress()
    settings.persistence.diffbase_storage = _NoDiffBase()
    return settings


def _log_in(registry: kopf.OperatorRegistry, login: Login, *, connections: int) -> None:
    async def authorize(
        request: aiohttp.ClientRequest, send: Callable[[aiohttp.ClientRequest], Awaitable[Any]]
    ) -> Any:
        token = login.token()
        if token:
            request.headers["Authorization"] = f"Bearer {token}"
        return await send(request)

    # kopf calls this again, and closes the session before, when the API server said 401.
    @kopf.on.login(registry=registry)
    async def log_in(**_: Any) -> kopf.AiohttpSession:
        login.reload()
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=login.tls(), limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": login.user_agent, "Accept-Encoding": "identity"},
            middlewares=(authorize,),
            response_class=_Answer,
        )
        return kopf.AiohttpSession(server=login.server, aiohttp_session=session)


class _Answer(aiohttp.ClientResponse):
    """An answer of the API server without what is nested too deep for kopf, which ends over it."""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        """Reads the headers."""
        await super().start(connection)
        self.content = cast("aiohttp.StreamReader", _ShallowLines(self.content))
        return self

    async def json(self, **_: Any) -> Any:
        """The whole answer."""
        return loads(await self.read())


class _ShallowLines:
    """A stream whose lines, where it is read in chunks as kopf reads watches, are whole and shallow."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """The lines that came, of chunks of up to `size` bytes."""
        rest = b""
        async for chunk in self._content.iter_chunked(size):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                yield b"".join(shallow_line(line) + b"\n" for line in lines)
        if rest:
            yield rest


class _Backoffs(Iterable[float]):
    """Waits between tries, without end: the lease, not a count of tries, says when to give up."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def __iter__(self) -> Iterator[float]:
        step = 0.5
        while True:
            yield step / 2 + self._random.uniform(0, step / 2)
            step = min(30.0, step * 2)


class _NoDiffBase(kopf.DiffBaseStorage):
    """Remembers nothing, and saves the deep copy of every object that kopf would compare with."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Remembers nothing: our handlers have no progress."""

    def fetch(self, **_: Any) -> kopf.ProgressRecord | None:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence
