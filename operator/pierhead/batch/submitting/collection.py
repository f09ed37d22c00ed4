"""Job definitions that nothing uses any more are deregistered.

Invariant: only what carries our tags and this cluster's name is touched, and only after no BatchJob that has
not finished was seen to use it for the whole retention time. One that is wanted again is registered again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, NoReturn

import structlog

from pierhead.aws.access import Access
from pierhead.aws.batch import BatchClients, Definition
from pierhead.batch.submitting.definition import CLUSTER_TAG, MANAGED_BY_TAG
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

SWEEP_SECONDS: Final = 3600.0
"""Time between two looks at the definitions of a region and identity: a call for each hundred of them."""

_log = structlog.get_logger(__name__)


class Collector:
    """Knows which definitions are used, and deregisters the others."""

    def __init__(
        self,
        clients: BatchClients,
        *,
        cluster: str,
        retention: timedelta,
        now: Callable[[], datetime],
        forget: Callable[[Access, str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`forget` is told of each ARN that is gone. Without the name of a `cluster` nothing is collected."""
        self._clients = clients
        self._cluster = cluster
        self._retention = retention
        self._now = now
        self._forget = forget
        self._sleep = sleep
        self._used: dict[ObjectKey, tuple[Access, str]] = {}
        self._places: set[Access] = set()
        self._unused_since: dict[str, datetime] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Looks from now on."""
        if self._cluster:
            self._task = asyncio.create_task(self._run(), name="job-definitions")

    async def stop(self) -> None:
        """Ends the looks."""
        await ended(self._task)

    def uses(self, key: ObjectKey, access: Access, definition: str) -> None:
        """A BatchJob that has not finished runs this definition, an ARN."""
        self._used[key] = access, definition
        self._places.add(access)

    def ended(self, key: ObjectKey) -> None:
        """A BatchJob has finished or is gone."""
        self._used.pop(key, None)

    async def sweep(self, access: Access) -> list[str]:
        """Deregisters what nobody has used for long enough; the ARNs. Raises AWS's errors."""
        client, now = self._clients.get(access.region, access.identity), self._now()
        found = [one for one in await client.definitions_of("pierhead-") if self._ours(one)]
        used = {definition for _, definition in self._used.values()}
        unused = {one.arn for one in found} - used
        self._unused_since = {arn: since for arn, since in self._unused_since.items() if arn not in used}
        gone = []
        for arn in sorted(unused):
            if now - self._unused_since.setdefault(arn, now) < self._retention:
                continue
            await client.deregister_definition(arn)
            del self._unused_since[arn]
            self._forget(access, arn)
            gone.append(arn)
        return gone

    def _ours(self, definition: Definition) -> bool:
        tags = definition.tags
        return tags.get(MANAGED_BY_TAG) == "pierhead" and tags.get(CLUSTER_TAG) == self._cluster

    async def _run(self) -> NoReturn:
        while True:
            await self._sleep(SWEEP_SECONDS)
            for access in sorted(self._places, key=repr):
                try:
                    gone = await self.sweep(access)
                except ReconcileError as error:
                    _log.warning("job definitions not collected", reason=error.reason, message=str(error))
                except Exception as error:  # noqa: BLE001 (the loop outlives any bug, and shows it)
                    _log.error("collecting job definitions hit a bug in pierhead", **described(error))
                else:
                    if gone:
                        _log.info("job definitions deregistered", region=access.region, count=len(gone))
