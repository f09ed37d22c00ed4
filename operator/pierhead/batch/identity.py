"""As whom a BatchJob works in AWS, and where.

Invariant: nobody but who submitted the jobs of a BatchJob asks about them: another account would not know
them, and they would count as lost. Whether the namespace may use the role is asked before each submission, by
`Preparation`.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from pierhead.aws.access import ACCOUNT_FIELD, ROLE_ANNOTATION, Access, Accesses, role_reader
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.model.status import ROLE_LIMIT, BatchJobStatus
from pierhead.batch.state import OPEN_STATES
from pierhead.engine.outcome import Denied
from pierhead.engine.resource import Resource
from pierhead.kube.client import Client
from pierhead.kube.tokens import service_account


class Identities:
    """Makes the accesses of BatchJobs."""

    def __init__(self, client: Client, accesses: Accesses) -> None:
        self._client = client
        self._accesses = accesses

    async def of(self, resource: Resource, spec: BatchJobSpec, stored: BatchJobStatus) -> Access:
        """Who works for it, and where. Asks the API server only where an annotation names the role.

        Raises Denied while the annotation names another role than that of jobs in Batch, and Invalid,
        Forbidden and Transient naming the field.
        """
        namespace, pinned = resource.key.namespace, _role_of_jobs(stored)
        if resource.deleting and pinned is not None:

            async def as_before(_namespace: str, name: str) -> Mapping[str, Any]:
                return {"metadata": {"name": name, "annotations": {ROLE_ANNOTATION: pinned}}}

            # Its jobs are to end whatever became of the annotation meanwhile.
            return await self._accesses.described(spec.aws, namespace, role_reader(as_before, namespace))
        read = partial(service_account, self._client)
        access = await self._accesses.described(spec.aws, namespace, role_reader(read, namespace))
        if pinned is not None and (access.identity.role_arn or "")[:ROLE_LIMIT] != pinned:
            raise Denied(
                f"its jobs were submitted as {pinned}, and the ServiceAccount has the role"
                f" {access.identity.role_arn} now: annotate it with that one until they have ended, or delete"
                " the BatchJob",
                reason="RoleChanged",
                field=ACCOUNT_FIELD,
            )
        return access


def annotated(spec: BatchJobSpec) -> bool:
    """Whether the annotation of a ServiceAccount names the role."""
    aws = spec.aws
    return (
        aws is not None and aws.service_account_name is not None
        and aws.role_arn is None and not aws.pod_identity
    )  # fmt: skip


def _role_of_jobs(stored: BatchJobStatus) -> str | None:
    """The annotated role by which what is in Batch was submitted."""
    return stored.role if any(shard.state in OPEN_STATES for shard in stored.shards or ()) else None
