"""The SyncedSecret resource: which values of AWS belong into which Kubernetes Secret."""

from pierhead.model import AGE, MESSAGE, READY, REASON, Column, CustomResource
from pierhead.secrets.model.spec import SyncedSecretSpec
from pierhead.secrets.model.status import SyncedSecretStatus

__all__ = ["RESOURCE", "SyncedSecretSpec", "SyncedSecretStatus"]

RESOURCE: CustomResource[SyncedSecretSpec] = CustomResource(
    kind="SyncedSecret",
    plural="syncedsecrets",
    # Not `ss`: Argo, StatefulSets and the Secrets Store have all been called that.
    short_names=("synced",),
    description="Keeps a Kubernetes Secret equal to values in AWS Secrets Manager and Parameter Store.",
    spec=SyncedSecretSpec,
    status=SyncedSecretStatus,
    columns=(
        READY,
        Column("Secret", ".status.target.name", description="The Secret that is written"),
        Column("Keys", ".status.keyCount", type="integer", description="Number of keys in the Secret"),
        REASON,
        MESSAGE,
        AGE,
    ),
)
