"""The BatchJob resource: work of any number of indexes on AWS Batch, described as an Indexed Job is.

Invariant: what decides which indexes run, and how, cannot change once the object exists; what decides how
long it may go on can. The status shows counts that add up to `size`, and stays below 64 KiB for any size.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.batch.contract import RESERVED_PREFIXES
from pierhead.batch.status import BatchJobStatus
from pierhead.model import (
    AGE,
    MESSAGE,
    READY,
    REASON,
    Column,
    CustomResource,
    ListMap,
    Model,
    Rule,
    at_least_one,
    exactly_one,
    immutable,
)

VariableName = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
]
RoleArn = Annotated[
    str,
    StringConstraints(max_length=2048, pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"),
]

MOST_COMPLETIONS = 1_000_000
MOST_BACKOFF = 10

MUTABLE = frozenset({"activeDeadlineSeconds", "maxFailedIndexes", "suspend", "ttlSecondsAfterFinished"})
"""Fields of the spec that may change while the work runs."""


def _not_reserved(variable: "Variable | SecretVariable") -> bool:
    return not variable.name.startswith(RESERVED_PREFIXES)


_NOT_RESERVED = Rule(
    " && ".join(f"!self.name.startsWith('{prefix}')" for prefix in RESERVED_PREFIXES),
    f"names that begin with {' or '.join(RESERVED_PREFIXES)} are reserved",
    _not_reserved,
)


class Variable(Model):
    """One environment variable. Batch shows it to everybody who may describe jobs: not for secrets."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value: Annotated[str, StringConstraints(max_length=8192)]
    """Its value."""


class SecretVariable(Model):
    """One environment variable whose value only the container sees."""

    __rules__: ClassVar[tuple[Rule, ...]] = (_NOT_RESERVED,)

    name: VariableName
    """The variable."""

    value_from: Annotated[
        str,
        StringConstraints(
            max_length=2048, pattern=r"^arn:aws[a-z-]*:(secretsmanager|ssm):[a-z0-9-]+:[0-9]{12}:[!-~]+$"
        ),
    ]
    """ARN of a Secrets Manager secret or of a Parameter Store parameter; the execution role reads it."""


class Resources(Model):
    """What each index needs."""

    vcpu: Annotated[float, Field(ge=0.25, le=256)] = 1
    """Virtual CPUs. Defaults to 1."""

    memory_mib: Annotated[int, Field(alias="memoryMiB", ge=4, le=4_194_304)] = 2048
    """Memory in MiB. Defaults to 2048."""

    gpu: Annotated[int, Field(ge=1, le=16)] | None = None
    """Graphics processors."""


class Container(Model):
    """The one container of every index, as Batch runs it on ECS."""

    image: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[!-~]+$")]
    """Image."""

    command: list[Annotated[str, StringConstraints(max_length=8192)]] | None = Field(
        default=None, max_length=64
    )
    """Command and its arguments. Defaults to the image's own."""

    env: Annotated[list[Variable], ListMap("name")] | None = Field(default=None, max_length=100)
    """Environment variables, in addition to those by which an index is found (docs/batchjob.md)."""

    secrets: Annotated[list[SecretVariable], ListMap("name")] | None = Field(default=None, max_length=100)
    """Environment variables whose values come from Secrets Manager or Parameter Store."""

    resources: Resources = Field(default_factory=Resources)
    """What each index needs. Defaults to 1 vCPU and 2048 MiB."""

    job_role_arn: RoleArn | None = None
    """IAM role of the container's own AWS calls."""

    execution_role_arn: RoleArn | None = None
    """IAM role by which ECS pulls the image and reads the secrets."""


class Template(Model):
    """What runs; pierhead registers a Batch job definition for it and reuses one of equal content."""

    container: Container
    """The container."""


class RetryRule(Model):
    """When Batch tries an index again. Conditions given in one rule must all match."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("onStatusReason", "onReason", "onExitCode"),)

    action: Literal["Retry", "Exit"]
    """What happens when the rule matches."""

    on_status_reason: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Pattern for the job's statusReason; a `*` may stand at its end."""

    on_reason: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    """Pattern for the container's reason; a `*` may stand at its end."""

    on_exit_code: Annotated[str, StringConstraints(max_length=512, pattern=r"^([0-9]+\*?|\*)$")] | None = None
    """Pattern for the exit code: digits; a `*` may stand at its end."""


class Attempts(Model):
    """Batch's own retries within one round."""

    limit: Annotated[int, Field(ge=1, le=10)] = 3
    """Most attempts of an index in one round. Defaults to 3."""

    rules: Annotated[list[RetryRule], Field(min_length=1, max_length=5)] | None = None
    """The first rule that matches decides; where none does, Batch tries again. Defaults to two rules: retry
    after the loss of the host (`Host EC2*`), and exit after anything else."""


