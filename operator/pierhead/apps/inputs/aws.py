"""Parameters and secrets of AWS that AppReleases take values from.

Invariant: a reconcile asks AWS only about what was never answered or is forced; everything else is looked at
again at its interval, together with what is due at about the same time, and wakes those it concerns when the
answer moved. What was answered last stays in use while AWS fails, with the failure beside it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

import structlog

from pierhead.aws.errors import AwsError, NotFound, Unavailable
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.parameters import ParameterReader
from pierhead.aws.secretsmanager import SecretReader
from pierhead.engine.failures import described
from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

RETRY_SECONDS = 30.0
"""Most time between two tries of a look that failed."""

SPARED_SECONDS = 2.0
"""How long a failure answers for AWS where there is no answer yet: events must not become calls."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AwsReference:
    """What is read, and as whom."""

    identity: AwsIdentity
    region: str
    kind: Literal["parameter", "secret"]
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What AWS said last."""

    text: str | bytes | None = field(repr=False)
    """None where it does not exist."""

    version: int
    """Another one for every other answer, in this process."""

    failure: AwsError | None = None
    """Why the answer may be stale."""


@dataclass(slots=True)
class _Held:
    answer: Answer | None = None
    failure: AwsError | None = None
    read_at: float = float("-inf")
    users: dict[ObjectKey, float] = field(default_factory=dict)
    """Who reads it, and the seconds between two looks they ask for."""


class AwsValues:
    """The values of all AppReleases."""

    def __init__(
        self,
        parameters: ParameterReader,
        secrets: SecretReader,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        self._parameters = parameters
        self._secrets = secrets
        self._clock = clock
        self._refreshes = Refreshes[AwsReference](
            clock=clock,
            random=random or Random(),  # noqa: S311 (jitter, not cryptography)
            call_later=lambda delay, call: asyncio.get_running_loop().call_later(delay, call),
        )
        self._held: dict[AwsReference, _Held] = {}
        self._used: dict[ObjectKey, set[AwsReference]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._versions = 0
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how an AppRelease is woken when a value of it moved."""
        self._wake = wake
        self._refreshes.start(self._look)

    async def stop(self) -> None:
        """Ends the looks under way."""
        self._refreshes.stop()
        await ended(*self._tasks)
        await self._parameters.close()
        await self._secrets.close()

    async def read(self, reference: AwsReference, *, user: ObjectKey, interval: float, force: bool) -> Answer:
        """What AWS said last; `interval` is in seconds. From now on the user is told when it moves.

        Raises the classes of `pierhead.aws.errors` while there was never an answer.
        """
        held = self._held.setdefault(reference, _Held())
        held.users[user] = interval
        self._used.setdefault(user, set()).add(reference)
        spared = held.failure is not None and self._clock() - held.read_at < SPARED_SECONDS
        if force or (held.answer is None and not spared):
            await self._refresh(reference, held, asker=user)
        if held.answer is not None:
            return held.answer
        failure = held.failure
        assert failure is not None, "a look ends in an answer or a failure"  # noqa: S101
        raise failure.copy()

    def keep(self, user: ObjectKey, references: Iterable[AwsReference]) -> None:
        """Drops whatever else only this user read."""
        kept = set(references)
        for reference in self._used.pop(user, set()) - kept:
            held = self._held.get(reference)
            if held is None:
                continue
            held.users.pop(user, None)
            if not held.users:
                del self._held[reference]
                self._refreshes.discard(reference)
        if kept:
            self._used[user] = kept

    def _look(self, reference: AwsReference) -> None:
        held = self._held.get(reference)
        if held is None:
            return
        task = asyncio.get_running_loop().create_task(self._refresh(reference, held))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _refresh(self, reference: AwsReference, held: _Held, asker: ObjectKey | None = None) -> None:
        """Asks AWS, plans the next look, and wakes all but the asker if there is news."""
        before, first = held.answer, held.read_at == float("-inf")
        text, failure = await self._ask(reference)
        held.read_at, held.failure = self._clock(), failure
        held.answer = self._answered(before, text, failure)
        if self._held.get(reference) is not held:
            return
        interval = min(held.users.values())
        if failure is not None:
            interval = min(interval, RETRY_SECONDS)
        self._refreshes.plan(reference, interval, first=first)
        if _told(before) != _told(held.answer):
            for user in [user for user in held.users if user != asker]:
                self._wake(user)

    def _answered(
        self, before: Answer | None, text: str | bytes | None, failure: AwsError | None
    ) -> Answer | None:
        if failure is not None:
            return None if before is None else replace(before, failure=failure)
        if before is not None and before.text == text:
            return replace(before, failure=None)
        self._versions += 1
        return Answer(text, self._versions)

    async def _ask(self, reference: AwsReference) -> tuple[str | bytes | None, AwsError | None]:
        identity, region, name = reference.identity, reference.region, reference.name
        try:
            if reference.kind == "parameter":
                return (await self._parameters.read(identity, region, name)).value, None
            found = await self._secrets.read(identity, region, name)
        except NotFound:
            return None, None
        except AwsError as error:
            return None, error
        except Exception as error:  # noqa: BLE001 (its users wait for an end, whatever it is)
            _log.exception("a look at AWS hit a bug in pierhead", **described(error))
            why = f"the look at AWS failed with {type(error).__name__}; this is a bug in pierhead"
            return None, Unavailable(why, reason="InternalError")
        return found.string if found.string is not None else found.binary, None


def _told(answer: Answer | None) -> tuple[int, str] | None:
    return None if answer is None else (answer.version, str(answer.failure))
