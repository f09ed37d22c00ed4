"""The EventTrigger reconciler: observe, decide, act, report.

Invariants: no call to AWS is made before the policy lets the namespace use the queue, the bucket, the bus
and the topic; an event is done with only after what it starts is there; what is settled costs nothing.
"""

import copy
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from random import Random

from pierhead.aws.access import Access, Accesses, role_reader
from pierhead.aws.assuming import RoleNotAssumable
from pierhead.aws.policy import Policy
from pierhead.aws.session import AwsSessions
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Outcome, ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Kind, ObjectKey, Resource
from pierhead.expressions import Expressions
from pierhead.kube.client import Client
from pierhead.kube.errors import NotFound
from pierhead.kube.tokens import service_account
from pierhead.settings import Settings
from pierhead.triggers import patterns
from pierhead.triggers.announcing import Announcer
from pierhead.triggers.children import STARTED, Children, Known
from pierhead.triggers.cron import due
from pierhead.triggers.decide import Child, Decision, Facts, decide, replaced
from pierhead.triggers.events import CREATED, Event
from pierhead.triggers.listening import GRACE_SECONDS, Accepts, Listeners, Place
from pierhead.triggers.making import Maker
from pierhead.triggers.metrics import MessageMetrics
from pierhead.triggers.model import RESOURCE, EventTriggerSpec, EventTriggerStatus
from pierhead.triggers.report import conditions_of, last_success, since, status_of
from pierhead.triggers.starting import Judged, Starter


