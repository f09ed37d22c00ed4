"""Reads that share answers and calls.

Invariants: equal reads share one answer, that of a call which was begun no earlier than each of them allows;
reads of one lane that meet within a few milliseconds, or while another batch of it is under way, go out
together; every read is answered, whatever happens. Answers are held by `pierhead.aws.held` and nowhere else.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NoReturn, Protocol, TypeVar

from pierhead.aws.errors import AccessDenied, AwsError, BadRequest, NotFound, Throttling, Unavailable
from pierhead.aws.held import HeldAnswers
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.rate import TokenBucket, TokenBuckets
from pierhead.engine.tasks import ended

WINDOW_SECONDS: Final = 0.005
"""How long the first read of a batch waits for others."""

PATIENCE_SECONDS: Final = 0.1
"""How much longer it waits while another batch of its lane is under way: busier means fuller batches."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What may share a call, and what a quota counts."""

    identity: AwsIdentity
    region: str


class Read(Protocol):
    """What is to be read; hashable. Equal reads share an answer."""

    @property
    def lane(self) -> Lane:
        """Where it may share a call."""


_Read = TypeVar("_Read", bound=Read)
_Answer = TypeVar("_Answer")


@dataclass(slots=True, eq=False)
class Wish(Generic[_Read, _Answer]):
    """A read under way and who waits for it.

    Failures are results: each reader raises a copy of its own, and none is left unretrieved.
    """

    read: _Read
    answer: asyncio.Future[_Answer | Exception]
    asked_at: float = math.inf
    """When its call was begun; infinite before."""


@dataclass(slots=True)
class _Pending(Generic[_Read, _Answer]):
    """Wishes of one lane that wait for others."""

    timer: asyncio.TimerHandle
    wishes: list[Wish[_Read, _Answer]] = field(default_factory=list)
    ripe: bool = False
    """Whether they have waited long enough, and only wait for the call under way."""


class SharedReads(Generic[_Read, _Answer]):
    """The reads of one kind that are under way."""

    def __init__(
        self,
        *,
        batch: Callable[[list[Wish[_Read, _Answer]]], Awaitable[list[Wish[_Read, _Answer]]]],
        single: Callable[[Wish[_Read, _Answer]], Awaitable[None]],
        size: int,
        window: float = WINDOW_SECONDS,
        held: HeldAnswers[_Read, _Answer] | None = None,
    ) -> None:
        """`batch` settles wishes of one lane, at most `size`, and returns those to be read by `single`."""
        self._batch = batch
        self._single = single
        self._size = size
        self._window = window
        self._held = held
        self._wishes: dict[_Read, Wish[_Read, _Answer]] = {}
        self._pending: dict[Lane, _Pending[_Read, _Answer]] = {}
        self._under_way: Counter[Lane] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, read: _Read, *, alone: bool = False, not_before: float = -math.inf) -> _Answer:
        """The answer to a read, which goes out at once if `alone`. Raises what it was settled with.

        The call that is answered was not begun before `not_before`, a moment of the clock of `held`.
        """
        result = self._held.get(read, not_before) if self._held is not None else None
        if result is None:
            wish = self._wishes.get(read)
            if wish is None or wish.asked_at < not_before:
                wish = self._wishes[read] = Wish(read, asyncio.get_running_loop().create_future())
                if alone:
                    self._spawn([wish])
                else:
                    self._send(wish)
            result = await asyncio.shield(wish.answer)
        if isinstance(result, Exception):
            raise result.copy() if isinstance(result, AwsError) else result
        return result

    def settle(self, wish: Wish[_Read, _Answer], result: _Answer | Exception) -> None:
        """Hands the answer out, once."""
        newest = self._wishes.get(wish.read) is wish
        if newest:
            del self._wishes[wish.read]
        if not wish.answer.done():
            wish.answer.set_result(result)
            if newest and self._held is not None:
                self._held.keep(wish.read, result, wish.asked_at)

    async def close(self) -> None:
        """Gives up what is under way."""
        await ended(*self._tasks)
        if self._held is not None:
            self._held.clear()

    def _send(self, wish: Wish[_Read, _Answer]) -> None:
        lane = wish.read.lane
        pending = self._pending.get(lane)
        if pending is None:
            timer = asyncio.get_running_loop().call_later(self._window, self._window_over, lane)
            pending = self._pending[lane] = _Pending(timer)
        pending.wishes.append(wish)
        if len(pending.wishes) == self._size:
            self._flush(lane)

    def _window_over(self, lane: Lane) -> None:
        """Sends what has met, or lets it meet more until the call under way is answered."""
        pending = self._pending[lane]
        if lane not in self._under_way:
            self._flush(lane)
            return
        pending.ripe = True
        pending.timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._flush, lane)

    def _flush(self, lane: Lane) -> None:
        pending = self._pending.pop(lane)
        pending.timer.cancel()
        self._under_way[lane] += 1
        self._spawn(pending.wishes).add_done_callback(lambda _task: self._ended(lane))

    def _ended(self, lane: Lane) -> None:
        self._under_way[lane] -= 1
        if not self._under_way[lane]:
            del self._under_way[lane]
        pending = self._pending.get(lane)
        if pending is not None and pending.ripe:
            self._flush(lane)

    def _spawn(self, wishes: list[Wish[_Read, _Answer]]) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._answer(wishes))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, wishes: list[Wish[_Read, _Answer]]) -> None:
        """Answers every one of these wishes, whatever happens."""
        if self._held is not None:
            for wish in wishes:
                wish.asked_at = self._held.clock()
        failure: Exception = Unavailable("pierhead is stopping")
        try:
            alone = await self._batch(wishes) if len(wishes) > 1 else wishes
            await asyncio.gather(*(self._single(wish) for wish in alone))
        except Exception as error:  # noqa: BLE001 (a bug, which belongs to those who wait)
            failure = error
        finally:
            for wish in wishes:
                self.settle(wish, failure)


