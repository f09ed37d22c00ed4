"""Images whose tags follow a repository.

Invariant: a pattern that is stored is matched in time that is linear in the tag's length, whoever wrote it.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pierhead.apps.model.scalars import SecretName
from pierhead.apps.model.sources import OCIURL
from pierhead.model import Duration, Model, Rule, exactly_one
from pierhead.model.patterns import compiled
from pierhead.versions import VersionRange

Severity = Literal["NONE", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"]


def _pattern(text: str) -> str:
    compiled(text)
    return text


def _range(text: str) -> str:
    VersionRange(text)
    return text


RepositoryName = Annotated[
    str,
    StringConstraints(
        min_length=2,
        max_length=512,
        pattern=(
            r"^([a-z0-9][a-z0-9._/-]*|arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+"
            r"|[0-9]{12}\.dkr[.-]ecr(-fips)?\.[a-z0-9.-]+/[a-z0-9._/-]+)$"
        ),
    ),
]


class TagPattern(Model):
    """Tags that match a regular expression."""

    pattern: Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_pattern)]
    """RE2 expression that is looked for in each tag (`^` and `$` tie it to the ends). Tags are ordered by its
    first group, or whole where it has none."""

    order: Literal["Alphabetical", "Numerical"] = "Alphabetical"
    """How matching tags are ordered; the last one wins. Defaults to Alphabetical."""


class ImageRegistry(Model):
    """A repository of any OCI registry."""

    url: OCIURL
    """Repository, such as `oci://ghcr.io/acme/web`. One of ECR is asked as the identity of `spec.aws`."""

    secret: SecretName | None = None
    """Secret of type kubernetes.io/dockerconfigjson, or with `username` and `password`; and `ca.crt`, a
    certificate authority to trust beside the public ones."""

    insecure: bool = False
    """Whether the registry is asked over plain http. Defaults to false."""


class ImageUpdate(Model):
    """One image, and which of its repository's tags it is to have: `semver` or `regexp`."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("semver", "regexp"),
        exactly_one("repository", "oci"),
        Rule(
            "!has(self.maxSeverity) || has(self.repository)",
            "maxSeverity needs repository: only ECR has scans",
            lambda image: image.max_severity is None or image.repository is not None,
        ),
    )

    name: Annotated[
        str,
        StringConstraints(
            min_length=1, max_length=255, pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]*((:[0-9]+)?(/[a-z0-9._-]+)+)?$"
        ),
    ]
    """The image as it is rendered, without tag and digest; containers that have it get the chosen one."""

    repository: RepositoryName | None = None
    """The ECR repository whose tags are followed: its name, ARN or URI."""

    oci: ImageRegistry | None = None
    """A repository of another registry whose tags are followed."""

    semver: Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_range)] | None = (
        None
    )
    """The highest version in this range is chosen, such as `>=1.2 <2`."""

    regexp: TagPattern | None = None
    """The last of the tags that match is chosen."""

    max_severity: Severity | None = None
    """Worst finding of ECR's scan that a new tag may have; with worse, or without a finished scan, it is
    held. Defaults to no look at scans."""

    interval: Duration | None = None
    """Time between looks at the repository; pushes are noticed at once where the operator has ECR's events.
    Defaults to `spec.interval`."""


class HeldTag(Model):
    """A tag that would have been chosen."""

    tag: Annotated[str, StringConstraints(max_length=128)]
    """The tag."""

    reason: Annotated[str, StringConstraints(max_length=128)]
    """Why it is held back."""


class ImageStatus(Model):
    """What was chosen for an image, and why."""

    name: Annotated[str, StringConstraints(max_length=255)]
    """The image, as `spec.images` names it."""

    tag: Annotated[str, StringConstraints(max_length=128)]
    """The chosen tag."""

    digest: Annotated[str, StringConstraints(max_length=128)]
    """What the tag stood for; containers are pinned to it."""

    since: Annotated[str, StringConstraints(max_length=64), Field(json_schema_extra={"format": "date-time"})]
    """When it was chosen."""

    reason: Annotated[str, StringConstraints(max_length=384)]
    """Why it was chosen."""

    policy: Annotated[str, StringConstraints(max_length=64)]
    """Digest of the entry of `spec.images` that chose it."""

    held: list[HeldTag] | None = Field(default=None, max_length=3)
    """Tags that would have come first, and are held back; the first three."""
