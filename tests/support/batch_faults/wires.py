"""Ways to an API server for a run on virtual time: one in memory, one over HTTP.

Invariant: while a real API server works on a request the run's clock stands still, so a run has the same
times on both; a request that went out is seen through, whoever gave up on it, so that no answer is missed.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from pierhead.kube.credentials import Credentials
from pierhead.kube.resources import BATCH_JOBS, CONFIG_MAPS
from pierhead.kube.transport import Answer, Call, Transport
from support.batch_faults.stage import now
from support.memory_api import MemoryApi
from support.virtual_time import VirtualTimeLoop


def in_memory() -> MemoryApi:
    """An empty API server on the running loop's clock."""
    return MemoryApi(BATCH_JOBS, CONFIG_MAPS, with_status=(BATCH_JOBS,), now=now)


class HttpWire:
    """A `Transport` on a loop and thread of its own, where time is real."""

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: Transport) -> None:
        self._loop = loop
        self._transport = transport

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, credentials: Credentials) -> AsyncIterator["HttpWire"]:
        """Open until left; may be used by many runs, one after the other."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="api-server", daemon=True)
        thread.start()

        async def make() -> Transport:
            return Transport(credentials, connections=8, streams=1, user_agent="pierhead-runs")

        transport = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(make(), loop))
        try:
            yield cls(loop, transport)
        finally:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(transport.close(), loop))
            loop.call_soon_threadsafe(loop.stop)
            await asyncio.to_thread(thread.join)
            loop.close()

    async def send(self, call: Call) -> Answer:
        """As `Transport.send`, but not to be cancelled."""
        virtual = asyncio.get_running_loop()
        assert isinstance(virtual, VirtualTimeLoop)
        sent = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._transport.send(call), self._loop))
        with virtual.standing_still():
            while not sent.done():
                # Whoever gives up is told when the answer is there.
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([sent])
        return sent.result()
