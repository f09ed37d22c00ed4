"""Where tags are looked for: ECR's own API, or any registry's.

Invariant: a tag's digest is None where the registry tells it only for the asking, so that nothing is asked
for that no choice rests on.
"""

from typing import Protocol

from pierhead.apps.images.choice import Scan
from pierhead.aws.images import Repository, read_scan, read_tags
from pierhead.aws.session import AwsClient
from pierhead.stores.registry import Repository as OCIRepository


class Registry(Protocol):
    """One repository, as one identity."""

    async def tags(self) -> dict[str, str | None]:
        """All tags, with their digests where these come with them."""
        ...

    async def digest(self, tag: str) -> str:
        """What a tag stands for now."""
        ...

    async def scan(self, digest: str) -> Scan:
        """What the scan of an image found so far."""
        ...


class EcrImages:
    """A repository by ECR's API, which tells digests with the tags."""

    def __init__(self, client: AwsClient, repository: Repository) -> None:
        self._client = client
        self._repository = repository

    async def tags(self) -> dict[str, str | None]:
        """See Registry."""
        return {**await read_tags(self._client, self._repository)}

    async def digest(self, tag: str) -> str:
        """See Registry."""
        return (await read_tags(self._client, self._repository))[tag]

    async def scan(self, digest: str) -> Scan:
        """See Registry."""
        report = await read_scan(self._client, self._repository, digest)
        return Scan(report.finished, report.status, report.counts)


class OCIImages:
    """A repository by the OCI Distribution API, which knows of no scans."""

    def __init__(self, repository: OCIRepository) -> None:
        self._repository = repository

    async def tags(self) -> dict[str, str | None]:
        """See Registry."""
        return dict.fromkeys(await self._repository.tags())

    async def digest(self, tag: str) -> str:
        """See Registry."""
        return await self._repository.digest(tag)

    async def scan(self, digest: str) -> Scan:  # noqa: ARG002 (no registry's API has one)
        """See Registry."""
        return Scan(finished=False, status="NONE", counts={})
