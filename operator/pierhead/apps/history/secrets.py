"""The revisions of one release, kept as Secrets in Helm's format.

Invariant: creating the pending revision is the lock; whoever loses the race gets `Conflict` and looks
again. Every other write tests the resourceVersion it was decided on.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from pierhead.apps.history.release import Bookkeeping, Release, Status, decode, encode
from pierhead.apps.hooks.progress import RevisionHooks
from pierhead.apps.situation import Revision
from pierhead.engine.outcome import Conflict
from pierhead.engine.resource import Object
from pierhead.kube.client import Client
from pierhead.kube.errors import AlreadyExists
from pierhead.kube.resources import SECRETS

_BIG_MANIFEST = 256 * 1024
"""Characters from which compressing would hold up the event loop."""

_BIG_SECRET = 64 * 1024
"""Characters from which the opposite would."""


_SMALL_SECRET = 8 * 1024
"""Characters up to which it is kept in memory: the four objects of a common application take two thousand."""


@dataclass(frozen=True, slots=True)
class StoredRevision:
    """What is remembered of a revision without its manifest."""

    revision: Revision
    bookkeeping: Bookkeeping | None
    first_deployed: datetime
    secret_name: str
    resource_version: str

    @classmethod
    def of(cls, release: Release) -> "StoredRevision":
        """What is remembered of this revision."""
        kept = release.bookkeeping
        return cls(
            revision=_known(release),
            bookkeeping=kept,
            first_deployed=release.first_deployed,
            secret_name=release.secret_name,
            resource_version=release.resource_version,
        )


class LastDeployed:
    """The Secret of the revision that was marked deployed last, as it was written, while it is small.

    The next upgrade marks it superseded, and a correction applies it, without reading it first.
    """

    def __init__(self) -> None:
        self._secret: Object | None = None

    def take(self, secret: Object, written: Object) -> None:
        """Keeps what was sent, at the version that the answer tells."""
        metadata = secret["metadata"] | {"resourceVersion": written["metadata"]["resourceVersion"]}
        deployed = metadata["labels"]["status"] == Status.DEPLOYED.value
        if deployed and len(secret["data"]["release"]) <= _SMALL_SECRET:
            self._secret = {"metadata": metadata, "data": secret["data"]}
        elif self._secret is not None and self._secret["metadata"]["name"] == metadata["name"]:
            self._secret = None

    def secret(self, stored: StoredRevision) -> Object | None:
        """The Secret of this revision, at this version and no other."""
        if self._secret is None:
            return None
        metadata = self._secret["metadata"]
        same = (metadata["name"], metadata["resourceVersion"]) == (
            stored.secret_name,
            stored.resource_version,
        )
        return self._secret if same else None


class History:
    """Reads and writes the revisions of one release, as the release's own account."""

    def __init__(
        self,
        client: Client,
        kept: LastDeployed,
        *,
        namespace: str,
        name: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._kept = kept
        self._namespace = namespace
        self._name = name
        self._clock = clock

    async def load(self) -> list[Release]:
        """All revisions, oldest first. Raises Invalid for a damaged one."""
        selector = f"owner=helm,name={self._name}"
        releases = []
        async for page in self._client.pages(SECRETS, self._namespace, label_selector=selector):
            releases += [await _decoded(secret) for secret in page.items]
        return sorted(releases, key=lambda release: release.revision)

    async def read(self, stored: StoredRevision) -> Release:
        """One revision with its manifest."""
        secret = self._kept.secret(stored)
        if secret is None:
            secret = await self._client.get(SECRETS, stored.secret_name, self._namespace)
        return await _decoded(secret)

    async def create(self, release: Release) -> Release:
        """Writes a new revision. Raises Conflict when somebody else took its number."""
        try:
            secret = await self._client.create(SECRETS, await self._encode(release))
        except AlreadyExists:
            raise Conflict(
                f"revision {release.revision} of {release.name} was taken by somebody else"
            ) from None
        return replace(release, resource_version=secret["metadata"]["resourceVersion"])

    async def update(self, release: Release) -> Release:
        """Writes a revision again. Raises Conflict when it changed meanwhile."""
        secret = await self._encode(release)
        written = await self._client.replace(SECRETS, secret)
        self._kept.take(secret, written)
        return replace(release, resource_version=written["metadata"]["resourceVersion"])

    async def mark(self, stored: StoredRevision, status: Status, description: str) -> StoredRevision:
        """Gives a stored revision another status."""
        release = await self.read(stored)
        return StoredRevision.of(await self.update(release.now(status, description, release.last_deployed)))

    async def delete(self, entries: Iterable[StoredRevision]) -> None:
        """Removes revisions."""
        for entry in entries:
            await self._client.delete(SECRETS, entry.secret_name, self._namespace)

    async def _encode(self, release: Release) -> dict[str, object]:
        at = self._clock()
        if len(release.manifest) < _BIG_MANIFEST:
            return encode(release, at=at)
        return await asyncio.to_thread(encode, release, at=at)


def _known(release: Release) -> Revision:
    kept = release.bookkeeping
    bare = Revision(
        revision=release.revision,
        status=release.status,
        last_deployed=release.last_deployed,
        description=release.description,
        hooks=RevisionHooks.of(release.hooks, kept.hooks if kept else None),
    )
    if kept is None:
        return bare
    return replace(
        bare,
        input_digest=kept.input_digest,
        rolls_back=kept.rolls_back,
        rejected=kept.rejected,
        reconcile_at=kept.reconcile_at,
        failed_at=kept.failed_at,
        removed=kept.removed,
        baking_since=kept.baking_since,
        order=kept.order,
        instead_of=kept.instead_of,
        left=kept.left,
    )


async def _decoded(secret: Object) -> Release:
    if len((secret.get("data") or {}).get("release") or "") < _BIG_SECRET:
        return decode(secret)
    return await asyncio.to_thread(decode, secret)
