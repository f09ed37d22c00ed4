"""Writes a plan: each object once, in order, and only those that change.

Invariant: a later stage begins only after an earlier one is whole, with its CRDs established and their
kinds served; what was applied is told even when something failed. Nothing is deleted here but what the plan
says is to be replaced, and only that very object.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pierhead.engine.outcome import ReconcileError, Transient, Waiting
from pierhead.engine.resource import Object
from pierhead.kube.answers import ApplyAnswer
from pierhead.kube.bounded import CONCURRENCY, gathered
from pierhead.kube.client import Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import AlreadyExists, KindNotServed, Rejected, UnknownKind
from pierhead.kube.established import ESTABLISHED_SECONDS, established
from pierhead.kube.failures import Failure, combined
from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.inventory import Entry
from pierhead.kube.order import stages
from pierhead.kube.plan import Action, Known, Plan, Step, claim_of, lately_changed, plan
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from pierhead.model import FIELD_MANAGER

_DEFINITION = CUSTOM_RESOURCE_DEFINITIONS.kind
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_GONE_SECONDS = 5.0
"""Until a deletion that takes its time is looked at again without an event."""

_SCHEMA_SECONDS = 10.0
"""How long the API server may take to put a changed CRD's schema into effect."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One object as it is now."""

    entry: Entry
    digest: str
    """Of what was sent."""
    resource_version: str
    changed: bool
    """Whether this apply made or changed it."""
    object: Object | None = field(repr=False)
    """The live object; None where nothing needed to be asked."""
    claim: str
    """Fingerprint of the fields we own."""

    @property
    def known(self) -> Known:
        """For the next plan."""
        return Known(self.digest, self.resource_version, self.claim)


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """What an apply did. Objects in neither list come after a failure and were left alone."""

    applied: tuple[Applied, ...]
    failures: tuple[Failure, ...]

    def error(self) -> ReconcileError | None:
        """One error that tells every failure; None when there are none."""
        return combined(self.failures)


async def dry_run_all(
    client: Client,
    discovery: Discovery,
    objects: Iterable[Object],
    *,
    namespace: str | None = None,
    concurrency: int = CONCURRENCY,
) -> list[Failure]:
    """What the API server would refuse. `plan.plan` tells more."""
    tried = await plan(client, discovery, objects, namespace=namespace, concurrency=concurrency)
    return list(tried.failures)


async def apply_staged(
    client: Client,
    discovery: Discovery,
    planned: Plan | Sequence[Object],
    *,
    namespace: str | None = None,
    field_manager: str = FIELD_MANAGER,
    concurrency: int = CONCURRENCY,
    established_seconds: float = ESTABLISHED_SECONDS,
) -> ApplyResult:
    """Applies in stages: CRDs, namespaces, cluster roles, then Helm's install order.

    Objects without a plan are all applied, untried. After a stage with failures no other begins.
    """
    if not isinstance(planned, Plan):
        planned = await plan(client, discovery, planned, namespace=namespace, dry_run=False)
    if planned.failures:
        return ApplyResult((), planned.failures)
    writer = _Writer(client, discovery, field_manager, established_seconds)
    steps = {step.entry: step for step in planned.steps}
    for stage in stages(steps):
        await gathered((writer.write(steps[entry]) for entry in stage), concurrency)
        if writer.failures:
            break
    return ApplyResult(tuple(writer.applied), tuple(writer.failures))


class _Writer:
    """One apply under way."""

    def __init__(
        self, client: Client, discovery: Discovery, field_manager: str, established_seconds: float
    ) -> None:
        self._client = client
        self._discovery = discovery
        self._field_manager = field_manager
        self._established_seconds = established_seconds
        self._fresh: set[tuple[str, str]] = set()
        """Group and kind of the CRDs that this apply made or changed."""
        self.applied: list[Applied] = []
        self.failures: list[Failure] = []

    async def write(self, step: Step) -> None:
        """Applies one object if it changes; failures are kept."""
        try:
            done = await self._written(step)
        except ReconcileError as error:
            self.failures.append(Failure(step.object, error))
        else:
            self.applied.append(done)

    async def _written(self, step: Step) -> Applied:
        if step.action is Action.NOTHING:
            claim = claim_of(step.answer, self._field_manager) if step.answer else step.claim
            version = step.resource_version
            return Applied(step.entry, step.digest, version, changed=False, object=step.answer, claim=claim)
        if step.action is Action.REPLACE:
            await self._delete(step)
        answer = await self._send(step)
        live = answer.object
        changed = answer.created or lately_changed(answer, self._field_manager)
        if step.resource_version:
            changed = live["metadata"]["resourceVersion"] != step.resource_version
        if step.entry.kind == _DEFINITION and step.entry.group == CUSTOM_RESOURCE_DEFINITIONS.group:
            live = await self._established(live)
            self._fresh.add((live["spec"]["group"], live["spec"]["names"]["kind"]))
            self._discovery.invalidate()
        version = live["metadata"]["resourceVersion"]
        claim = claim_of(live, self._field_manager)
        return Applied(step.entry, step.digest, version, changed=changed, object=live, claim=claim)

    async def _send(self, step: Step) -> ApplyAnswer:
        if (step.entry.group, step.entry.kind) not in self._fresh:
            return await self._sent(step)
        # Established, a CRD is served and its schema known only a moment later.
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            try:
                return await self._sent(step)
            except (UnknownKind, KindNotServed) as error:
                if waited >= self._established_seconds:
                    entry = step.entry
                    raise Transient(f"no {entry.kind} in {entry.api_version} is served yet") from error
                self._discovery.invalidate()
            except Rejected as error:
                if waited >= _SCHEMA_SECONDS or "field not declared in schema" not in error.message:
                    raise
            await asyncio.sleep(pause)
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _sent(self, step: Step) -> ApplyAnswer:
        resource = step.resource or await self._resource(step)
        if step.once:
            return await self._created(step, resource)
        return await self._client.apply_answer(resource, step.object, field_manager=self._field_manager)

    async def _created(self, step: Step, resource: ResourceType) -> ApplyAnswer:
        """By a request that changes nothing where somebody was faster."""
        try:
            made = await self._client.create(resource, step.object)
        except AlreadyExists:
            live = await self._client.get(resource, step.entry.name, step.entry.namespace or None)
            return ApplyAnswer(live, created=False, date=None, seconds=0.0)
        return ApplyAnswer(made, created=True, date=None, seconds=0.0)

    async def _delete(self, step: Step) -> None:
        resource = step.resource or await self._resource(step)
        entry = step.entry
        gone = await self._client.delete(resource, entry.name, entry.namespace or None, uid=step.uid)
        if not gone:
            raise Waiting(
                f"{entry.label} is being deleted, to be created again",
                after=_GONE_SECONDS,
                reason="Replacing",
            )

    async def _resource(self, step: Step) -> ResourceType:
        return await self._discovery.resource_for(step.entry.api_version, step.entry.kind)

    async def _established(self, definition: Object) -> Object:
        if health_of(definition).status is HealthStatus.CURRENT:
            return definition
        return await established(
            self._client, definition["metadata"]["name"], seconds=self._established_seconds
        )


def remembered(known: Mapping[Entry, Known], applied: Iterable[Applied]) -> dict[Entry, Known]:
    """What is known after an apply."""
    return {**known, **{done.entry: done.known for done in applied}}