async def never_batched(_wishes: list[Wish[_Read, _Answer]]) -> NoReturn:
    """The `batch` of reads of which none shares a call with another: their `size` is 1."""
    raise AssertionError("reads of size 1 go out one by one")


@dataclass(frozen=True, slots=True)
class Named:
    """Something that is read by its name."""

    lane: Lane
    name: str


class NamedReads(Generic[_Answer]):
    """Reads of what AWS gives several of in one call, and leaves out what does not exist."""

    def __init__(
        self,
        ask: Callable[[Lane, Sequence[str]], Awaitable[Mapping[str, _Answer]]],
        missing: Callable[[Named], NotFound],
        *,
        size: int,
        calls_per_second: float,
        window: float = WINDOW_SECONDS,
        held: HeldAnswers[Named, _Answer] | None = None,
    ) -> None:
        """`ask` calls AWS, for at most `size` names; `missing` is the error for one that was left out."""
        self._ask = ask
        self._missing = missing
        self._calls = TokenBuckets(lambda: TokenBucket(calls_per_second, calls_per_second))
        self._reads = SharedReads[Named, _Answer](
            batch=self._batch, single=self._single, size=size, window=window, held=held
        )

    async def read(self, lane: Lane, name: str, *, not_before: float = -math.inf) -> _Answer:
        """What has this name, as `SharedReads.read`.

        Raises what `missing` makes, and the classes of `pierhead.aws.errors`.
        """
        return await self._reads.read(Named(lane, name), not_before=not_before)

    async def close(self) -> None:
        """Gives up what is under way."""
        await self._reads.close()

    async def _single(self, wish: Wish[Named, _Answer]) -> None:
        try:
            await self._answer([wish])
        except AwsError as error:
            self._reads.settle(wish, error)

    async def _batch(self, wishes: list[Wish[Named, _Answer]]) -> list[Wish[Named, _Answer]]:
        try:
            await self._answer(wishes)
        except (AccessDenied, BadRequest, NotFound):
            return wishes  # one that may not be read, or that AWS does not take, must not cost the others
        except AwsError as error:
            for wish in wishes:
                self._reads.settle(wish, error)
        return []

    async def _answer(self, wishes: Sequence[Wish[Named, _Answer]]) -> None:
        lane = wishes[0].read.lane
        bucket = self._calls[lane.identity.account, lane.region]
        await bucket.take()
        try:
            found = await self._ask(lane, [wish.read.name for wish in wishes])
        except Throttling as error:
            bucket.hold(error.after)
            raise
        for wish in wishes:
            name = wish.read.name
            self._reads.settle(wish, found[name] if name in found else self._missing(wish.read))
