"""The AppRelease resource: what its authors write and what they read back.

Invariant: `spec` says where objects come from, how they are rendered and how far pierhead may go;
everything it names lives in the AppRelease's own namespace.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.model import (
    AGE,
    MESSAGE,
    READY,
    REASON,
    Column,
    CustomResource,
    DNSSubdomain,
    Duration,
    FreeForm,
    Model,
    Rule,
    Status,
    at_most_one,
    exactly_one,
)

MANIFEST_LIMIT = 524_288
"""Characters of one inline file: half of what etcd takes for the whole object."""

_REFERENCE = r"^[0-9A-Za-z_/.@#+=%][0-9A-Za-z_/.@#+=%-]*$"
"""A branch or tag: no option of git, and none of the characters git gives a meaning."""

RelativePath = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=r"^[^/\\][^\\]*$")]
"""A path inside a source: relative, with `/` between its parts."""

GitURL = Annotated[str, StringConstraints(min_length=9, max_length=1024, pattern=r"^(https|file)://[!-~]+$")]
HTTPURL = Annotated[str, StringConstraints(min_length=9, max_length=1024, pattern=r"^https?://[!-~]+$")]
ObjectDataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]


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

    __rules__: ClassVar[tuple[Rule, ...]] = (at_most_one("branch", "tag", "commit"),)

    branch: Annotated[str, StringConstraints(max_length=255, pattern=_REFERENCE)] | None = None
    """Branch whose newest commit is followed."""

    tag: Annotated[str, StringConstraints(max_length=255, pattern=_REFERENCE)] | None = None
    """Tag."""

    commit: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$", max_length=40)] | None = None
    """Full commit id: the only reference that nobody can move."""


class SecretName(Model):
    """A Secret of the same namespace."""

    name: DNSSubdomain
    """The Secret's name."""


class GitSource(Model):
    """A Git repository over https."""

    url: GitURL
    """Where it is cloned from. `file://` works only where the operator's settings allow it."""

    ref: GitReference | None = None
    """What to check out. Defaults to the remote's HEAD."""

    secret: SecretName | None = None
    """Secret with `username` and `password`, sent as HTTP basic authentication."""


class HelmRepositorySource(Model):
    """A chart in a classic Helm repository."""

    url: HTTPURL
    """The repository, without `/index.yaml`."""

    chart: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[a-zA-Z0-9._-]+$")]
    """The chart's name."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z.+-]+$")]
    """The chart's exact version."""


class Source(Model):
    """Where files come from: exactly one of its fields."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("inline", "configMap", "git", "helmRepository"),)

    inline: InlineSource | None = None
    """Files written into the AppRelease itself."""

    config_map: ConfigMapSource | None = None
    """Files kept in a ConfigMap."""

    git: GitSource | None = None
    """Files in a Git repository."""

    helm_repository: HelmRepositorySource | None = None
    """A packaged chart in a Helm repository."""


class DataKey(Model):
    """One key of a ConfigMap or Secret."""

    name: DNSSubdomain
    """The object's name."""

    key: ObjectDataKey = "values.yaml"
    """Key in its data. Defaults to `values.yaml`."""


class ValuesReference(Model):
    """Values kept elsewhere: exactly one of `configMap` and `secret`."""

    __rules__: ClassVar[tuple[Rule, ...]] = (exactly_one("configMap", "secret"),)

    config_map: DataKey | None = None
    """A ConfigMap's key that holds a YAML mapping."""

    secret: DataKey | None = None
    """A Secret's key that holds a YAML mapping."""

    optional: bool = False
    """Whether a missing object or key is skipped instead of an error. Defaults to false."""


class Helm(Model):
    """How the source is rendered as a chart."""

    path: RelativePath | None = None
    """Where in the source the chart is. Defaults to the source's root; a packaged chart needs none."""

    values: FreeForm | None = None
    """Values; they win over every entry of `valuesFrom`."""

    values_from: list[ValuesReference] | None = Field(default=None, max_length=32)
    """Values kept elsewhere, each merged over the ones before it."""

    values_files: list[RelativePath] | None = Field(default=None, max_length=32)
    """Values files of the source, each merged over the ones before it; `valuesFrom` wins over them."""

    disable_hooks: bool = False
    """Whether a chart's hooks are left out. A chart with hooks is refused otherwise. Defaults to false."""