class EventTriggerReconciler:
    """Starts objects of ours, and keeps house over them."""

    def __init__(
        self,
        *,
        client: Client,
        sessions: AwsSessions,
        policy: Policy,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Random | None = None,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._client = client
        self._clock = clock
        self._policy = policy
        self._accesses = Accesses(policy, region=settings.aws_region, cluster=settings.cluster_name)
        self._children = Children(client, settings.watch_namespaces)
        self._listeners = Listeners(
            sessions,
            random or Random(),  # noqa: S311 (jitter, not cryptography)
            MessageMetrics(metrics.registry),
            grace_seconds=grace_seconds,
        )
        self._announcer = Announcer(client, sessions)
        self._expressions = Expressions()
        self._starter = Starter(client, self._children, self._listeners, sessions)

    @property
    def kind(self) -> Kind:
        """EventTrigger."""
        return RESOURCE.reference

    async def start(self, wake: Wake) -> None:
        """Watches what was started. Raises ReconcileError when that cannot be had."""
        self._listeners.start(wake)
        await self._children.start(wake)

    async def stop(self) -> None:
        """Ends watches and queues."""
        await self._listeners.stop()
        await self._children.stop()

    def forget(self, key: ObjectKey) -> None:
        """Reads nothing for it any more; what it started goes with its owner, by the garbage collector."""
        self._listeners.forget(key)
        self._children.forget_deleted(key)

    async def reconcile(self, resource: Resource) -> Outcome:
        """One pass. Raises PolicyDenied, Invalid, and what AWS and the API server raise."""
        if resource.deleting:
            self._listeners.forget(resource.key)
            return Outcome(told=False)
        spec = RESOURCE.parse(resource.object)
        stored = EventTriggerStatus.model_validate(resource.status)
        maker = Maker(resource, spec, self._expressions)
        maker.check()
        await self._starter.try_out(resource, spec, maker, self._clock())
        access = await self._access(spec, resource.key.namespace)
        await self._listen(resource, spec, access)
        judged = self._starter.judge(resource, maker)
        facts = self._facts(resource, spec, stored, maker, judged)
        decision = decide(facts)
        scheduled = await self._starter.start_scheduled(resource, spec, maker, facts, decision)
        outcome = await self._starter.start_events(
            resource, spec, maker, access, zip(judged.events, decision.events, strict=True)
        )
        refused = outcome.refused or judged.refused or (None if outcome.started else stored.last_refused)
        children = tuple(known.child for known in self._known(resource).values())
        for child in replaced(children, spec.concurrency_policy or "Allow"):
            await self._delete(resource, child)
        failure = await self._announce(resource, spec, access, decision)
        for child in decision.trimmed:
            await self._delete(resource, child)
        trouble = failure or self._listeners.trouble(resource.key)
        status = status_of(
            stored,
            (known.child for known in self._known(resource).values()),
            scheduled=scheduled,
            refused=refused,
        )
        wake_at = decision.wake_at
        after = max(0.0, (wake_at - self._clock()).total_seconds()) if wake_at is not None else None
        if trouble is not None:
            # One instance raised twice would collect tracebacks and a status that is old.
            again = copy.copy(trouble).with_traceback(None)
            again.status, again.look_again = status, after
            raise again
        return Outcome(
            status=status,
            conditions=conditions_of(spec, warning=decision.warning, refused=refused),
            requeue_after=after,
        )

    def _facts(
        self,
        resource: Resource,
        spec: EventTriggerSpec,
        stored: EventTriggerStatus,
        maker: Maker,
        judged: Judged,
    ) -> Facts:
        now = self._clock()
        found = None
        if spec.schedule is not None:
            found = due(
                spec.schedule,
                spec.time_zone or "UTC",
                since=since(stored, resource.object["metadata"]),
                now=now,
                deadline_seconds=spec.starting_deadline_seconds,
            )
        children = tuple(known.child for known in self._known(resource).values())
        successes, failures = spec.successful_jobs_history_limit, spec.failed_jobs_history_limit
        return Facts(
            now=now,
            policy=spec.concurrency_policy or "Allow",
            suspend=bool(spec.suspend),
            keep_successful=3 if successes is None else successes,
            keep_failed=1 if failures is None else failures,
            announces=spec.on_completion is not None,
            last_success=last_success(stored),
            children=children,
            due=found,
            scheduled_key=maker.scheduled_name(found.at) if found is not None and found.at else "",
            waiting=tuple(event.key for event in judged.events),
            overtaken=judged.overtaken(child.sent for child in children),
        )

    def _known(self, resource: Resource) -> dict[str, Known]:
        return self._children.of(resource.key, resource.uid)

    async def _access(self, spec: EventTriggerSpec, namespace: str) -> Access:
        """Who reads and tells, and where, once the policy allows everything that the spec names."""
        check = self._policy.check
        if spec.queue is not None:
            check(namespace, "eventQueue", spec.queue, field="spec.queue")
        if spec.s3 is not None:
            check(namespace, "bucket", spec.s3.bucket, field="spec.s3.bucket")
        if spec.on_completion is not None and spec.on_completion.event_bus is not None:
            check(namespace, "eventBus", spec.on_completion.event_bus, field="spec.onCompletion.eventBus")
        if spec.on_completion is not None and spec.on_completion.topic is not None:
            check(namespace, "topic", spec.on_completion.topic, field="spec.onCompletion.topic")
        role_of = role_reader(partial(service_account, self._client), namespace)
        return await self._accesses.of(spec.aws, namespace, role_of)

    async def _listen(self, resource: Resource, spec: EventTriggerSpec, access: Access) -> None:
        if spec.queue is None:
            self._listeners.forget(resource.key)
            return
        if spec.event_pattern is not None:
            patterns.check(spec.event_pattern, "spec.eventPattern")
        try:
            await self._listeners.listen(resource.key, Place(access, spec.queue), accepts_of(spec))
        except RoleNotAssumable as error:
            error.field = "spec.aws"
            raise

    async def _announce(
        self, resource: Resource, spec: EventTriggerSpec, access: Access, decision: Decision
    ) -> ReconcileError | None:
        """Tells ends; why one could not be told, which is no reason to stop anything else."""
        if spec.on_completion is None:
            self._children.forget_deleted(resource.key)
            return None
        known = self._known(resource)
        for child in decision.announced:
            if child.name not in known:
                continue
            obj = known[child.name].object
            try:
                marked = await self._announcer.announce(obj, resource.key.name, access, spec.on_completion)
            except ReconcileError as error:
                return error
            if marked is None:
                self._children.gone(obj)
            else:
                self._children.observe(marked)
        return None

    async def _delete(self, resource: Resource, child: Child) -> None:
        known = self._known(resource).get(child.name)
        if known is None:
            return
        kind = STARTED[known.object["kind"]]
        with suppress(NotFound):
            await self._client.delete(kind, child.name, resource.key.namespace, uid=child.uid)
        self._children.deleting(resource.key, child.name)


def accepts_of(spec: EventTriggerSpec) -> Accepts:
    """Which events concern the EventTrigger; its filter is asked later, where it can complain."""
    if spec.event_pattern is not None:
        pattern = spec.event_pattern
        return lambda event: not event.s3 and patterns.matches(pattern, event.content)
    s3 = spec.s3
    if s3 is None:
        return lambda _event: False
    prefix, suffix, types = s3.prefix or "", s3.suffix or "", tuple(s3.types or (CREATED,))

    def accepts(event: Event) -> bool:
        content = event.content
        return (
            event.s3
            and content["bucket"] == s3.bucket
            and content["type"] in types
            and content["key"].startswith(prefix)
            and content["key"].endswith(suffix)
        )

    return accepts
