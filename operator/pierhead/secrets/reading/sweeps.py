"""Looks at the versions of many secrets at once, in place of reads, for SyncedSecrets that ask for it.

Invariants: an object is left alone only while the list says that every secret it is made of still has the
version it was made of; whatever else the list says, or does not, the object is read, since a list lags
behind and proves nothing. It is read all the same after `MOST_LOOKS` looks. No value is known here.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog

from pierhead.aws.access import Access
from pierhead.aws.errors import AwsError
from pierhead.aws.secretlists import Criteria, ListedSecret, SecretLister
from pierhead.engine.failures import described
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended
from pierhead.secrets.reading.due import Due
from pierhead.secrets.reading.references import Answers, Version

MOST_LOOKS: Final = 24
REFUSED_SECONDS: Final = 3600.0
"""How long a list that was refused is not asked for again."""

_CURRENT: Final = "AWSCURRENT"
_SUFFIX: Final = len("-AbCdEf")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Swept:
    who: Access
    versions: tuple[tuple[str, str], ...]
    """The name of each secret and the version that was read of it."""
    interval: float
    looks: int = 0


class Sweeps:
    """The objects that are swept, and the sweeps under way."""

    def __init__(self, lister: SecretLister, due: Due, *, clock: Callable[[], float]) -> None:
        self._lister = lister
        self._due = due
        self._clock = clock
        self._swept: dict[ObjectKey, _Swept] = {}
        self._meeting: dict[Access, list[ObjectKey]] = {}
        self._refused_until: dict[Access, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake: Wake = lambda _key: None
        self._unmoved: Callable[[ObjectKey, float], None] = lambda _key, _interval: None

    def start(self, wake: Wake, unmoved: Callable[[ObjectKey, float], None]) -> None:
        """`wake` reads an object, `unmoved` leaves it alone for another interval, in seconds."""
        self._wake = wake
        self._unmoved = unmoved

    async def stop(self) -> None:
        """Ends the sweeps under way."""
        await ended(*self._tasks)

    def learn(self, key: ObjectKey, who: Access, answers: Answers, interval: float) -> None:
        """The object is made of these answers; it is swept from now on, if a list can tell of all of them.

        Objects of one identity, region and interval come due together, for one list to serve all.
        """
        versions = []
        for reference, answer in answers.items():
            if reference.kind != "secret" or not isinstance(answer, Version):
                return
            if reference.version_stage not in {None, _CURRENT}:
                return
            if reference.version_id is None:
                versions.append((reference.name, answer.version_id))
        if self._clock() >= self._refused_until.get(who, 0.0):
            self._swept[key] = _Swept(who, tuple(versions), interval)
            self._due.gather(key, f"{who}")

    def forget(self, key: ObjectKey) -> None:
        """The object is read when it is due, as any other."""
        if self._swept.pop(key, None) is not None:
            self._due.gather(key, None)

    def take(self, key: ObjectKey) -> bool:
        """Whether the object, which has come due, is looked after here."""
        swept = self._swept.get(key)
        if swept is None or swept.looks >= MOST_LOOKS:
            return False
        meeting = self._meeting.setdefault(swept.who, [])
        meeting.append(key)
        if len(meeting) == 1:
            task = asyncio.get_running_loop().create_task(self._sweep(swept.who))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return True

    async def _sweep(self, who: Access) -> None:
        keys: list[ObjectKey] = []
        unmoved: list[ObjectKey] = []
        try:
            await asyncio.sleep(0)  # all that come due at this moment
            keys = self._meeting.pop(who)
            found = await self._lister.list(who.identity, who.region, Criteria())
            unmoved = self._told_by(_versions(found.secrets), keys)
        except AwsError as error:
            self._failed(who, error)
        except Exception as error:  # noqa: BLE001 (the objects are read all the same, and the bug is shown)
            _log.error("sweeping versions hit a bug in pierhead", **described(error))
        for key in unmoved:
            self._swept[key].looks += 1
            self._unmoved(key, self._swept[key].interval)
        for key in set(keys) - set(unmoved):
            self._due.add(key)
            self._wake(key)

    def _told_by(self, listed: Mapping[str, str], keys: Iterable[ObjectKey]) -> list[ObjectKey]:
        """Those of which every secret has the version that was read."""
        return [
            key
            for key in keys
            if (swept := self._swept.get(key)) is not None
            and all(listed.get(name) == version for name, version in swept.versions)
        ]

    def _failed(self, who: Access, error: AwsError) -> None:
        if not error.terminal:
            return
        until, now = self._refused_until.get(who), self._clock()
        self._refused_until[who] = now + REFUSED_SECONDS
        for key in [key for key, swept in self._swept.items() if swept.who == who]:
            self.forget(key)
        if until is None:
            _log.warning(
                "versions cannot be listed, so secrets are read instead",
                role=who.identity.role_arn or "",
                region=who.region,
                reason=error.reason,
                message=str(error),
            )


def _versions(secrets: Iterable[ListedSecret]) -> dict[str, str]:
    """The current versions, by every way to name a secret."""
    return {
        name: secret.version_id
        for secret in secrets
        if secret.version_id is not None
        for name in (secret.name, secret.arn, secret.arn[:-_SUFFIX])
    }
