"""Writes a plan: each object once, in order, and only those that change.

Invariant: a later stage begins only after an earlier one is whole, with its CRDs established and their
kinds served; what was applied is told even when something failed, and nothing is ever deleted here, not to
force a change of an immutable field either.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pierhead.engine.outcome import Invalid, ReconcileError, Transient
from pierhead.engine.resource import Object
from pierhead.kube.client import ApplyAnswer, Client
from pierhead.kube.discovery import Discovery
from pierhead.kube.errors import KindNotServed, UnknownKind
from pierhead.kube.health import HealthStatus, health_of
from pierhead.kube.inventory import Entry
from pierhead.kube.order import stages
from pierhead.kube.plan import (
    CONCURRENCY,
    Action,
    Failure,
    Known,
    Plan,
    Step,
    claim_of,
    combined,
    gathered,
    lately_changed,
    plan,
)
from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, ResourceType
from pierhead.kube.watch import EventType, Watch
from pierhead.model import FIELD_MANAGER

ESTABLISHED_SECONDS = 60.0
_DEFINITION = CUSTOM_RESOURCE_DEFINITIONS.kind
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


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
        self._new_kinds = False
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
        answer = await self._send(step)
        live = answer.object
        changed = answer.created or lately_changed(answer, self._field_manager)
        if step.resource_version:
            changed = live["metadata"]["resourceVersion"] != step.resource_version
        if step.entry.kind == _DEFINITION and step.entry.group == CUSTOM_RESOURCE_DEFINITIONS.group:
            live = await self._established(live)
            self._new_kinds = True
            self._discovery.invalidate()
        version = live["metadata"]["resourceVersion"]
        claim = claim_of(live, self._field_manager)
        return Applied(step.entry, step.digest, version, changed=changed, object=live, claim=claim)

    async def _send(self, step: Step) -> ApplyAnswer:
        """The answer to the write; for a kind whose CRD has just come, once it is served."""

        async def send() -> ApplyAnswer:
            resource = step.resource or await self._resource(step)
            return await self._client.apply_answer(resource, step.object, field_manager=self._field_manager)

        if not self._new_kinds:
            return await send()
        pause = _FIRST_PAUSE
        try:
            async with asyncio.timeout(self._established_seconds):
                while True:
                    try:
                        return await send()
                    except (UnknownKind, KindNotServed):
                        self._discovery.invalidate()
                        await asyncio.sleep(pause)
                        pause = min(pause * 2, _LONGEST_PAUSE)
        except TimeoutError:
            entry = step.entry
            raise Transient(f"{entry.kind} of {entry.api_version} is still not served") from None

    async def _resource(self, step: Step) -> ResourceType:
        return await self._discovery.resource_for(step.entry.api_version, step.entry.kind)

    async def _established(self, definition: Object) -> Object:
        if health_of(definition).status is HealthStatus.CURRENT:
            return definition
        return await established(
            self._client, definition["metadata"]["name"], seconds=self._established_seconds
        )


async def established(client: Client, name: str, *, seconds: float = ESTABLISHED_SECONDS) -> Object:
    """The CRD, once it is established. Raises Invalid when its names are taken, Transient after `seconds`."""
    found: asyncio.Future[Object] = asyncio.get_running_loop().create_future()

    def look(event_type: EventType, obj: Object) -> None:
        health = health_of(obj)
        if found.done() or event_type == "DELETED":
            return
        if health.status is HealthStatus.CURRENT:
            found.set_result(obj)
        elif health.status is HealthStatus.FAILED:
            found.set_exception(Invalid(f"CustomResourceDefinition {name}: {health.message}"))

    watch = Watch(client, CUSTOM_RESOURCE_DEFINITIONS, look, field_selector=f"metadata.name={name}")
    watching = asyncio.create_task(watch.run())
    listing = asyncio.create_task(watch.ready())
    try:
        async with asyncio.timeout(seconds):
            # What cannot be watched is told at once.
            either: set[asyncio.Future[Any]] = {found, listing}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not found.done():
                listing.result()
            return await found
    except TimeoutError:
        raise Transient(f"CustomResourceDefinition {name} is not established after {seconds:g} s") from None
    finally:
        watching.cancel()
        listing.cancel()
        await asyncio.gather(watching, listing, return_exceptions=True)


def remembered(known: Mapping[Entry, Known], applied: Iterable[Applied]) -> dict[Entry, Known]:
    """What is known after an apply."""
    return {**known, **{done.entry: done.known for done in applied}}
