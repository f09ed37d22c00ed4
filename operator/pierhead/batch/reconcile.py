"""BatchJobs, reconciled.

Invariant: a finished BatchJob costs no call to AWS; the finalizer is there before the first job may be, and
goes only when every job is seen to have ended.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from pierhead.aws.access import Accesses
from pierhead.aws.batch import CALLS_PER_SECOND, BatchClients
from pierhead.aws.events import AwsEvent
from pierhead.aws.policy import Policy
from pierhead.aws.queues import EventQueue
from pierhead.aws.rate import TokenBucket
from pierhead.aws.session import AwsSessions
from pierhead.batch.alarms import Alarms
from pierhead.batch.dependencies import Gates
from pierhead.batch.following.events import hinted
from pierhead.batch.following.follow import Follower
from pierhead.batch.identity import Identities
from pierhead.batch.ledgers.record import IndexRecords
from pierhead.batch.memory import Memory
from pierhead.batch.metrics import RunMetrics
from pierhead.batch.model import RESOURCE
from pierhead.batch.model.spec import CONTROLLER
from pierhead.batch.report import kept_conditions, with_answer
from pierhead.batch.retrying import COMPLETE, refused, unanswered
from pierhead.batch.situation import Shared, Situation, conditions_in, read_status
from pierhead.batch.state import OPEN_STATES, finished
from pierhead.batch.steps import run
from pierhead.batch.submitting.collection import Collector
from pierhead.batch.submitting.preparation import Preparation
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Outcome
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Kind, ObjectKey, Resource
from pierhead.expressions import Expressions
from pierhead.kube.client import Client
from pierhead.kube.dependencies import Dependencies
from pierhead.kube.discovery import Discovery
from pierhead.kube.resources import BATCH_JOBS
from pierhead.model import FINALIZER, RETRY_AT
from pierhead.settings import Settings


class BatchJobReconciler:
    """`engine.reconciler.Reconciler` of BatchJobs."""

    def __init__(
        self,
        *,
        client: Client,
        sessions: AwsSessions,
        policy: Policy,
        settings: Settings,
        metrics: Metrics,
        discovery: Discovery | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        random: Random | None = None,
    ) -> None:
        clients = BatchClients(
            sessions,
            region=settings.aws_region,
            make_bucket=lambda: TokenBucket(CALLS_PER_SECOND, CALLS_PER_SECOND, clock=monotonic),
        )
        accesses = Accesses(policy, region=settings.aws_region, cluster=settings.cluster_name)
        preparation = Preparation(clients, policy, accesses, cluster=settings.cluster_name, clock=monotonic)
        self._client = client
        self._clock = clock
        self._memories: dict[ObjectKey, Memory] = {}
        self._shared = Shared(
            clients=clients,
            identities=Identities(client, accesses),
            preparation=preparation,
            records=IndexRecords(client),
            follower=Follower(clients, poll_seconds=settings.batch_poll_seconds, now=clock, random=random),
            alarms=Alarms(),
            runs=RunMetrics(metrics.registry),
            settings=settings,
            clock=clock,
            leading_since=clock(),
        )
        dependencies = Dependencies(client, discovery or Discovery(client), Expressions())
        self._gates = Gates(client, dependencies, self._shared.records, settings)
        self._collector = Collector(
            clients,
            cluster=settings.cluster_name,
            retention=timedelta(seconds=settings.batch_definition_retention_seconds),
            now=clock,
            forget=preparation.forget,
        )
        self._events = EventQueue.of(
            sessions, settings.batch_events_queue_url, self._hint, random=random, clock=monotonic
        )

    @property
    def kind(self) -> Kind:
        """BatchJob."""
        return RESOURCE.reference

    async def start(self, wake: Wake) -> None:
        """From here on this process leads: what was submitted before may be another's."""
        self._shared.leading_since = self._clock()
        self._shared.follower.start(wake)
        self._shared.alarms.start(wake)
        self._gates.dependencies.start(wake)
        self._collector.start()
        if self._events is not None:
            self._events.start()

    async def stop(self) -> None:
        """Ends polls and alarms."""
        self._shared.alarms.stop()
        await self._collector.stop()
        if self._events is not None:
            await self._events.stop()
        await self._shared.follower.stop()
        await self._gates.dependencies.stop()

    def forget(self, key: ObjectKey) -> None:
        """Drops everything about a BatchJob that is gone."""
        self._memories.pop(key, None)
        self._collector.ended(key)
        self._shared.alarms.set(key, None)
        self._shared.follower.forget(key)
        self._shared.records.forget(key)
        self._gates.dependencies.forget(key)

    async def reconcile(self, resource: Resource) -> Outcome:
        """One pass over one BatchJob."""
        if resource.spec.get("managedBy", CONTROLLER) != CONTROLLER:
            return Outcome(told=False)
        ended = finished(resource.status.get("conditions") or ())
        clean = not any(shard.get("state") in OPEN_STATES for shard in resource.status.get("shards") or ())
        if resource.deleting and clean:
            await resource.remove_finalizer(FINALIZER)
            return _as_stored(resource)
        if ended is not None and clean:
            answered = _answered(resource)
            if answered is not None:
                return await self._retire(resource, ended, answered)
        memory = self._memories.get(resource.key)
        if memory is None or memory.uid != resource.uid:
            memory = self._memories[resource.key] = Memory(resource.uid)
        spec = RESOURCE.parse(resource.object)
        situation = await Situation.load(resource, spec, memory, self._shared)
        await self._gates.look(situation)
        try:
            outcome = await run(situation)
        finally:
            if situation.state.job_definition is not None:
                self._collector.uses(resource.key, situation.access, situation.state.job_definition)
        if any(condition.type in {"Complete", "Failed"} for condition in outcome.conditions):
            self._collector.ended(resource.key)
        return outcome

    def _hint(self, event: AwsEvent) -> None:
        hint = hinted(event)
        if hint is not None:
            self._shared.follower.hint(hint.job_id, blocked=hint.blocked)

    async def _retire(self, resource: Resource, ended: datetime, outcome: Outcome) -> Outcome:
        """A finished BatchJob: nothing is left to do but to delete it when its time is over."""
        self.forget(resource.key)
        lifetime = resource.spec.get("ttlSecondsAfterFinished")
        if lifetime is None:
            return outcome
        left = (ended + timedelta(seconds=lifetime) - self._clock()).total_seconds()
        if left <= 0:
            await self._client.delete(BATCH_JOBS, resource.key.name, resource.key.namespace, uid=resource.uid)
            return outcome
        return replace(outcome, requeue_after=left)


def _answered(resource: Resource) -> Outcome | None:
    """What a BatchJob that has ended says still; None where it is to be taken up again."""
    if RETRY_AT not in resource.annotations:
        return _as_stored(resource)
    before = read_status(resource.status).retry
    request = unanswered(resource.annotations, before)
    if request is None:
        return _as_stored(resource)
    stored = conditions_in(resource)
    if any(entry["type"] == "Failed" for entry in stored):
        return None
    answer = refused(before, request, COMPLETE)
    status = {**resource.status, "retry": answer.model_dump(mode="json", by_alias=True, exclude_none=True)}
    return Outcome(status=status, conditions=with_answer(stored, answer))


def _as_stored(resource: Resource) -> Outcome:
    return Outcome(status=resource.status, conditions=kept_conditions(conditions_in(resource)))
