"""The BatchJob resource: work of any number of indexes on AWS Batch, described as an Indexed Job is."""

from pierhead.batch.model.spec import BatchJobSpec
from pierhead.batch.model.status import BatchJobStatus
from pierhead.model import AGE, MESSAGE, READY, REASON, Column, CustomResource

__all__ = ["RESOURCE", "BatchJobSpec", "BatchJobStatus"]

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
