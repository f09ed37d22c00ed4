"""What must hold before anything is submitted: permission, a usable queue, a job definition.

Invariant: no call to AWS is made for a BatchJob before the policy lets its namespace use everything that it
names; whatever is wrong is told with the field at fault.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from pierhead.aws.access import Access, Accesses
from pierhead.aws.batch import BatchClient, BatchClients, Definition
from pierhead.aws.errors import BadRequest
from pierhead.aws.policy import Policy
from pierhead.batch.model import BatchJobSpec
from pierhead.batch.submitting.checks import refuse_misplaced, used
from pierhead.batch.submitting.definition import DIGEST_TAG, definition_request
from pierhead.batch.submitting.forms import PLAIN, Form, form_of
from pierhead.batch.submitting.requests import field_of, refuse_unknown_container, refuse_without_room
from pierhead.engine.outcome import Invalid

QUEUE_SECONDS = 60.0
"""How long a queue that was usable is taken to be so still."""

_REMEMBERED = 4096


class Preparation:
    """Checks and prepares, for all BatchJobs."""

    def __init__(
        self,
        clients: BatchClients,
        policy: Policy,
        accesses: Accesses,
        *,
        cluster: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cluster = cluster
        self._clients = clients
        self._policy = policy
        self._accesses = accesses
        self._clock = clock
        self._queues: dict[tuple[Access, str], float] = {}
        self._definitions: dict[tuple[Access, str], str] = {}
        self._forms: dict[tuple[Access, str], Form] = {}
        self._locks: defaultdict[tuple[Access, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def check(self, spec: BatchJobSpec, namespace: str, access: Access) -> None:
        """Returns when the namespace may use all that the spec, and a ServiceAccount of it, names.

        Raises PolicyDenied, and Invalid for what may not be in a template.
        """
        check = self._policy.check
        self._accesses.check(spec.aws, namespace, access)
        check(namespace, "queue", spec.queue, field="spec.queue")
        if spec.job_definition is not None:
            name, _, _ = spec.job_definition.partition(":")
            check(namespace, "jobDefinition", name, field="spec.jobDefinition")
        for entry in used(spec):
            check(namespace, entry.power, entry.value, field=entry.field)
        if spec.template is not None:
            refuse_misplaced(spec.template)

    async def prepare(self, spec: BatchJobSpec, namespace: str, access: Access, *, pinned: str | None) -> str:
        """The ARN of the job definition to submit with.

        `pinned` is the one this BatchJob has used before. Raises PolicyDenied, Invalid with the field at
        fault, and the errors of `BatchClient`.
        """
        self.check(spec, namespace, access)
        client = self._clients.get(access.region, access.identity)
        await self._check_queue(client, access, spec.queue)
        if spec.template is not None:
            request = definition_request(spec.template, namespace, self._cluster)
            refuse_without_room(spec, form_of(request))
            return await self._registered(client, access, request, field_of(spec))
        if pinned is not None and (access, pinned) in self._forms:
            return pinned
        # One that is pinned is used as it is, deregistered or not: Batch says so when it refuses it.
        found = (
            await client.definition(pinned) if pinned else await _existing(client, spec.job_definition or "")
        )
        form = form_of(found.content) if found is not None else PLAIN
        refuse_unknown_container(spec, form)
        refuse_without_room(spec, form)
        if len(self._forms) >= _REMEMBERED:
            self._forms.clear()
        arn = pinned or (found.arn if found else "")
        self._forms[access, arn] = form
        return arn

    def form(self, access: Access, definition: str | None) -> Form | None:
        """What is known of an existing job definition, an ARN."""
        return self._forms.get((access, definition or ""))

    def doubt(self, access: Access, queue: str, definition: str | None) -> None:
        """Forgets that these were usable: AWS has refused a job."""
        self._queues.pop((access, queue), None)
        if definition is not None:
            self.forget(access, definition)

    def forget(self, access: Access, definition: str) -> None:
        """Forgets a definition, an ARN that is no longer active."""
        self._definitions = {
            key: arn for key, arn in self._definitions.items() if key[0] != access or arn != definition
        }

    async def _check_queue(self, client: BatchClient, access: Access, name: str) -> None:
        key = (access, name)
        if self._clock() < self._queues.get(key, 0.0):
            return
        queue = await client.queue(name)
        problem = None
        if queue is None:
            problem = f"there is no job queue {name!r} in {access.region}; create it or correct the name"
        elif queue.state != "ENABLED":
            problem = f"the job queue {name!r} is {queue.state.lower()} and takes no jobs; enable it"
        elif queue.status in {"INVALID", "DELETING", "DELETED"}:
            detail = f": {queue.status_reason}" if queue.status_reason else ""
            problem = f"the job queue {name!r} is {queue.status.lower()}{detail}"
        if problem is not None:
            reason = "QueueNotFound" if queue is None else "QueueNotUsable"
            raise Invalid(problem, reason=reason, field="spec.queue")
        if len(self._queues) >= _REMEMBERED:
            self._queues.clear()
        self._queues[key] = self._clock() + QUEUE_SECONDS

    async def _registered(
        self, client: BatchClient, access: Access, request: Mapping[str, Any], field: str
    ) -> str:
        """The definition of equal content: one known, one found, or a new one."""
        key = (access, request["jobDefinitionName"])
        # One registers, the others wait: two at once would make two revisions.
        async with self._locks[key]:
            if key not in self._definitions:
                digest = request["tags"][DIGEST_TAG]
                active = await client.active_definitions(request["jobDefinitionName"])
                equal = [entry.arn for entry in active if entry.tags.get(DIGEST_TAG) == digest]
                arn = equal[0] if equal else await _register(client, request, field)
                if len(self._definitions) >= _REMEMBERED:
                    self._definitions.clear()
                self._definitions[key] = arn
            arn = self._definitions[key]
        if len(self._locks) >= _REMEMBERED:
            self._locks = defaultdict(
                asyncio.Lock, {key: lock for key, lock in self._locks.items() if lock.locked()}
            )
        return arn


async def _register(client: BatchClient, request: Mapping[str, Any], field: str) -> str:
    try:
        return await client.register_definition(request)
    except BadRequest as error:
        error.field = field
        raise


async def _existing(client: BatchClient, name: str) -> Definition:
    if ":" in name:
        found = await client.definition(name)
        if found is not None and found.status == "ACTIVE":
            return found
        problem = "there is no job definition" if found is None else "there is no longer a job definition"
    else:
        active = await client.active_definitions(name)
        if active:
            return active[0]
        problem = "there is no active job definition"
    raise Invalid(
        f"{problem} {name!r}; register it or correct the name",
        reason="JobDefinitionNotFound",
        field="spec.jobDefinition",
    )
