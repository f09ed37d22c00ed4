"""SyncedSecrets whose reads failed because AWS did not answer.

Invariant: once AWS answers again, each of them is woken within `RETURN_SECONDS`, at random, and none twice;
until then they retry as their own backoff says. Losing one costs the rest of its backoff, and nothing else.
"""

import contextlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from pierhead.aws.access import Access
from pierhead.aws.errors import Unavailable
from pierhead.aws.sharing import Lane
from pierhead.engine.reconciler import Wake
from pierhead.engine.refreshes import CallLater
from pierhead.engine.resource import ObjectKey

RETURN_SECONDS: Final = 10.0


class Stranded:
    """The objects that wait for AWS, by whom they read as, and where."""

    def __init__(self, *, random: Random, call_later: CallLater) -> None:
        self._random = random
        self._call_later = call_later
        self._wake: Wake = lambda _key: None
        self._waiting: dict[Lane, set[ObjectKey]] = {}

    def start(self, wake: Wake) -> None:
        """How objects are woken."""
        self._wake = wake

    @contextlib.contextmanager
    def reading(self, key: ObjectKey, who: Access) -> Iterator[None]:
        """While it is entered, the object is read; if AWS does not answer, it waits for AWS."""
        try:
            yield
        except Unavailable:
            self._waiting.setdefault(Lane(who.identity, who.region), set()).add(key)
            raise

    def back(self, lane: Lane) -> None:
        """AWS answers again."""
        for key in self._waiting.pop(lane, ()):
            self._call_later(self._random.uniform(0.0, RETURN_SECONDS), self._waker(key))

    def _waker(self, key: ObjectKey) -> Callable[[], None]:
        return lambda: self._wake(key)
