"""The SyncedSecret resource: which values of AWS belong into which Kubernetes Secret.

Invariant: no field of spec or status ever holds a value, and everything named lives in the SyncedSecret's
own namespace. One entry of status a line of spec, so status is as bounded as spec is.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, StringConstraints

from pierhead.model import (
    AGE,
    MESSAGE,
    READY,
    REASON,
    Column,
    CustomResource,
    DNSSubdomain,
    Duration,
    ListMap,
    Model,
    Rule,
    Status,
    at_least_one,
    at_most_one,
    seconds,
)

MOST_KEYS = 100
MOST_EXTRACTS = 10
MOST_WORKLOADS = 20
MESSAGE_LIMIT = 120
"""Characters of one key's message in the status."""

FORBIDDEN_TYPES = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token")
"""Types that the control plane acts on: it writes tokens into the one and trusts the other."""

DEFAULT_TYPE = "Opaque"

DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
SecretId = Annotated[str, StringConstraints(min_length=1, max_length=2048, pattern=r"^[-A-Za-z0-9/_+=.@:]+$")]
VersionId = Annotated[str, StringConstraints(min_length=32, max_length=64, pattern=r"^[!-~]+$")]
VersionStage = Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
RoleArn = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"),
]


class SecretVersionReference(Model):
    """One version of a secret in Secrets Manager."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_most_one("versionStage", "versionId"),)

    secret: SecretId
    """Name or ARN of the secret."""

    version_stage: VersionStage | None = None
    """Staging label of the version. Defaults to AWSCURRENT."""

    version_id: VersionId | None = None
    """Id of the version: pins it, so that a rotation changes nothing."""


class KeySource(SecretVersionReference):
    """Where the value of one key comes from."""

    property: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Path of a property in the secret's JSON, with dots between its parts and numbers for places in lists.
    A property whose name itself has dots wins over a path. Defaults to the whole secret as it is."""


class DataEntry(Model):
    """One key of the Secret."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "self.key != '.' && !self.key.startsWith('..')",
            "key must not be . and not begin with ..",
            lambda entry: entry.key != "." and not entry.key.startswith(".."),
        ),
    )

    key: DataKey
    """The key."""

    source: Annotated[KeySource, Field(alias="from")]
    """Where its value comes from."""

    optional: bool | None = None
    """Whether the Secret may be without this key when the secret or the property does not exist. A key that
    is there stays when its source goes, unless onSourceDelete is Delete. Defaults to false."""


class ExtractSource(SecretVersionReference):
    """A secret that holds many keys."""

    format: Literal["json", "dotenv"] | None = None
    """`json`: one object, each property a key; nested values become JSON text. `dotenv`: lines KEY=value.
    Defaults to json."""


class DataFromEntry(Model):
    """Several keys of the Secret."""

    extract: ExtractSource
    """Takes every key of one secret."""

    optional: bool | None = None
    """Whether the secret may not exist. Defaults to false."""


class AwsAccess(Model):
    """Where the secrets are and who reads them."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.externalId) || has(self.roleArn)",
            "externalId needs a roleArn",
            lambda aws: not {"externalId"} <= aws.given() or "roleArn" in aws.given(),
        ),
    )

    region: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None
    ) = None
    """Region of the secrets. Defaults to the operator's setting."""

    role_arn: RoleArn | None = None
    """IAM role that pierhead assumes to read, with the namespace as session tag. Defaults to its own."""

    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")]
        | None
    ) = None
    """External id that the role's trust policy asks for."""


class Target(Model):
    """The Secret that is written."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.type) || !(self.type in {list(FORBIDDEN_TYPES)})",
            f"type must not be one of {', '.join(FORBIDDEN_TYPES)}",
            lambda target: target.type not in FORBIDDEN_TYPES,
        ),
    )

    name: DNSSubdomain | None = None
    """Name of the Secret. Defaults to the SyncedSecret's own."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """Type of the Secret, such as kubernetes.io/tls. A change makes the Secret anew. Defaults to Opaque."""

    adopt: bool | None = None
    """Whether a Secret of that name that is nobody's may be taken over, other keys in it removed.
    Defaults to false: it is left as it is and the SyncedSecret is not Ready."""


class Refresh(Model):
    """When the values are read again."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.interval) || duration(self.interval) >= duration('1s')",
            "interval must be at least 1s",
            lambda refresh: refresh.interval is None or seconds(refresh.interval) >= 1,
        ),
    )

    mode: Literal["Poll", "Once"] | None = None
    """`Poll`: every interval. `Once`: when the SyncedSecret changes, when its Secret has to be repaired, and
    when the annotation pierhead.dev/reconcile-at changes. Defaults to Poll."""

    interval: Duration | None = None
    """Time between two reads, shortened at random by up to a tenth. Defaults to the operator's setting."""


