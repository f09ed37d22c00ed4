"""ECR's repositories: which tag stands for which image, and what its scans found.

Invariant: a look at a repository is one call for a thousand images, and bounded; a tag is never told with
another digest than the one ECR gave with it in the same answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pierhead.aws.errors import BadRequest, NotFound
from pierhead.aws.registry import EcrRegistry
from pierhead.aws.session import AwsClient

IMAGES_LIMIT = 10_000
"""Tagged images of a repository that are looked at."""

_PAGE = 1000
_FINISHED = frozenset({"COMPLETE", "ACTIVE"})
_ARN = re.compile(r"arn:aws[a-z-]*:ecr:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):repository/(?P<name>.+)")


class RepositoryNotFound(NotFound):
    """There is no such repository."""

    default_reason = "RepositoryNotFound"


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as it was named; what was not said of it is None."""

    name: str
    account: str | None = None
    region: str | None = None
    arn: str | None = None

    @classmethod
    def parse(cls, text: str) -> "Repository":
        """The repository of a name, ARN or URI."""
        found = _ARN.fullmatch(text)
        if found is not None:
            return cls(found["name"], found["account"], found["region"], text)
        host, _, name = text.partition("/")
        registry = EcrRegistry.of(host)
        if registry is None:
            return cls(text)
        return cls(name, registry.account, registry.region, registry.arn(name))


@dataclass(frozen=True, slots=True)
class ScanReport:
    """What ECR says of an image's scan."""

    status: str
    """ECR's own word, or NONE where it was never scanned."""

    counts: Mapping[str, int]
    """Findings by severity."""

    @property
    def finished(self) -> bool:
        """Whether the counts are the whole truth for now."""
        return self.status in _FINISHED


async def read_tags(client: AwsClient, repository: Repository) -> dict[str, str]:
    """The digest of every tag.

    Raises RepositoryNotFound; BadRequest for a repository that is too large; what else AWS answers.
    """
    tags: dict[str, str] = {}
    seen, token = 0, None
    while True:
        page: dict[str, str] = {"nextToken": token} if token else {}
        try:
            answer = await client.call(
                "describe_images",
                repositoryName=repository.name,
                filter={"tagStatus": "TAGGED"},
                maxResults=_PAGE,
                **_registry(repository),
                **page,
            )
        except NotFound as error:
            raise RepositoryNotFound(error.message) from None
        for detail in answer.get("imageDetails") or ():
            for tag in detail.get("imageTags") or ():
                tags[tag] = detail["imageDigest"]
            seen += 1
        token = answer.get("nextToken")
        if not token:
            return tags
        if seen >= IMAGES_LIMIT:
            raise BadRequest(
                f"repository {repository.name} has more than {IMAGES_LIMIT} tagged images: "
                "let a lifecycle policy expire old ones",
                reason="TooManyImages",
            )


async def read_scan(client: AwsClient, repository: Repository, digest: str) -> ScanReport:
    """What the scan of an image found so far."""
    try:
        answer = await client.call(
            "describe_image_scan_findings",
            repositoryName=repository.name,
            imageId={"imageDigest": digest},
            maxResults=1,
            **_registry(repository),
        )
    except NotFound:
        return ScanReport("NONE", {})
    status = str((answer.get("imageScanStatus") or {}).get("status") or "NONE")
    counts = (answer.get("imageScanFindings") or {}).get("findingSeverityCounts") or {}
    return ScanReport(status, {str(name): int(count) for name, count in counts.items()})


def _registry(repository: Repository) -> dict[str, str]:
    return {"registryId": repository.account} if repository.account else {}
