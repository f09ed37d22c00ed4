"""Where an AppRelease's files come from.

Invariant: a source names everything its content depends on, so two equal sources are one fetch.
"""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from pierhead.apps.model.scalars import ObjectDataKey, RelativePath, SecretName
from pierhead.model import DNSSubdomain, Model, Rule, at_least_one, at_most_one, exactly_one

MANIFEST_LIMIT = 524_288
"""Characters of one inline file: half of what etcd takes for the whole object."""

_REFERENCE = r"^[0-9A-Za-z_/.@#+=%][0-9A-Za-z_/.@#+=%-]*$"
"""A branch or tag: no option of git, and none of the characters git gives a meaning."""

VersionRangeText = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[-0-9A-Za-z.*+<>=!~^|, ]+$")
]
GitURL = Annotated[
    str,
    StringConstraints(
        min_length=9,
        max_length=1024,
        pattern=r"^(https|file)://[!-~]+$|^ssh://([0-9A-Za-z_][0-9A-Za-z._-]*@)?[0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?/[!-~]+$",
    ),
]
OCIURL = Annotated[
    str,
    StringConstraints(
        max_length=512, pattern=r"^oci://[0-9A-Za-z][0-9A-Za-z.-]*(:[0-9]+)?(/[0-9a-z]+([._-]+[0-9a-z]+)*)+$"
    ),
]
HTTPURL = Annotated[str, StringConstraints(min_length=9, max_length=1024, pattern=r"^https?://[!-~]+$")]


class InlineSource(Model):
    """Files written into the AppRelease itself."""

    files: dict[RelativePath, Annotated[str, StringConstraints(max_length=MANIFEST_LIMIT)]] = Field(
        min_length=1, max_length=64
    )
    """File contents by relative path: manifests, a chart, or an overlay."""


class ConfigMapItem(Model):
    """Where one key of a ConfigMap becomes a file."""

    key: ObjectDataKey
    """Key in `data` or `binaryData`."""

    path: RelativePath
    """Relative path of the file."""


class ConfigMapSource(Model):
    """Files kept in a ConfigMap of the same namespace."""

    name: DNSSubdomain
    """The ConfigMap's name."""

    items: list[ConfigMapItem] | None = Field(default=None, max_length=128)
    """Which keys become which files. Defaults to every key as a file of its own name."""


class GitReference(Model):
    """What to check out: at most one of its fields. Defaults to the remote's HEAD."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_most_one("branch", "tag", "semver", "commit"),)

    branch: Annotated[str, StringConstraints(max_length=255, pattern=_REFERENCE)] | None = None
    """Branch whose newest commit is followed."""

    tag: Annotated[str, StringConstraints(max_length=255, pattern=_REFERENCE)] | None = None
    """Tag."""

    semver: VersionRangeText | None = None
    """Range whose newest tag is followed, such as `>=1.2 <2`; tags may begin with `v`."""

    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$", max_length=40)] | None = None
    """Full commit id: the only reference that nobody can move."""


class GitSource(Model):
    """A Git repository over https or ssh."""

    url: GitURL
    """Where it is cloned from: `https://…` or `ssh://git@host/…`. `file://` works only where the operator's
    settings allow it."""

    ref: GitReference | None = None
    """What to check out. Defaults to the remote's HEAD."""

    secret: SecretName | None = None
    """Secret. For https: `username` and `password`, sent as HTTP basic authentication; `tls.crt` and
    `tls.key`, a client certificate; and `ca.crt`, a certificate authority to trust beside the public ones.
    For ssh: `identity`, a private key, and `known_hosts`."""

    submodules: bool = False
    """Whether submodules are checked out too, with the same credentials where they are on the same host.
    Defaults to false: their folders are empty."""


class HelmRepositorySource(Model):
    """A chart in a classic Helm repository: exactly one of `version` and `semver` says which."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("version", "semver"),)

    url: HTTPURL
    """The repository, without `/index.yaml`."""

    chart: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9._-]+$")]
    """The chart's name."""

    version: (
        Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z.+-]+$")] | None
    ) = None
    """The chart's exact version."""

    semver: VersionRangeText | None = None
    """Range whose newest version is followed, such as `>=1.2 <2`; it means what it means to Helm."""

    secret: SecretName | None = None
    """Secret with `username` and `password`, sent as HTTP basic authentication to the repository's own host;
    `tls.crt` and `tls.key`, a client certificate; and `ca.crt`, a certificate authority to trust beside the
    public ones; all of them optional."""


