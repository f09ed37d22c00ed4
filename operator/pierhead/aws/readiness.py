"""The event loop's side of one identity: who waits for its credentials, and whether they were refused.

Invariants: one thread at most asks for an identity's credentials, and those who wait take no thread; nobody
passes as ready whose credentials were refused, in whatever order the event loop wakes them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from pierhead.aws.errors import AwsError
from pierhead.aws.identity import IdentitySession

REFUSED_SECONDS: Final = 30.0
"""How long refused credentials are not asked for again: all objects of an identity fail at once."""


class Run(Protocol):
    """Runs a function on a thread; AWS's refusal comes back as a value."""

    def __call__(self, function: Callable[[], None], operation: str, /) -> Awaitable[AwsError | None]:
        """What the function ended with."""


class Readiness:
    """Of one identity's session."""

    def __init__(self, session: IdentitySession, clock: Callable[[], float]) -> None:
        self.session = session
        self._clock = clock
        self._warming: asyncio.Task[None] | None = None
        self._refused: AwsError | None = None
        self._refused_until = 0.0
        self.made = clock()

    async def ready(self, run: Run) -> None:
        """Returns when calls can be signed. Raises the classes of `pierhead.aws.errors`."""
        if self.session.usable():
            return
        if self._refused is None or self._clock() >= self._refused_until:
            if self._warming is None:
                self._warming = asyncio.ensure_future(self._warm(run))
            await asyncio.shield(self._warming)
        if self._refused is not None:
            raise self._refused.copy()

    async def _warm(self, run: Run) -> None:
        # The verdict is written before the task is done: a callback of the task would come after whoever
        # the same turn of the event loop has woken already.
        try:
            self._refused = await run(self.session.warm, "GetCredentials")
        finally:
            self._warming = None
            self._refused_until = self._clock() + REFUSED_SECONDS