class Kustomize(Model):
    """The overlay: from a path, or inline; after Helm where both are given."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("inline", "path"),
        Rule(
            "!has(self.source) || has(self.path)",
            "source needs path",
            lambda kustomize: kustomize.source is None or kustomize.path is not None,
        ),
    )

    source: Source | None = None
    """Where the overlay comes from. Defaults to `spec.source`."""

    path: RelativePath | None = None
    """Directory with the kustomization, relative to its source's root; `.` is the root itself."""

    inline: FreeForm | None = None
    """Fields of a kustomization.yaml, applied to what was rendered before."""


class Health(Model):
    """When a release counts as healthy."""

    timeout: Duration = "5m"
    """How long the objects may take to become healthy after an apply. Defaults to 5m."""


class Rollback(Model):
    """What happens when a release fails."""

    on_failure: bool = True
    """Whether a failed upgrade is rolled back to the last deployed revision. Defaults to true."""


class AppReleaseSpec(Model):
    """What the application is."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.source.helmRepository) || has(self.helm)",
            "a source of kind helmRepository needs helm",
            lambda spec: spec.source.helm_repository is None or spec.helm is not None,
        ),
    )

    source: Source
    """Where the chart, the overlay or the manifests come from."""

    helm: Helm | None = None
    """Renders the source as a Helm chart."""

    kustomize: Kustomize | None = None
    """Renders an overlay: on the chart's output, on plain manifests, or alone."""

    interval: Duration | None = None
    """Time between looks at the source. Defaults to the operator's setting (5m)."""

    health: Health | None = None
    """When a release counts as healthy."""

    rollback: Rollback | None = None
    """What happens when a release fails."""

    history_limit: Annotated[int, Field(ge=1, le=100)] = 10
    """Revisions kept. Defaults to 10."""

    drift: Literal["Correct", "Report", "Ignore"] = "Correct"
    """What happens when somebody else changes an object of the release. Defaults to Correct."""

    prune: bool = True
    """Whether objects that are no longer rendered are deleted. Defaults to true."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount of this namespace that acts for the release. Defaults to the operator's setting."""

    suspend: bool = False
    """Whether pierhead leaves the application as it is. Defaults to false."""


class SourceStatus(Model):
    """What was fetched last."""

    revision: Annotated[str, StringConstraints(max_length=512)]
    """The source's own name for it: a commit, a chart version, a resourceVersion."""

    digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of the content."""


class ReleaseStatus(Model):
    """The newest revision of the release."""

    name: Annotated[str, StringConstraints(max_length=53)]
    """Name in `helm list`."""

    revision: Annotated[int, Field(ge=0)]
    """Revision in `helm history`."""

    status: Annotated[str, StringConstraints(max_length=32)]
    """Helm's status of that revision."""

    input_digest: Annotated[str, StringConstraints(max_length=128)] | None = None
    """Digest of everything that went into the revision."""


class RejectedStatus(Model):
    """An input that failed and is not tried again until it changes."""

    input_digest: Annotated[str, StringConstraints(max_length=128)]
    """Digest of the input."""

    revision: Annotated[int, Field(ge=0)]
    """Revision that failed."""

    message: Annotated[str, StringConstraints(max_length=2048)]
    """Why it failed."""


class AppReleaseStatus(Status):
    """What became of the application."""

    source: SourceStatus | None = None
    """What was fetched last from `spec.source`."""

    overlay: SourceStatus | None = None
    """What was fetched last from `spec.kustomize.source`."""

    release: ReleaseStatus | None = None
    """The newest revision."""

    rejected: RejectedStatus | None = None
    """The input that was rolled back, or that failed to install."""

    inventory: list[Annotated[str, StringConstraints(max_length=640)]] | None = Field(
        default=None, max_length=2000
    )
    """Objects of the release, `<namespace>_<name>_<group>_<kind>` each; the first 500."""

    objects: Annotated[int, Field(ge=0)] | None = None
    """How many objects the release has."""


RESOURCE = CustomResource(
    kind="AppRelease",
    plural="appreleases",
    description="One application: a Helm chart, a Kustomize overlay, or both; applied, and kept as written.",
    short_names=("apprel",),
    spec=AppReleaseSpec,
    status=AppReleaseStatus,
    columns=(
        READY,
        Column("Revision", ".status.release.revision", type="integer"),
        Column("Status", ".status.release.status"),
        Column("Source", ".status.source.revision", priority=1),
        REASON,
        MESSAGE,
        AGE,
    ),
)
