"""Files in object stores.

Invariant: the files are those of one listing; a folder whose listing is as it was is not read again, and
costs one request for each thousand of its objects.
"""

import asyncio
import hashlib
from typing import TYPE_CHECKING

from pierhead.apps.model.sources import BucketSource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.engine.outcome import Invalid, Transient
from pierhead.stores.networks import Networks

if TYPE_CHECKING:
    from pierhead.stores.buckets import Blob, Bucket

MOST_FILES = 2000
MOST_BYTES = 32 * 1024 * 1024
_AT_ONCE = 8


class BucketFetcher:
    """Fetches folders of buckets."""

    def __init__(self, store: ArtifactStore, networks: Networks) -> None:
        self._store = store
        self._networks = networks

    async def fetch(self, source: BucketSource, access: Access, known: Artifact | None) -> Artifact:
        """The files under the prefix.

        Raises Invalid for an empty folder or one that is too large, and what the store raises.
        """
        bucket = await self._bucket(source, access)
        prefix = (source.prefix or "").strip("/")
        listed = await bucket.list(prefix, most=MOST_FILES)
        # What ends so is the folder that a console shows, and no file.
        blobs = sorted((blob for blob in listed if not blob.path.endswith("/")), key=lambda blob: blob.path)
        _check(source, blobs)
        tag = hashlib.sha256(repr([(blob.path, blob.entity_tag) for blob in blobs]).encode()).hexdigest()
        if known is not None and known.entity_tag == tag and self._store.find(known.digest) is not None:
            return known
        slots = asyncio.Semaphore(_AT_ONCE)

        async def read(blob: "Blob") -> bytes:
            async with slots:
                content = await bucket.get(blob.path, limit=max(blob.size, 1))
            if len(content) != blob.size:
                raise Transient(f"{blob.path} changed while it was read", reason="SourceUnreachable")
            return content

        contents = await asyncio.gather(*(read(blob) for blob in blobs))
        files = {
            blob.path.removeprefix(f"{prefix}/") if prefix else blob.path: content
            for blob, content in zip(blobs, contents, strict=True)
        }
        digest, path = await asyncio.to_thread(self._store.put_files, files)
        revision = f"{source.name}@{digest.removeprefix('sha256:')[:12]}"
        return Artifact(revision, digest, path, entity_tag=tag)

    async def _bucket(self, source: BucketSource, access: Access) -> "Bucket":
        from pierhead.stores.buckets import azure, s3  # noqa: PLC0415 (megabytes that few need)

        if source.azure is not None:
            return await azure(
                source.name,
                account=source.azure.account,
                endpoint=source.azure.endpoint,
                secret=access.secret,
                networks=self._networks,
            )
        scope = access.aws
        if scope is None:
            raise AssertionError("a bucket of S3 is read as an identity")
        return s3(
            source.name,
            region=scope.region,
            endpoint=await scope.sessions.endpoint("s3", scope.region),
            keys=lambda: scope.sessions.keys(scope.identity),
        )


def _check(source: BucketSource, blobs: "list[Blob]") -> None:
    total = sum(blob.size for blob in blobs)
    if len(blobs) > MOST_FILES or total > MOST_BYTES:
        raise Invalid(
            f"{len(blobs)} objects of {total} bytes are listed, and {MOST_FILES} of {MOST_BYTES} are taken",
            reason="SourceTooLarge",
            field="prefix",
        )
    if not blobs:
        where = f"under {source.prefix!r}" if source.prefix else "in it"
        raise Invalid(f"the bucket {source.name} has no object {where}", reason="SourceEmpty", field="prefix")
