"""One fetch for everybody who names the same source with the same credentials.

Invariant: a reconcile never waits for a fetch, and no fetch ends without its users knowing. A source that
was never fetched raises `Waiting` and its users are woken when it arrives; one that is due is refreshed
behind the stale artifact, which stays in use, with the failure beside it, until a newer one is there.
"""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakValueDictionary

import structlog

from pierhead.apps.model.sources import ConfigMapSource, Source
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.engine.failures import described
from pierhead.engine.outcome import Invalid, ReconcileError, Throttled, Transient, Waiting
from pierhead.engine.resource import ObjectKey
from pierhead.engine.tasks import ended

FETCHING = "Fetching"
"""Reason of the wait for the first fetch of a source."""

RETRY_SECONDS = 15.0
"""Least time between two tries of a fetch that failed."""

MOST_AT_ONCE = 32
"""Fetches under way: after a restart every source is due."""

MOST_OF_A_NAMESPACE = 4
"""Fetches under way for one namespace: slow servers are a tenant's own trouble, and nobody else's."""

_EARLY = 0.85
"""Part of an interval after which a look counts as due: looks are spread by a tenth, and the fetch that
the last one began took its time too."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Provided:
    """An artifact, and what went wrong when it was last refreshed."""

    artifact: Artifact
    failure: ReconcileError | None = None


class Fetcher(Protocol):
    """Fetches the sources of one field of `Source`."""

    async def fetch(self, source: Any, access: Access, known: Artifact | None) -> Artifact:
        """What the source holds now; `known` is what it held at the last look, and is still in the store.

        Raises ReconcileError, its field relative to the source.
        """


@dataclass(slots=True)
class _Remote:
    """A source that is fetched over the network."""

    artifact: Artifact | None = None
    failure: ReconcileError | None = None
    began: float = float("-inf")
    """When the last fetch began."""
    task: asyncio.Task[None] | None = None
    forced: bool = False
    """Whether a user who asked for the fetch under way wants to know its end, changed or not."""
    users: set[ObjectKey] = field(default_factory=set)


class Sources:
    """Turns a `Source` into an artifact."""

    def __init__(
        self,
        *,
        store: ArtifactStore,
        fetchers: Mapping[str, Fetcher],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetchers` are by the field of `Source` that they serve."""
        self._store = store
        self._fetchers = fetchers
        self._monotonic = monotonic
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)
        self._shares: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._named: dict[tuple[ObjectKey, str], str] = {}
        self._remotes: dict[str, _Remote] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how users are woken when what they wait for is there."""
        self._store.clear()
        self._wake = wake

    async def stop(self) -> None:
        """Ends the fetches under way."""
        await ended(*(remote.task for remote in self._remotes.values()))

    def forget(self, user: ObjectKey) -> None:
        """Drops what only this user fetched."""
        for place in [place for place in self._named if place[0] == user]:
            self._leave(user, self._named.pop(place))

    def _leave(self, user: ObjectKey, name: str) -> None:
        remote = self._remotes.get(name)
        if remote is None or any(who == user and held == name for (who, _), held in self._named.items()):
            return
        remote.users.discard(user)
        if not remote.users:
            del self._remotes[name]
            if remote.task is not None:
                remote.task.cancel()

    def fetching(self, user: ObjectKey) -> bool:
        """Whether a source that this user names is being fetched now."""
        return any(user in remote.users and remote.task is not None for remote in self._remotes.values())

    def holds(self, artifact: Artifact) -> bool:
        """Whether the artifact is still on disk; it counts as asked for."""
        return self._store.find(artifact.digest) is not None

    def files(self, files: Mapping[str, str], *, at: str) -> Provided:
        """Files written into the spec. Raises Invalid for a path that is none."""
        try:
            digest, path = self._store.put_files({name: text.encode() for name, text in files.items()})
        except Invalid as error:
            raise _placed(error, at) from None
        return Provided(Artifact(revision=digest.removeprefix("sha256:")[:12], digest=digest, path=path))

    def config_map(self, source: ConfigMapSource, obj: Mapping[str, Any], *, at: str) -> Provided:
        """Files in a ConfigMap. Raises Invalid when it lacks a key."""
        held: dict[str, bytes] = {key: text.encode() for key, text in (obj.get("data") or {}).items()}
        try:
            held |= {key: base64.b64decode(text) for key, text in (obj.get("binaryData") or {}).items()}
        except binascii.Error:
            raise Invalid(f"ConfigMap {source.name} has binary data that is not base64", field=at) from None
        if source.items is None:
            files = held
        else:
            missing = [item.key for item in source.items if item.key not in held]
            if missing:
                raise Invalid(
                    f"ConfigMap {source.name} has no key {missing[0]!r}",
                    reason="KeyNotFound",
                    field=f"{at}.items",
                )
            files = {item.path: held[item.key] for item in source.items}
        if not files:
            raise Invalid(f"ConfigMap {source.name} is empty", reason="SourceEmpty", field=at)
        try:
            digest, path = self._store.put_files(files)
        except Invalid as error:
            raise _placed(error, at) from None
        revision = f"{source.name}@{digest.removeprefix('sha256:')[:12]}"
        return Provided(Artifact(revision=revision, digest=digest, path=path))

    def remote(
        self,
        source: Source,
        access: Access,
        *,
        user: ObjectKey,
        interval: float,
        force: bool,
        at: str,
    ) -> Provided:
        """A source on the network, as last fetched; `at` is its field in the spec.

        Raises what the fetch raised while none has succeeded, and Waiting while the first is under way.
        """
        name = _identity(source, access)
        before, self._named[user, at] = self._named.get((user, at)), name
        if before is not None and before != name:
            self._leave(user, before)
        remote = self._remotes.setdefault(name, _Remote())
        remote.users.add(user)
        if remote.artifact is not None and self._store.find(remote.artifact.digest) is None:
            remote.artifact, remote.began = None, float("-inf")
        due = remote.began + _pause(remote.failure, interval)
        if remote.task is None and (force or self._monotonic() >= due):
            remote.began = self._monotonic()
            remote.task = asyncio.create_task(self._refresh(remote, source, access, user.namespace))
        remote.forced |= force and remote.task is not None
        failure = None if remote.failure is None else _placed(remote.failure, at)
        if remote.artifact is not None:
            return Provided(remote.artifact, failure)
        if failure is not None:
            raise failure
        raise Waiting("fetching the source", reason=FETCHING)

    async def _refresh(self, remote: _Remote, source: Source, access: Access, namespace: str) -> None:
        before, failure = remote.artifact, None
        share = self._shares.setdefault(namespace, asyncio.Semaphore(MOST_OF_A_NAMESPACE))
        try:
            async with share, self._slots:
                remote.artifact = await self._fetch(source, access, before)
        except ReconcileError as error:
            failure = error
        except OSError as error:
            # A full or broken disk is the operator's own trouble, and passes.
            failure = Transient(f"the source cannot be kept: {error.strerror}")
        except Exception as error:  # noqa: BLE001 (its users wait for an end, whatever it is)
            _log.exception("a fetch hit a bug in pierhead", **described(error))
            failure = Transient(
                f"fetching failed with {type(error).__name__}; this is a bug in pierhead, its log says where",
                reason="InternalError",
            )
        changed = remote.artifact != before or str(failure) != str(remote.failure)
        told, remote.forced = changed or remote.forced, False
        remote.failure = failure
        remote.task = None
        if told:
            for user in remote.users:
                self._wake(user)

    def _fetch(self, source: Source, access: Access, known: Artifact | None) -> Awaitable[Artifact]:
        for name, fetcher in self._fetchers.items():
            part = getattr(source, name)
            if part is not None:
                return fetcher.fetch(part, access, known)
        raise AssertionError("only sources on the network are fetched")


def _pause(failure: ReconcileError | None, interval: float) -> float:
    """Seconds between the beginnings of two fetches."""
    if failure is None:
        return interval * _EARLY
    if isinstance(failure, Throttled):
        return max(RETRY_SECONDS, failure.after)
    return max(RETRY_SECONDS, interval * _EARLY) if failure.terminal else RETRY_SECONDS


def _placed(error: ReconcileError, at: str) -> ReconcileError:
    """A copy of the error, its field given as the user wrote it: a source may be named in several places."""
    # Not copy.copy, which makes an exception anew from its message alone.
    placed = type(error).__new__(type(error), *error.args)
    placed.__dict__.update(error.__dict__)
    placed.field = at if error.field is None else f"{at}.{error.field}"
    return placed


def _identity(source: Source, access: Access) -> str:
    return hashlib.sha256(f"{source.model_dump_json()}\0{access.fingerprint}".encode()).hexdigest()
