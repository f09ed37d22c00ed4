"""One look at a repository for everybody who follows it with the same identity.

Invariant: a reconcile never waits for ECR, and no look ends without its users knowing when something they
rest on moved. What was seen last stays in use, with the failure beside it, until a newer look succeeds.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random

import structlog

from pierhead.apps.images.choice import Scan
from pierhead.apps.images.registries import Registry
from pierhead.aws.events import AwsEvent
from pierhead.aws.images import Repository
from pierhead.aws.session import AwsIdentity
from pierhead.engine.failures import described
from pierhead.engine.outcome import ReconcileError, Transient
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

RETRY_SECONDS = 15.0
"""Least time between two looks after one that failed."""

GATHER_SECONDS = 0.3
"""How long a hint waits for others: a pipeline pushes several tags at once."""

SCANS_LIMIT = 50
"""Scans of one repository that are asked for in one look."""

_EARLY = 0.85
"""Part of an interval after which a look counts as due: reconciles are spread by a tenth."""

_EVENTS = frozenset({"ECR Image Action", "ECR Image Scan"})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """What may share a look."""

    identity: AwsIdentity | str
    """Of ECR's API, or the fingerprint of what another registry is asked with."""

    region: str
    """Empty outside of AWS."""

    repository: Repository


@dataclass(frozen=True, slots=True)
class View:
    """A repository as it was seen last; `tags` is None before the first look."""

    tags: Mapping[str, str | None] | None
    scans: Mapping[str, Scan]
    failure: ReconcileError | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a user's choice rests on."""

    scans: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Followed:
    registry: Registry
    tags: dict[str, str | None] | None = None
    scans: dict[str, Scan] = field(default_factory=dict)
    failure: ReconcileError | None = None
    began: float = float("-inf")
    """When the last look began."""
    task: asyncio.Task[None] | None = None
    again: bool = False
    """Whether something moved while a look was under way."""
    users: dict[ObjectKey, _Wanted] = field(default_factory=dict)
    """Who follows."""


class Repositories:
    """The repositories that AppReleases follow."""

    def __init__(self, *, random: Random, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._random = random
        self._monotonic = monotonic
        self._followed: dict[Place, _Followed] = {}
        self._places: dict[ObjectKey, frozenset[Place]] = {}
        self._wake: Wake = lambda _key: None

    def start(self, wake: Wake) -> None:
        """Says how users are woken."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends the looks under way."""
        await ended(*(followed.task for followed in self._followed.values()))

    def keep(self, user: ObjectKey, places: Iterable[Place]) -> None:
        """Ends this user's following of any other place."""
        kept = frozenset(places)
        for place in self._places.pop(user, frozenset()) - kept:
            followed = self._followed.get(place)
            if followed is None:
                continue
            followed.users.pop(user, None)
            if not followed.users:
                del self._followed[place]
                if followed.task is not None:
                    followed.task.cancel()
        if kept:
            self._places[user] = kept

    def look(
        self, place: Place, registry: Registry, *, user: ObjectKey, interval: float, force: bool
    ) -> View:
        """The repository as last seen; begins another look if one is due. The user has to `keep` it."""
        followed = self._followed.setdefault(place, _Followed(registry))
        followed.users.setdefault(user, _Wanted())
        pause = interval * _EARLY if followed.failure is None else RETRY_SECONDS
        if force or self._monotonic() >= followed.began + pause:
            self._begin(followed)
        return View(followed.tags, followed.scans, followed.failure)

    def rests_on(
        self, place: Place, user: ObjectKey, *, scans: Iterable[str], tags: Iterable[str] = ()
    ) -> None:
        """Says on which images' scans and which tags' digests a user's choice rests; unknown ones are asked
        for.
        """
        followed = self._followed[place]
        before, after = followed.users.get(user, _Wanted()), _Wanted(frozenset(scans), frozenset(tags))
        followed.users[user] = after
        known = followed.tags or {}
        unknown = any(known.get(tag) is None for tag in after.tags - before.tags)
        if unknown or not after.scans - before.scans <= followed.scans.keys():
            self._begin(followed)

    def looking(self, user: ObjectKey) -> bool:
        """Whether a look at anything this user follows is under way."""
        followed = (self._followed.get(place) for place in self._places.get(user, ()))
        return any(held is not None and held.task is not None for held in followed)

    def hint(self, event: AwsEvent) -> None:
        """Looks at the repository that an event of ECR is about."""
        if event.source != "aws.ecr" or event.detail_type not in _EVENTS:
            return
        name = event.detail.get("repository-name")
        for place, followed in self._followed.items():
            theirs = place.repository
            if (
                theirs.name == name
                and place.region == event.region
                and theirs.account in {None, event.account}
            ):
                self._begin(followed, after=GATHER_SECONDS)

    def _begin(self, followed: _Followed, *, after: float = 0) -> None:
        followed.began = self._monotonic()
        if followed.task is not None:
            followed.again = True
            return
        followed.task = asyncio.create_task(self._run(followed, after))

    async def _run(self, followed: _Followed, after: float) -> None:
        try:
            if after:
                await asyncio.sleep(after * self._random.uniform(0.8, 1.2))
            while True:
                followed.again = False
                await self._refresh(followed)
                if not followed.again:
                    return
        finally:
            followed.task = None

    async def _refresh(self, followed: _Followed) -> None:
        before = (followed.tags, followed.scans, str(followed.failure))
        failure: ReconcileError | None = None
        try:
            tags = await followed.registry.tags()
            for tag in _asked(followed, tags):
                tags[tag] = await followed.registry.digest(tag)
            followed.scans = await self._scans(followed, {digest for digest in tags.values() if digest})
            followed.tags = tags
        except ReconcileError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 (its users wait for an end, whatever it is)
            _log.error("a look at a repository hit a bug in pierhead", **described(error))
            failure = Transient(
                f"the look failed with {type(error).__name__}; this is a bug in pierhead, its log says where",
                reason="InternalError",
            )
        followed.failure = failure
        if before != (followed.tags, followed.scans, str(failure)):
            for user in list(followed.users):
                self._wake(user)

    async def _scans(self, followed: _Followed, present: set[str]) -> dict[str, Scan]:
        wanted = {digest for user in followed.users.values() for digest in user.scans} & present
        found = {digest: scan for digest, scan in followed.scans.items() if digest in wanted}
        # Those that somebody waits for come first.
        asked = sorted(wanted, key=lambda digest: (digest in found, digest))[:SCANS_LIMIT]
        for digest in asked:
            found[digest] = await followed.registry.scan(digest)
        followed.again = followed.again or not wanted <= found.keys()
        return found


def _asked(followed: _Followed, tags: Mapping[str, str | None]) -> list[str]:
    """The tags whose digests somebody needs, and that did not come with them."""
    wanted = {tag for user in followed.users.values() for tag in user.tags}
    return sorted(tag for tag in wanted if tag in tags and tags[tag] is None)
