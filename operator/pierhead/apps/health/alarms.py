"""Alarms of CloudWatch that say whether a release is well.

Invariant: AWS is asked while a release that names alarms is under way, on trial or failed, and before it
begins, and never else; everybody's alarms are asked for together. An alarm that was raised before a
revision was begun says nothing of that revision.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pierhead.apps.aws import AwsScope, AwsScopes
from pierhead.apps.inputs.references import References
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.situation import Health
from pierhead.apps.subject import Subject
from pierhead.aws.alarms import Alarm, AlarmReader
from pierhead.aws.errors import AwsError
from pierhead.aws.identity import AwsIdentity
from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

POLL_SECONDS = 15.0
"""Between looks at alarms that somebody waits on: an alarm's own period is ten seconds or more."""

_REASON_LIMIT = 300


@dataclass(frozen=True, slots=True)
class _Watched:
    identity: AwsIdentity
    region: str
    name: str


@dataclass(slots=True)
class _Held:
    answer: Alarm | AwsError | None = None
    users: set[ObjectKey] = field(default_factory=set)


class Alarms:
    """The alarms of all AppReleases."""

    def __init__(
        self,
        reader: AlarmReader,
        scopes: AwsScopes,
        references: References,
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._reader = reader
        self._scopes = scopes
        self._references = references
        self._poll_seconds = poll_seconds
        self._held: dict[_Watched, _Held] = {}
        self._used: dict[ObjectKey, frozenset[_Watched]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._wake: Wake = lambda _key: None

    def start(self, wake: Wake) -> None:
        """Says how an AppRelease is woken when an alarm of it moved."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends the looks."""
        await ended(self._polling)
        await self._reader.close()

    def forget(self, user: ObjectKey) -> None:
        """It waits on no alarm any more. Free for one that does not."""
        for watched in self._used.pop(user, ()):
            held = self._held.get(watched)
            if held is not None:
                held.users.discard(user)
                if not held.users:
                    del self._held[watched]

    async def check(self, subject: Subject, spec: AppReleaseSpec) -> None:
        """Returns when every alarm is there and may be read.

        Raises, naming the field, PolicyDenied and the classes of `pierhead.aws.errors`.
        """
        names = _names(spec)
        if not names:
            return
        scope = await self._scope(subject, spec)
        for index, name in enumerate(names):
            at = f"spec.health.alarms[{index}]"
            scope.check("alarm", name, field=at)
            try:
                await self._reader.read(scope.identity, scope.region, name)
            except AwsError as error:
                error.field = at
                raise

    async def health(self, subject: Subject, spec: AppReleaseSpec, *, since: datetime) -> Health:
        """What the alarms say of a revision that was begun at `since`; from now on a change wakes it."""
        if not _names(spec):
            self.forget(subject.key)
            return Health("Current")
        try:
            answers = await self._answers(subject, spec)
        except ReconcileError as error:
            return Health("InProgress", f"alarms cannot be read: {error}")
        raised = [
            answer
            for answer in answers
            if isinstance(answer, Alarm) and answer.state == "ALARM" and answer.since > since
        ]
        if raised:
            return Health("Failed", "; ".join(_words(alarm) for alarm in raised[:3]))
        failures = [answer for answer in answers if isinstance(answer, AwsError)]
        if failures:
            return Health("InProgress", f"an alarm cannot be read: {failures[0].message}")
        return Health("Current")

    async def _answers(self, subject: Subject, spec: AppReleaseSpec) -> list[Alarm | AwsError]:
        names, scope = _names(spec), await self._scope(subject, spec)
        for index, name in enumerate(names):
            scope.check("alarm", name, field=f"spec.health.alarms[{index}]")
        wanted = [_Watched(scope.identity, scope.region, name) for name in names]
        if self._used.get(subject.key) != frozenset(wanted):
            self.forget(subject.key)
            self._used[subject.key] = frozenset(wanted)
        for watched in wanted:
            self._held.setdefault(watched, _Held()).users.add(subject.key)
        await asyncio.gather(*(self._look(watched) for watched in wanted if self._unknown(watched)))
        if self._polling is None or self._polling.done():
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        held = (self._held[watched].answer for watched in wanted if watched in self._held)
        return [answer for answer in held if answer is not None]

    async def _scope(self, subject: Subject, spec: AppReleaseSpec) -> AwsScope:
        reader = self._references.of(subject.key, subject.generation, subject.client)
        return await self._scopes.of(spec.aws, reader)

    def _unknown(self, watched: _Watched) -> bool:
        return self._held[watched].answer is None

    async def _look(self, watched: _Watched) -> None:
        answer: Alarm | AwsError
        try:
            answer = await self._reader.read(watched.identity, watched.region, watched.name)
        except AwsError as error:
            answer = error
        held = self._held.get(watched)
        if held is None:
            return
        before, held.answer = held.answer, answer
        if before is not None and _told(before) != _told(answer):
            for user in list(held.users):
                self._wake(user)

    async def _poll(self) -> None:
        while self._held:
            await asyncio.sleep(self._poll_seconds)
            await asyncio.gather(*(self._look(watched) for watched in list(self._held)))


def worse(one: Health, other: Health) -> Health:
    """The health of both."""
    for status in ("Failed", "InProgress"):
        told = [health for health in (one, other) if health.status == status]
        if told:
            return Health(told[0].status, "; ".join(health.message for health in told))
    return one


def _names(spec: AppReleaseSpec) -> Sequence[str]:
    return (spec.health.alarms if spec.health is not None else None) or ()


def _told(answer: Alarm | AwsError) -> tuple[object, ...]:
    if isinstance(answer, Alarm):
        return answer.state, answer.since
    return answer.reason, answer.message


def _words(alarm: Alarm) -> str:
    reason = f": {alarm.reason[:_REASON_LIMIT]}" if alarm.reason else ""
    return f"alarm {alarm.name} is raised{reason}"
