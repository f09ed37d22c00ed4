"""/livez, /readyz and /metrics.

Invariant: /livez fails only for what a new process would cure; an API server or AWS that is down is not.
/readyz tells whether this process does its part: leads and has seen all objects, or stands by for another.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from pierhead.engine.metrics import CONTENT_TYPE, Metrics

Check = Callable[[], str | None]
"""What is wrong, in words for people; None while all is well."""

_LONGEST_LAG_SECONDS = 10.0
_LAG_PERIOD_SECONDS = 1.0


class LoopLag:
    """How late the event loop is: the delay of every task, and of the Lease's renewal."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._metrics = metrics
        self._clock = clock
        self._lag = 0.0

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            started = self._clock()
            await asyncio.sleep(_LAG_PERIOD_SECONDS)
            self._lag = max(0.0, self._clock() - started - _LAG_PERIOD_SECONDS)
            self._metrics.loop_lag.set(self._lag)

    def problem(self) -> str | None:
        """Whether the loop is too late to be trusted."""
        return f"the event loop is {self._lag:.1f} s late" if self._lag > _LONGEST_LAG_SECONDS else None


class Probes:
    """The HTTP server that the kubelet and Prometheus ask."""

    def __init__(self, metrics: Metrics, *, live: Sequence[Check], ready: Sequence[Check]) -> None:
        self._metrics = metrics
        application = web.Application()
        application.router.add_get("/livez", _answering(live))
        application.router.add_get("/readyz", _answering(ready))
        application.router.add_get("/metrics", self._scrape)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)

    async def start(self, host: str, port: int) -> int:
        """Serves; the port, which is chosen by the system for 0. Raises OSError when it is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        return int(address[1])

    async def stop(self) -> None:
        """Serves no more."""
        await self._runner.cleanup()

    async def _scrape(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


def _answering(checks: Sequence[Check]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_request: web.Request) -> web.Response:
        problems = [problem for check in checks if (problem := check()) is not None]
        return web.Response(text="\n".join(problems or ["ok"]) + "\n", status=503 if problems else 200)

    return answer