class Workload(Model):
    """What uses the Secret."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    """Kind of the workload."""

    name: DNSSubdomain
    """Its name."""


class SyncedSecretSpec(Model):
    """Which values belong into which Secret, and what happens when they change."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("data", "dataFrom"),)

    suspend: bool | None = None
    """Whether to leave everything as it is: nothing is read, written or restarted. Defaults to false."""

    aws: AwsAccess | None = None
    """Where the secrets are and who reads them."""

    data: Annotated[list[DataEntry], ListMap("key")] | None = Field(default=None, max_length=MOST_KEYS)
    """Keys of the Secret, one by one."""

    data_from: list[DataFromEntry] | None = Field(default=None, max_length=MOST_EXTRACTS)
    """Keys of the Secret, many at once. A key that comes from two places is an error."""

    target: Target | None = None
    """The Secret that is written."""

    refresh: Refresh | None = None
    """When the values are read again."""

    on_source_delete: Literal["Retain", "Delete"] | None = None
    """What happens to the Secret when every secret it is made of is proven deleted: it stays as it is, or it
    is deleted. A denied or failed read proves nothing. Defaults to Retain."""

    restart: Annotated[list[Workload], ListMap("kind", "name")] | None = Field(
        default=None, max_length=MOST_WORKLOADS
    )
    """Workloads that are restarted, once, when the values have changed."""


class _Stored(Model):
    # A status may have been written by a newer pierhead.
    model_config = ConfigDict(extra="ignore")


class SourceStatus(_Stored):
    """What became of one source."""

    version_id: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Version whose value is in the Secret."""

    reason: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Why there is no value, or not the present one, in one CamelCase word."""

    message: Annotated[str, StringConstraints(max_length=MESSAGE_LIMIT)] | None = None
    """The same for people."""


class KeyStatus(SourceStatus):
    """What became of one entry of `spec.data`."""

    key: Annotated[str, StringConstraints(max_length=253)]
    """The key."""


class ExtractStatus(SourceStatus):
    """What became of one entry of `spec.dataFrom`."""

    secret: Annotated[str, StringConstraints(max_length=2048)]
    """The secret."""

    keys: Annotated[int, Field(ge=0)] | None = None
    """Number of keys it gave."""


class TargetStatus(_Stored):
    """The Secret as it was last written."""

    name: Annotated[str, StringConstraints(max_length=253)]
    """Name."""

    type: Annotated[str, StringConstraints(max_length=253)]
    """Type."""

    uid: Annotated[str, StringConstraints(max_length=64)]
    """Uid; another one is another Secret."""

    resource_version: Annotated[str, StringConstraints(max_length=64)]
    """Version; another one means that somebody else wrote."""


class PendingRestart(_Stored):
    """A workload that is not restarted yet."""

    kind: Annotated[str, StringConstraints(max_length=63)]
    """Kind of the workload."""

    name: Annotated[str, StringConstraints(max_length=253)]
    """Its name."""

    message: Annotated[str, StringConstraints(max_length=MESSAGE_LIMIT)]
    """Why not."""


class SyncedSecretStatus(Status):
    """What is in the Secret and why."""

    model_config = ConfigDict(extra="ignore")

    target: TargetStatus | None = None
    """The Secret as it was last written."""

    key_count: Annotated[int, Field(ge=0)] | None = None
    """Number of keys in the Secret."""

    keys: Annotated[list[KeyStatus], ListMap("key")] | None = Field(default=None, max_length=MOST_KEYS)
    """What became of each entry of `spec.data`."""

    extracts: list[ExtractStatus] | None = Field(default=None, max_length=MOST_EXTRACTS)
    """What became of each entry of `spec.dataFrom`, in its order."""

    marker: Annotated[str, StringConstraints(max_length=64)] | None = None
    """Names the versions that the Secret is made of and that the workloads were last restarted for."""

    restarts_pending: list[PendingRestart] | None = Field(default=None, max_length=MOST_WORKLOADS)
    """Workloads that are not restarted yet."""

    reconcile_at: Annotated[str, StringConstraints(max_length=256)] | None = None
    """The annotation pierhead.dev/reconcile-at as of the last read."""


RESOURCE: CustomResource[SyncedSecretSpec] = CustomResource(
    kind="SyncedSecret",
    plural="syncedsecrets",
    # Not `ss`: Argo, StatefulSets and the Secrets Store have all been called that.
    short_names=("synced",),
    description="Keeps a Kubernetes Secret equal to values in AWS Secrets Manager.",
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