class AwsAccess(Model):
    """Where the queue is and who submits to it."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "!has(self.externalId) || has(self.roleArn)",
            "externalId needs a roleArn",
            lambda aws: aws.external_id is None or aws.role_arn is not None,
        ),
    )

    region: (
        Annotated[str, StringConstraints(max_length=32, pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None
    ) = None
    """Region of the queue. Defaults to the operator's setting."""

    role_arn: RoleArn | None = None
    """IAM role that pierhead assumes to submit and follow the jobs, with the namespace as session tag.
    Defaults to its own."""

    external_id: (
        Annotated[str, StringConstraints(min_length=2, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$")]
        | None
    ) = None
    """External id that the role's trust policy asks for."""


class BatchJobSpec(Model):
    """The work."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        exactly_one("template", "jobDefinition"),
        Rule(
            "!has(self.maxFailedIndexes)"
            " || self.maxFailedIndexes <= (has(self.completions) ? self.completions : 1)",
            "maxFailedIndexes must not be greater than completions",
            lambda spec: spec.max_failed_indexes is None or spec.max_failed_indexes <= spec.completions,
        ),
        *immutable(
            "aws", "queue", "completions", "backoffLimitPerIndex", "attempts", "timeoutSeconds", "template",
            "jobDefinition", "outputUri",
        ),
    )  # fmt: skip

    aws: AwsAccess | None = None
    """Where the queue is and who submits to it. Cannot be changed."""

    queue: Annotated[
        str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    ]
    """Name of the Batch job queue. Cannot be changed."""

    completions: Annotated[int, Field(ge=1, le=MOST_COMPLETIONS)] = 1
    """Number of indexes, each of which has to run to success once. Defaults to 1. Cannot be changed."""

    backoff_limit_per_index: Annotated[int, Field(ge=0, le=MOST_BACKOFF)] = 0
    """How often an index that failed runs again. Failed indexes run again together, as the next round, when
    the round before has ended. Defaults to 0. Cannot be changed."""

    max_failed_indexes: Annotated[int, Field(ge=0, le=MOST_COMPLETIONS)] | None = None
    """With more failed indexes than this everything still running is terminated. Defaults to no limit."""

    attempts: Attempts | None = None
    """Batch's own retries within one round. Cannot be changed."""

    timeout_seconds: Annotated[int, Field(ge=60, le=2_147_483_647)] | None = None
    """Longest time of one attempt of one index. Defaults to no limit. Cannot be changed."""

    active_deadline_seconds: Annotated[int, Field(ge=1, le=2_147_483_647)] | None = None
    """Longest time of the whole BatchJob, from its start or its last resumption. Defaults to no limit."""

    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """The BatchJob is deleted this long after it finished. Defaults to never."""

    suspend: bool = False
    """Whether nothing may run: what runs is terminated, without counting as failed. On resumption only the
    indexes run that have not succeeded. Defaults to false."""

    template: Template | None = None
    """What runs. Cannot be changed."""

    job_definition: (
        Annotated[
            str,
            StringConstraints(
                max_length=140, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}(:[1-9][0-9]{0,9})?$"
            ),
        ]
        | None
    ) = None
    """Existing job definition that runs instead of a template: its name, or `name:revision`. Without a
    revision the newest active one at the start is used throughout. Cannot be changed."""

    output_uri: (
        Annotated[str, StringConstraints(max_length=1024, pattern=r"^[a-z][a-z0-9+.-]*://[!-~]+$")] | None
    ) = None
    """Where the containers are to put what they make; each finds it as PIERHEAD_OUTPUT_URI. Cannot be
    changed."""


RESOURCE = CustomResource(
    kind="BatchJob",
    plural="batchjobs",
    short_names=("bjob",),
    spec=BatchJobSpec,
    status=BatchJobStatus,
    description="Runs an AWS Batch job or array job of any size and reports it as a Kubernetes Indexed Job.",
    columns=(
        READY,
        Column("Completions", ".status.progress", description="Succeeded indexes of all"),
        Column("Active", ".status.active", type="integer", description="Indexes in Batch"),
        Column("Failed", ".status.failed", type="integer", description="Failed indexes"),
        Column("Queue", ".spec.queue"),
        Column("Round", ".status.round", type="integer", priority=1),
        Column("Started", ".status.startTime", type="date", priority=1),
        REASON,
        MESSAGE,
        AGE,
    ),
)
