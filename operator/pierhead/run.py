"""The operator's process: settings, log, login, Lease, controllers, and the way out.

Invariant: nothing is written while another process may lead. A lost Lease ends the process at once, without
cleaning up, because every further moment could be the next leader's too; SIGTERM ends it in order: no new
work, what runs may finish, the Lease goes to the next, exit code 0 in less than 30 s.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
import uuid
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from pierhead import __version__, logs
from pierhead.engine.controller import Controller
from pierhead.engine.events import FilteredEvents
from pierhead.engine.failures import described
from pierhead.engine.leader import Leader, Watchdog
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.probes import LoopLag, Probes
from pierhead.engine.tasks import ended
from pierhead.engine.watching import Login, Watches
from pierhead.kinds import KINDS, KindEntry, Services, open_services
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials, CredentialsError, TokenSource
from pierhead.kube.errors import NotFound
from pierhead.kube.store import EventWriter, KindStore, LeaseStore
from pierhead.model import FINALIZER
from pierhead.settings import Settings

OpenServices = Callable[[Settings, Client, Metrics], AbstractAsyncContextManager[Services]]

_USER_AGENT = f"pierhead/{__version__}"
_KIND_WAIT_SECONDS = 3.0
_HARD_STOP_SECONDS = 28.0
_LEASE_READ_SECONDS = 3.0

_log = structlog.get_logger(__name__)


def run() -> None:
    """Runs the operator until it is told to stop. Never returns: ends the process with its exit code."""
    try:
        settings = Settings()
        logs.configure(settings.log_level, settings.log_format)
        code = asyncio.run(Operator(settings, log_in()).run())
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            where = "_".join(str(part) for part in problem["loc"]).upper()
            sys.stderr.write(f"PIERHEAD_{where}: {problem['msg']}\n")
        code = 2
    except CredentialsError as error:
        _log.error("cannot log in", message=str(error))
        code = 2
    except OSError as error:
        _log.error("cannot start", message=str(error))
        code = 1
    except Exception as error:  # noqa: BLE001 (a traceback would end in its text)
        _log.error("the operator hit a bug in itself", **described(error))
        code = 1
    _end(code)


def log_in(environment: Mapping[str, str] = os.environ) -> Credentials:
    """The pod's ServiceAccount, or else the kubeconfig of `$KUBECONFIG` or of the home directory.

    Raises CredentialsError when neither can be used.
    """
    try:
        return Credentials.in_cluster(environment=environment)
    except CredentialsError as error:
        default = Path(environment.get("HOME", "/")) / ".kube" / "config"
        path = Path(environment.get("KUBECONFIG") or default)
        if not path.exists():
            raise CredentialsError(f"{error}; and there is no kubeconfig at {path}") from error
        return Credentials.from_kubeconfig(path)


class Operator:
    """One process of the operator, from its first request to its exit code."""

    def __init__(
        self,
        settings: Settings,
        credentials: Credentials,
        *,
        kinds: Mapping[str, KindEntry] = KINDS,
        services: OpenServices = open_services,
        end: Callable[[int], Any] | None = None,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._kinds = kinds
        self._services = services
        self._end = end or _end
        self._metrics = Metrics(__version__)
        self._identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        self._stop = asyncio.Event()
        self._controllers: list[Controller] = []
        self._leader: Leader | None = None
        self.probe_port: int | None = None

    async def run(self) -> int:
        """Runs until SIGTERM, SIGINT or a failure; the exit code."""
        asyncio.get_running_loop().set_exception_handler(_log_unhandled)
        self._take_signals()
        _log.info("starting", version=__version__, kinds=list(self._settings.kinds), identity=self._identity)
        async with AsyncExitStack() as stack:
            client = await self._connect(stack, connections=self._settings.kubernetes_connections)
            await self._serve_probes(stack)
            if not self._settings.leader_election:
                return await self._work_until_told(client)
            # Its own connections: a busy or hung operator must still be able to renew.
            lease_client = await self._connect(stack, connections=2, read_timeout=_LEASE_READ_SECONDS)
            self._leader = self._leader_on(lease_client)
            return await self._lead(self._leader, client)

    def stop(self) -> None:
        """Asks for an orderly end, as SIGTERM does."""
        self._stop.set()

    async def _lead(self, leader: Leader, client: Client) -> int:
        stopping = asyncio.create_task(self._stop.wait())
        acquiring = asyncio.create_task(leader.acquire())
        await asyncio.wait({stopping, acquiring}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if acquiring.done():
            acquiring.result()
        await _cancel(acquiring)
        if not leader.leads:
            return 0
        watchdog = Watchdog(leader, self._lost)
        watchdog.start()
        # A process that was stopped and goes on checks its Lease before it does anything else.
        signal.signal(signal.SIGCONT, lambda *_: watchdog.check())
        holding = asyncio.create_task(leader.run_until_lost())
        holding.add_done_callback(self._held)
        try:
            return await self._work_until_told(client)
        finally:
            watchdog.stop()
            await _cancel(holding)
            await leader.release()

    async def _work_until_told(self, client: Client) -> int:
        stopping = asyncio.create_task(self._stop.wait())
        working = asyncio.create_task(self._work(client))
        await asyncio.wait({stopping, working}, return_when=asyncio.FIRST_COMPLETED)
        failed = working.done()
        deadline = threading.Timer(_HARD_STOP_SECONDS, self._end, args=(0 if not failed else 1,))
        deadline.daemon = True
        deadline.start()
        if not failed:
            _log.info("stopping", reason="told to")
        await _cancel(working)
        stopping.cancel()
        if failed and not working.cancelled() and (error := working.exception()) is not None:
            message = str(error) if isinstance(error, ReconcileError) else None
            _log.error("the operator cannot go on", message=message, **described(error))
        deadline.cancel()
        return 1 if failed else 0

    async def _work(self, client: Client) -> None:
        """Runs all controllers; ends only by cancellation or failure."""
        entries = [self._kinds[name] for name in self._settings.kinds]
        await self._until_served(client, entries)
        async with self._services(self._settings, client, self._metrics) as services:
            self._controllers = [self._controller(entry, services) for entry in entries]
            watches = Watches(
                self._controllers,
                login=self._kopf_login(),
                namespaces=self._settings.watch_namespaces,
            )
            await watches.start()
            self._take_signals()
            tasks = [asyncio.create_task(watches.run())]
            tasks += [asyncio.create_task(controller.run()) for controller in self._controllers]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await ended(*tasks)
                await watches.stop()

    def _controller(self, entry: KindEntry, services: Services) -> Controller:
        writer = EventWriter(services.client, controller="pierhead.dev/operator", instance=self._identity)
        return Controller(
            entry.reconciler(services),
            KindStore(services.client, entry.resource, self._settings.watch_namespaces),
            workers=self._settings.workers,
            resync_seconds=self._settings.resync_seconds,
            finalizer=FINALIZER,
            events=FilteredEvents(writer),
            metrics=self._metrics,
        )

    async def _until_served(self, client: Client, entries: list[KindEntry]) -> None:
        """Waits until the API server serves every kind: kopf looks for them once, and never again."""
        told = None
        while True:
            missing = []
            for entry in entries:
                resource = entry.resource
                try:
                    found = await client.raw_get(f"/apis/{resource.group}/{resource.version}")
                    names = {item["name"] for item in found["resources"]}
                except NotFound:
                    names = set()
                except ReconcileError as error:
                    _log.warning("the API server does not answer", message=str(error))
                    names = set()
                if resource.plural not in names:
                    missing.append(resource.group_resource)
            if not missing:
                return
            if missing != told:
                told = missing
                _log.warning("waiting for CustomResourceDefinitions; apply crds/", missing=missing)
            await asyncio.sleep(_KIND_WAIT_SECONDS)

    def _leader_on(self, client: Client) -> Leader:
        settings = self._settings
        self._metrics.leading(settings.lease_name, leads=False)
        return Leader(
            LeaseStore(client, namespace=settings.namespace, name=settings.lease_name),
            name=settings.lease_name,
            namespace=settings.namespace,
            identity=self._identity,
            on_change=lambda leads: self._metrics.leading(settings.lease_name, leads=leads),
        )

    async def _connect(self, stack: AsyncExitStack, **options: Any) -> Client:
        client = await Client.connect(
            self._credentials, user_agent=_USER_AGENT, metrics=self._metrics, **options
        )
        stack.push_async_callback(client.close)
        return client

    def _kopf_login(self) -> Login:
        tokens = TokenSource(self._credentials)
        return Login(
            server=self._credentials.server,
            tls=self._credentials.ssl_context,
            token=tokens.current,
            reload=tokens.reload,
            user_agent=_USER_AGENT,
        )

    async def _serve_probes(self, stack: AsyncExitStack) -> None:
        lag = LoopLag(self._metrics)
        measuring = asyncio.create_task(lag.run())
        stack.push_async_callback(_cancel, measuring)
        probes = Probes(self._metrics, live=(lag.problem, self._watch_problem), ready=(self._unready,))
        stack.push_async_callback(probes.stop)
        host, _, port = self._settings.probe_address.rpartition(":")
        self.probe_port = await probes.start(host.strip("[]") or "0.0.0.0", int(port))  # noqa: S104

    def _watch_problem(self) -> str | None:
        problems = [
            f"{controller.kind.kind}: {problem}"
            for controller in self._controllers
            if (problem := controller.freshness.problem()) is not None
        ]
        return "; ".join(problems) or None

    def _unready(self) -> str | None:
        if self._stop.is_set():
            return "stopping"
        if self._leader is not None and not self._leader.leads:
            return None if self._leader.stands_by else "has not reached the Lease yet"
        if not self._controllers:
            return "has not begun"
        unseen = [controller.kind.kind for controller in self._controllers if not controller.synced]
        return f"has not seen every {', '.join(unseen)} yet" if unseen else None

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)

    def _held(self, holding: "asyncio.Task[None]") -> None:
        if not holding.cancelled():
            self._lost(str(holding.exception()))

    def _lost(self, why: str) -> None:
        _log.critical("the Lease is lost; ending at once", reason=why)
        self._end(1)


async def _cancel(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


def _log_unhandled(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """As asyncio's own handler, without the exception's text."""
    error = context.get("exception")
    fields = described(error) if isinstance(error, BaseException) else {}
    _log.error("unhandled in the event loop", **fields)


def _end(code: int) -> None:
    """Ends the process without waiting for threads: a hung AWS call must not keep it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
