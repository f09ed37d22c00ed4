"""An AppRelease controller in a test's process, for one namespace; it can be killed and started again."""

import asyncio
from functools import partial
from typing import Any

from pierhead.apps.assembly import app_release_reconciler
from pierhead.aws.policy import Policy
from pierhead.aws.session import AwsSessions
from pierhead.engine.controller import Controller
from pierhead.engine.metrics import Metrics
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.discovery import Discovery
from pierhead.kube.resources import APP_RELEASES
from pierhead.kube.store import KindStore
from pierhead.kube.tokens import service_account_token
from pierhead.kube.watch import Watch
from pierhead.model import FINALIZER
from pierhead.render import RendererPool
from pierhead.settings import Settings


class NoEvents:
    """Events are the engine's concern and tested there."""

    async def emit(self, *_: Any, **__: Any) -> None:
        return None


class Running:
    """The controller, while it runs."""

    def __init__(
        self, credentials: Credentials, namespace: str, settings: Settings, renderer: RendererPool
    ) -> None:
        self._credentials = credentials
        self._namespace = namespace
        self._settings = settings
        self._renderer = renderer
        self._tasks: list[asyncio.Task[Any]] = []
        self._controller: Controller | None = None
        self._client: Client | None = None
        self._sessions: AwsSessions | None = None
        self.user_agent = f"pierhead-{namespace}"

    async def start(self) -> "Running":
        """Starts it; again after a `stop` is another process for all that it knows."""
        client = self._client = await Client.connect(self._credentials, user_agent=self.user_agent)
        settings, discovery = self._settings, Discovery(client)
        sessions = self._sessions = AwsSessions(settings, tokens=partial(service_account_token, client))
        reconciler = app_release_reconciler(
            client=client,
            discovery=discovery,
            renderer=self._renderer,
            sessions=sessions,
            policy=Policy(settings.aws_policy, region=settings.aws_region),
            settings=settings,
        )
        controller = self._controller = Controller(
            reconciler,
            KindStore(client, APP_RELEASES, (self._namespace,)),
            workers=8,
            resync_seconds=600,
            finalizer=FINALIZER,
            events=NoEvents(),
            metrics=Metrics("test"),
        )
        watch = Watch(client, APP_RELEASES, controller.observe, namespace=self._namespace)
        self._tasks = [asyncio.create_task(work) for work in (discovery.run(), watch.run(), controller.run())]
        return self

    @property
    def idle(self) -> bool:
        """Whether it has seen everything and waits for events or times."""
        controller = self._controller
        if controller is None or not controller.synced:
            return False
        queue = controller._queue
        return len(queue) == 0 and not list(queue.running_since)

    async def stop(self) -> None:
        """Ends it at once, as a kill would: what runs is not waited for."""
        for _ in range(2):
            # The first cancel begins a drain, the second ends it.
            for task in self._tasks:
                task.cancel()
            await asyncio.sleep(0.01)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sessions is not None:
            await self._sessions.close()
        if self._client is not None:
            await self._client.close()
