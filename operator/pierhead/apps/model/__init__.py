"""The AppRelease resource: what its authors write and what they read back."""

from pierhead.apps.model.spec import AppReleaseSpec
from pierhead.apps.model.status import AppReleaseStatus
from pierhead.model import AGE, MESSAGE, READY, REASON, Column, CustomResource

__all__ = ["RESOURCE", "AppReleaseSpec", "AppReleaseStatus"]

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