class PublicKeyItem(Model):
    """One key of a Secret or ConfigMap that holds a public key."""

    name: DNSSubdomain
    """The object's name."""

    key: ObjectDataKey = "cosign.pub"
    """Key in its data. Defaults to `cosign.pub`."""


class PublicKey(Model):
    """A public key in PEM: exactly one of `configMap` and `secret`."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("configMap", "secret"),)

    config_map: PublicKeyItem | None = None
    """A ConfigMap's key that holds it."""

    secret: PublicKeyItem | None = None
    """A Secret's key that holds it."""


class Verification(Model):
    """Who has to have signed an artifact."""

    cosign_keys: list[PublicKey] = Field(min_length=1, max_length=10)
    """Public keys, one of which has signed the artifact's digest with cosign (`cosign sign --key`)."""


class OCISource(Model):
    """A Helm chart, or files packed as tar+gzip, in an OCI registry."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        at_least_one("tag", "digest", "semver"),
        at_most_one("tag", "semver"),
        at_most_one("digest", "semver"),
    )

    url: OCIURL
    """Repository, such as `oci://111122223333.dkr.ecr.eu-west-1.amazonaws.com/charts/shop`. One of ECR is
    read as the identity of `spec.aws`, unless `secret` holds a password."""

    tag: (
        Annotated[str, StringConstraints(max_length=128, pattern=r"^[0-9A-Za-z_][0-9A-Za-z._-]*$")] | None
    ) = None
    """Tag that is followed. With `digest` it has to be that digest, and is an error once it has moved."""

    digest: Annotated[str, StringConstraints(max_length=71, pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    """Digest of the manifest: the only reference that nobody can move."""

    semver: VersionRangeText | None = None
    """Range whose newest tag is followed, such as `>=1.2 <2`; it means what it means to Helm."""

    secret: SecretName | None = None
    """Secret of type kubernetes.io/dockerconfigjson, or with `username` and `password`; `tls.crt` and
    `tls.key`, a client certificate; and `ca.crt`, a certificate authority to trust beside the public ones."""

    insecure: bool = False
    """Whether the registry is asked over plain http. Defaults to false."""

    verify: Verification | None = None
    """Who has to have signed it. Defaults to nobody."""


class AzureBucket(Model):
    """A storage account of Azure."""

    account: Annotated[str, StringConstraints(min_length=3, max_length=24, pattern=r"^[a-z0-9]+$")]
    """The storage account's name."""

    endpoint: HTTPURL | None = None
    """Where its blobs are. Defaults to `https://<account>.blob.core.windows.net`."""

    secret: SecretName | None = None
    """Secret with `accountKey`, or `sasKey`, or `tenantId`, `clientId` and `clientSecret`. Defaults to
    nothing: the container is public."""


class BucketSource(Model):
    """Files in a bucket of S3, read as the identity of `spec.aws`, or in a container of Azure Blob."""

    name: Annotated[str, StringConstraints(min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    """The bucket's or container's name."""

    prefix: (
        Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^/\\][^\\]*$")] | None
    ) = None
    """Folder whose files are taken. Defaults to all of the bucket."""

    azure: AzureBucket | None = None
    """Says that it is a container of Azure Blob Storage, and of which account."""


class Source(Model):
    """Where files come from: exactly one of its fields."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("inline", "configMap", "git", "helmRepository", "oci", "bucket"),
    )

    inline: InlineSource | None = None
    """Files written into the AppRelease itself."""

    config_map: ConfigMapSource | None = None
    """Files kept in a ConfigMap."""

    git: GitSource | None = None
    """Files in a Git repository."""

    helm_repository: HelmRepositorySource | None = None
    """A packaged chart in a Helm repository."""

    oci: OCISource | None = None
    """A chart or files in an OCI registry."""

    bucket: BucketSource | None = None
    """Files in an object store."""
