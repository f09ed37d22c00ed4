"""The AppRelease's spec.

Invariant: `spec` says where objects come from, how they are rendered and how far pierhead may go;
everything it names lives in the AppRelease's own namespace.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pierhead.apps.model.delivery import Health, Install, Retry, Rollback
from pierhead.apps.model.images import ImageUpdate
from pierhead.apps.model.objects import ObjectRule
from pierhead.apps.model.order import Dependency
from pierhead.apps.model.rendering import Helm, Kustomize
from pierhead.apps.model.sources import Source
from pierhead.apps.model.windows import Window
from pierhead.model import DNSSubdomain, Duration, ListMap, Model, Rule
from pierhead.model.aws import AwsAccess


class AppReleaseSpec(Model):
    """What the application is."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.source.helmRepository) || has(self.helm)",
            "a source of kind helmRepository needs helm",
            lambda spec: spec.source.helm_repository is None or spec.helm is not None,
        ),
        Rule(
            "!has(self.helm) || !has(self.helm.valuesFrom)"
            " || (has(self.kustomize) && has(self.kustomize.source))"
            " || !self.helm.valuesFrom.exists("
            "v, has(v.file) && has(v.file.from) && v.file.from == 'Overlay')",
            "a values file of the overlay needs kustomize.source",
            lambda spec: not _reads_overlay(spec) or _has_overlay(spec),
        ),
    )

    source: Source
    """Where the chart, the overlay or the manifests come from."""

    helm: Helm | None = None
    """Renders the source as a Helm chart."""

    kustomize: Kustomize | None = None
    """Renders an overlay: on the chart's output, on plain manifests, or alone."""

    aws: AwsAccess | None = None
    """Where in AWS the AppRelease reads, and as whom. Defaults to the operator's own region and identity."""

    interval: Duration | None = None
    """Time between looks at the source. Defaults to the operator's setting (5m)."""

    depends_on: list[Dependency] | None = Field(default=None, max_length=32)
    """Objects that must be ready before a new revision is begun."""

    health: Health | None = None
    """When a release counts as healthy."""

    install: Install | None = None
    """What happens when the first release of all fails."""

    retry: Retry | None = None
    """How often an input that failed is tried again before it counts as rejected."""

    rollback: Rollback | None = None
    """What happens when a release fails."""

    history_limit: Annotated[int, Field(ge=1, le=100)] = 10
    """Revisions kept. Defaults to 10."""

    drift: Literal["Correct", "Report", "Ignore"] = "Correct"
    """What happens when somebody else changes an object of the release. Defaults to Correct."""

    object_rules: Annotated[list[ObjectRule], Field(max_length=64)] | None = None
    """How single objects are treated: replaced, kept, only created, or partly left to others."""

    drift_of_release: Literal["Keep", "Undo"] = "Undo"
    """What happens when somebody else makes a revision of the release, as `helm rollback` does.

    Undo brings back what the AppRelease says; Keep leaves the application as that revision made it, until
    what the AppRelease renders changes or the annotation pierhead.dev/reconcile-at is set anew. Defaults to
    Undo.
    """

    prune: bool = True
    """Whether objects that are no longer rendered are deleted. Defaults to true."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount of this namespace that acts for the release. Defaults to the operator's setting."""

    images: Annotated[list[ImageUpdate], ListMap("name")] | None = Field(default=None, max_length=16)
    """Images that follow the tags of their ECR repositories. Defaults to none: images stay as rendered."""

    approval: Literal["Automatic", "Manual"] = "Automatic"
    """Whether somebody has to approve each new revision, seeing what it would change (`status.plan`).
    Defaults to Automatic."""

    windows: list[Window] | None = Field(default=None, max_length=16)
    """When new revisions may be begun; corrections and rollbacks are not held. Defaults to always."""

    suspend: bool = False
    """Whether pierhead leaves the application as it is. Defaults to false."""


def _reads_overlay(spec: AppReleaseSpec) -> bool:
    references = (spec.helm.values_from if spec.helm else None) or []
    return any(reference.file and reference.file.source == "Overlay" for reference in references)


def _has_overlay(spec: AppReleaseSpec) -> bool:
    return spec.kustomize is not None and spec.kustomize.source is not None
