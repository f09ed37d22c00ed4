"""What authors of BatchJobs write.

Invariant: what decides which indexes run, and how, cannot change once the object exists; what decides how
long it may go on can.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from pierhead.batch.model.attempts import Attempts
from pierhead.batch.model.dependencies import MOST_DEPENDENCIES, Dependency
from pierhead.batch.model.policies import MOST_COMPLETIONS, FailurePolicy, SuccessPolicy
from pierhead.batch.model.submission import (
    MOST_PRIORITY,
    TAGS_ARE_FREE,
    ConsumableResources,
    Overrides,
    Parameters,
    ShareIdentifier,
    Tags,
    tags_are_free,
)
from pierhead.batch.model.template import Template
from pierhead.model import Model, Rule, exactly_one, immutable
from pierhead.model.aws import AwsAccess
from pierhead.model.scalars import DNSSubdomain

MOST_BACKOFF = 10

Order = Literal["Parallel", "Sequential", "SequentialTolerant"]

CONTROLLER = "pierhead.dev/batch-job-controller"
"""The value of `spec.managedBy` that means pierhead."""

MUTABLE = frozenset(
    {
        "activeDeadlineSeconds",
        "backoffLimit",
        "completions",
        "maxFailedIndexes",
        "parallelism",
        "serviceAccountName",
        "suspend",
        "ttlSecondsAfterFinished",
    }
)
"""Fields of the spec that may change while the work runs; `completions` within its own rule."""

# Source: Kubernetes, validation of Jobs: "elastic" are Indexed Jobs whose parallelism is their completions.
_ELASTIC = Rule(
    "(has(self.completions) ? self.completions : 1) =="
    " (has(oldSelf.completions) ? oldSelf.completions : 1)"
    " || (has(self.completions) && has(self.parallelism) && self.completions == self.parallelism"
    " && has(oldSelf.completions) && has(oldSelf.parallelism)"
    " && oldSelf.completions == oldSelf.parallelism)",
    "completions can be changed only together with a parallelism that is equal to it, before and after",
)


def _fail_index_is_apt(spec: "BatchJobSpec") -> bool:
    if spec.failure_policy is None or spec.backoff_limit_per_index is not None:
        return True
    return all(rule.action != "FailIndex" for rule in spec.failure_policy.rules)


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
        Rule(
            "!has(self.failurePolicy) || has(self.backoffLimitPerIndex)"
            " || self.failurePolicy.rules.all(rule, rule.action != 'FailIndex')",
            "a failurePolicy with FailIndex needs backoffLimitPerIndex",
            _fail_index_is_apt,
        ),
        Rule(
            "!has(self.template) || !has(self.template.nodes) || !has(self.completions)"
            " || self.completions == 1",
            "a multi-node job cannot be an array: completions must be 1",
            lambda spec: spec.template is None or spec.template.nodes is None or spec.completions == 1,
        ),
        Rule(
            "!has(self.overrides) || has(self.jobDefinition)",
            "overrides need a jobDefinition; a template says itself what runs",
            lambda spec: spec.overrides is None or spec.job_definition is not None,
        ),
        Rule(
            "!has(self.schedulingPriority) || has(self.shareIdentifier)",
            "schedulingPriority needs a shareIdentifier",
            lambda spec: spec.scheduling_priority is None or spec.share_identifier is not None,
        ),
        Rule(
            TAGS_ARE_FREE,
            "tags that begin with aws: or pierhead.dev/ are reserved",
            lambda spec: tags_are_free(spec.tags),
        ),
        _ELASTIC,
        *immutable(
            "aws", "queue", "backoffLimitPerIndex", "attempts", "timeoutSeconds", "template",
            "jobDefinition", "outputUri", "failurePolicy", "successPolicy", "managedBy", "overrides",
            "parameters", "shareIdentifier", "schedulingPriority", "tags", "propagateTags",
            "consumableResources", "order", "dependsOn",
        ),
    )  # fmt: skip

    aws: AwsAccess | None = None
    """Where the queue is and who submits to it. Cannot be changed."""

    queue: Annotated[
        str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    ]
    """Name of the Batch job queue. Cannot be changed."""

    completions: Annotated[int, Field(ge=1, le=MOST_COMPLETIONS)] = 1
    """Number of indexes, each of which has to run to success once. Defaults to 1. Can be changed only where
    `parallelism` is equal to it, before and after, and not below an index that has run."""

    parallelism: Annotated[int, Field(ge=0, le=MOST_COMPLETIONS)] | None = None
    """Most indexes in Batch at once: the others follow in waves of a quarter of it. What runs is not stopped
    when it is lowered. Defaults to all."""

    depends_on: Annotated[list[Dependency], Field(max_length=MOST_DEPENDENCIES)] | None = None
    """What must be ready before work begins, of any kind, or other BatchJobs index by index. What was ready
    once is not looked at again. Cannot be changed."""

    service_account_name: DNSSubdomain | None = None
    """ServiceAccount as which objects in `dependsOn` are read that are no BatchJobs; it needs `get` on them.
    Defaults to the account that the operator's settings name, which is `default` of the namespace."""

    order: Order = "Parallel"
    """Sequential: each index is sent to Batch when the one before it has succeeded; the first that fails for
    good is the last that runs. SequentialTolerant: when the one before it has succeeded or failed for good.
    One that failed runs again before the next does. Each index is a job of its own then. Defaults to
    Parallel: none waits for another. Cannot be changed."""

    backoff_limit_per_index: Annotated[int, Field(ge=0, le=MOST_BACKOFF)] | None = None
    """How often an index that failed runs again. Failed indexes run again together, as the next round, when
    the round before has ended. Defaults to 0, and where `backoffLimit` is given to that, or 14 if it is
    greater. Cannot be changed."""

    backoff_limit: Annotated[int, Field(ge=0, le=2_147_483_647)] | None = None
    """With more failures than this, of all indexes and rounds together, everything still running is
    terminated. Defaults to no limit."""

    max_failed_indexes: Annotated[int, Field(ge=0, le=MOST_COMPLETIONS)] | None = None
    """With more failed indexes than this everything still running is terminated. Defaults to no limit."""

    failure_policy: FailurePolicy | None = None
    """What failures mean. Defaults to that each counts. Cannot be changed."""

    success_policy: SuccessPolicy | None = None
    """When fewer indexes than all are enough. Cannot be changed."""

    managed_by: (
        Annotated[
            str,
            StringConstraints(
                min_length=3, max_length=63, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[A-Za-z0-9._/-]+$"
            ),
        ]
        | None
    ) = None
    """Who sees to the BatchJob. Anything else than pierhead.dev/batch-job-controller means somebody else:
    pierhead leaves it alone. Defaults to pierhead. Cannot be changed."""

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

    overrides: Overrides | None = None
    """What differs from the job definition. Cannot be changed."""

    parameters: Parameters | None = None
    """Values for `Ref::name` in the command. Cannot be changed."""

    share_identifier: ShareIdentifier | None = None
    """Share that the jobs count towards, in a queue with a scheduling policy. Cannot be changed."""

    scheduling_priority: Annotated[int, Field(ge=0, le=MOST_PRIORITY)] | None = None
    """Priority within the share: the highest first. Defaults to the job definition's, or 0. Cannot be
    changed."""

    tags: Tags | None = None
    """Tags of the jobs, in addition to pierhead's own. Cannot be changed."""

    propagate_tags: bool | None = None
    """Whether the ECS tasks get the tags too. Defaults to the job definition's, or no. Cannot be changed."""

    consumable_resources: ConsumableResources | None = None
    """What each index holds while it runs, and waits for. Cannot be changed."""

    output_uri: (
        Annotated[str, StringConstraints(max_length=1024, pattern=r"^[a-z][a-z0-9+.-]*://[!-~]+$")] | None
    ) = None
    """Where the containers are to put what they make; each finds it as PIERHEAD_OUTPUT_URI. Cannot be
    changed."""
