"""One fetch for everybody who names the same source with the same credentials.

Invariant: a reconcile never waits for a fetch. A source that was never fetched raises `Waiting` and its
users are woken when it arrives; one that is due is refreshed behind the stale artifact, which stays in
use, with the failure beside it, until a newer one is there.
"""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pierhead.apps.model import ConfigMapSource, Source
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.apps.sources.git import Credentials, GitFetcher
from pierhead.apps.sources.helm_repository import HelmRepositoryFetcher
from pierhead.engine.outcome import Invalid, ReconcileError, Transient, Waiting
from pierhead.engine.resource import ObjectKey

RETRY_SECONDS = 15.0

FETCHING = "Fetching"
"""Reason of the wait for the first fetch of a source."""
"""Least time between two tries of a fetch that failed."""


@dataclass(frozen=True, slots=True)
class Provided:
    """An artifact, and what went wrong when it was last refreshed."""

    artifact: Artifact
    failure: ReconcileError | None = None


@dataclass(slots=True)
class _Remote:
    """A source that is fetched over the network."""

    artifact: Artifact | None = None
    failure: ReconcileError | None = None
    due: float = 0.0
    task: asyncio.Task[None] | None = None
    users: set[ObjectKey] = field(default_factory=set)


class Sources:
    """Turns a `Source` into an artifact."""

    def __init__(
        self,
        *,
        store: ArtifactStore,
        git: GitFetcher,
        helm_repository: HelmRepositoryFetcher,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._git = git
        self._helm_repository = helm_repository
        self._monotonic = monotonic
        self._remotes: dict[str, _Remote] = {}
        self._wake: Callable[[ObjectKey], None] = lambda _key: None

    def start(self, wake: Callable[[ObjectKey], None]) -> None:
        """Says how users are woken when what they wait for is there."""
        self._store.clear()
        self._wake = wake

    async def stop(self) -> None:
        """Ends the fetches under way."""
        tasks = [remote.task for remote in self._remotes.values() if remote.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def forget(self, user: ObjectKey) -> None:
        """Drops what only this user fetched."""
        for name in [name for name, remote in self._remotes.items() if user in remote.users]:
            self._remotes[name].users.discard(user)
            if not self._remotes[name].users:
                del self._remotes[name]

    def files(self, files: Mapping[str, str]) -> Provided:
        """Files written into the spec."""
        digest, path = self._store.put_files({name: text.encode() for name, text in files.items()})
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
        digest, path = self._store.put_files(files)
        revision = f"{source.name}@{digest.removeprefix('sha256:')[:12]}"
        return Provided(Artifact(revision=revision, digest=digest, path=path))

    def remote(
        self,
        source: Source,
        credentials: Credentials | None,
        *,
        user: ObjectKey,
        interval: float,
        force: bool,
    ) -> Provided:
        """A source on the network, as last fetched.

        Raises Waiting while the first fetch is under way, or what the fetch raised when it failed.
        """
        name = _identity(source, credentials)
        remote = self._remotes.setdefault(name, _Remote())
        remote.users.add(user)
        now = self._monotonic()
        gone = remote.artifact is not None and not remote.artifact.path.exists()
        if remote.task is None and (now >= remote.due or gone or force):
            remote.task = asyncio.create_task(self._refresh(remote, source, credentials, interval))
        if remote.artifact is not None and not gone:
            self._store.find(remote.artifact.digest)
            return Provided(remote.artifact, remote.failure)
        if remote.failure is not None and remote.task is None:
            raise remote.failure.with_traceback(None)
        raise Waiting("fetching the source", reason=FETCHING)

    async def _refresh(
        self, remote: _Remote, source: Source, credentials: Credentials | None, interval: float
    ) -> None:
        before = remote.artifact
        try:
            remote.artifact = await self._fetch(source, credentials, before)
            failure, wait = None, interval
        except ReconcileError as error:
            failure, wait = error, RETRY_SECONDS if not error.terminal else max(RETRY_SECONDS, interval)
        except OSError as error:
            # A full or broken disk is the operator's own trouble, and passes.
            failure, wait = Transient(f"the source cannot be kept: {error.strerror}"), RETRY_SECONDS
        changed = remote.artifact != before or str(failure) != str(remote.failure)
        remote.failure = failure
        remote.due = self._monotonic() + wait
        remote.task = None
        if changed:
            for user in remote.users:
                self._wake(user)

    def _fetch(
        self, source: Source, credentials: Credentials | None, known: Artifact | None
    ) -> Awaitable[Artifact]:
        if source.git is not None:
            return self._git.fetch(source.git.url, source.git.ref, credentials)
        if source.helm_repository is not None:
            return self._helm_repository.fetch(source.helm_repository, known)
        raise AssertionError("only sources on the network are fetched")


def _identity(source: Source, credentials: Credentials | None) -> str:
    held = f"{credentials.username}\0{credentials.password}" if credentials is not None else ""
    return hashlib.sha256(f"{source.model_dump_json()}\0{held}".encode()).hexdigest()
