"""Whether events arrive, so that polling may be rare.

Invariant: events count as healthy only while the queue answers and something has come through it within the
time that two probes take: silence proves nothing, so pierhead sends itself an event the way that the others
come.
"""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Final

import structlog

from pierhead.aws.session import AwsClient
from pierhead.engine.outcome import Denied, ReconcileError
from pierhead.secrets.events.hint import PROBE_SOURCE

PROBE_DETAIL_TYPE: Final = "pierhead Probe"
QUEUE_SECONDS: Final = 90.0
"""How long a queue may be silent; it answers every 20 s."""

PROBES: Final = 2.5
"""Intervals of probes after which one is missed: two may be lost, or late."""

_LOOK_SECONDS: Final = 5.0

_log = structlog.get_logger(__name__)


class Health:
    """Judges by what came when."""

    def __init__(self, *, probe_seconds: float, clock: Callable[[], float]) -> None:
        self._patience = PROBES * probe_seconds
        self._clock = clock
        self._arrived = -math.inf

    def arrived(self) -> None:
        """An event came through the queue."""
        self._arrived = self._clock()

    def good(self, queue_answered: float) -> bool:
        """Whether events arrive; `queue_answered` is when the queue last did."""
        now = self._clock()
        return now - queue_answered < QUEUE_SECONDS and now - self._arrived < self._patience

    @property
    def silence(self) -> float:
        """Seconds since the last event; infinite before the first."""
        return self._clock() - self._arrived


class Prober:
    """Sends probes, and tells when events stop to arrive."""

    def __init__(
        self,
        client: AwsClient,
        *,
        probe_seconds: float,
        good: Callable[[], bool],
        stale: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        """`client` is of the service `events`; `stale` is called each time that events stop to arrive."""
        self._client = client
        self._probe_seconds = probe_seconds
        self._good = good
        self._stale = stale
        self._clock = clock
        self._failed = False

    async def run(self) -> None:
        """Runs until cancelled."""
        was_good, sent = False, -math.inf
        while True:
            if self._clock() - sent >= self._probe_seconds:
                sent = self._clock()
                await self._probe()
            now_good = self._good()
            if now_good != was_good:
                _log.info("events arrive") if now_good else _log.warning(
                    "events do not arrive; SyncedSecrets are read every interval"
                )
                if not now_good:
                    self._stale()
            was_good = now_good
            await asyncio.sleep(min(_LOOK_SECONDS, self._probe_seconds / 2))

    async def _probe(self) -> None:
        entry = {"Source": PROBE_SOURCE, "DetailType": PROBE_DETAIL_TYPE, "Detail": json.dumps({})}
        try:
            answer = await self._client.call("put_events", Entries=[entry])
        except ReconcileError as error:
            hint = "; allow events:PutEvents on the default bus" if isinstance(error, Denied) else ""
            self._tell(f"{error}{hint}")
        else:
            if answer.get("FailedEntryCount"):
                self._tell("EventBridge refused it")
            else:
                self._failed = False

    def _tell(self, message: str) -> None:
        if not self._failed:
            _log.warning("a probe of the events could not be sent", message=message)
        self._failed = True
