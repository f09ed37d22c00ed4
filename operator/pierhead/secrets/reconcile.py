"""The SyncedSecret reconciler: observe, decide, act, report.

Invariants: what is settled and not due costs no request at all; the status says that something is done only
after it is; no value outlives the reconciles of the objects that were due for it when it was read.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import Random

from pierhead.aws.errors import AwsError
from pierhead.aws.policy import Policy
from pierhead.aws.registry import EcrLogins
from pierhead.aws.session import AwsSessions
from pierhead.engine.conditions import Condition
from pierhead.engine.metrics import Metrics
from pierhead.engine.outcome import Denied, Invalid, Outcome, ReconcileError
from pierhead.engine.properties import Fault
from pierhead.engine.reconciler import Wake
from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import Kind, Object, ObjectKey, Resource
from pierhead.kube.client import Client
from pierhead.secrets import report
from pierhead.secrets.act import Actor, target_name
from pierhead.secrets.decide import decide, is_due, lost, may_be_gone, refusal
from pierhead.secrets.events.pending import Look
from pierhead.secrets.events.service import NoEvents, SecretEvents
from pierhead.secrets.freshness import METRIC, METRIC_LABEL, METRIC_TEXT, Freshness, Limits
from pierhead.secrets.memory import Memory, reconcile_at
from pierhead.secrets.model import RESOURCE, SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.reading.allowed import Allowed, check
from pierhead.secrets.reading.due import Due
from pierhead.secrets.reading.fetch import all_gone, collected, fetch
from pierhead.secrets.reading.finding import find_all
from pierhead.secrets.reading.found import to_read
from pierhead.secrets.reading.identity import Identities
from pierhead.secrets.reading.readers import Readers
from pierhead.secrets.reading.references import references
from pierhead.secrets.reading.registries import RegistryReader
from pierhead.secrets.reading.stranded import Stranded
from pierhead.secrets.reading.sweeps import Sweeps
from pierhead.secrets.refresh import interval_of
from pierhead.secrets.restarts.plan import answered
from pierhead.secrets.restarts.restarter import Restarter
from pierhead.secrets.templates.render import Templates
from pierhead.secrets.writing.refusals import refused
from pierhead.secrets.writing.target import Targets
from pierhead.settings import Settings


class SyncedSecretReconciler:
    """Keeps Secrets equal to what their SyncedSecrets name."""

    def __init__(
        self,
        *,
        client: Client,
        sessions: AwsSessions,
        policy: Policy,
        settings: Settings,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        logins: EcrLogins | None = None,
        random: Random | None = None,
    ) -> None:
        """`logins` are shared with whoever else has them."""
        self._now = now
        random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._policy = policy
        self._identities = Identities(client, policy, settings)
        self._due = Due(clock=clock)
        registries = RegistryReader(sessions, logins or EcrLogins(now=now))
        self._stranded = Stranded(random=random, call_later=_call_later)
        self._readers = Readers.of(
            sessions, registries, clock=clock, wanted=self._due.wanted, back=self._stranded.back
        )
        self._sweeps = Sweeps(self._readers.lists, self._due, clock=clock)
        self._poll_seconds = settings.secret_poll_seconds
        self._templates = Templates()
        self._targets = Targets(client, settings.watch_namespaces)
        self._actor = Actor(self._targets, now=now)
        self._restarter = Restarter(client, settings, clock=clock, now=now)
        self._refreshes = Refreshes[ObjectKey](
            clock=clock,
            random=random,
            call_later=_call_later,
        )
        freshness = Freshness(Limits.of(settings), clock=clock)
        metrics.read_at_scrape(METRIC, METRIC_TEXT, METRIC_LABEL, freshness.oldest)
        self._events = NoEvents()
        if settings.secret_events_queue_url:
            self._events = SecretEvents(
                sessions,
                settings,
                metrics,
                clock=clock,
                random=random,
                call_later=_call_later,
                hasten=self._hasten,
            )
        self._memory = Memory(
            self._refreshes,
            self._due,
            freshness,
            poll_seconds=settings.secret_poll_seconds,
            clock=clock,
            cadence=self._events.interval,
            now=now,
        )

    @property
    def kind(self) -> Kind:
        """SyncedSecret."""
        return RESOURCE.reference

    async def start(self, wake: Wake) -> None:
        """Watches our Secrets' metadata. Raises ReconcileError when that cannot be had."""

        def come_due(key: ObjectKey, since: float | None = None) -> None:
            self._due.add(key, since)
            wake(key)

        def come_first(key: ObjectKey, since: float) -> None:
            # Before those that a poll has brought: what an event tells of is news.
            come_due(key, since)
            self._due.hurry(key)

        def look(key: ObjectKey) -> None:
            if not self._sweeps.take(key):
                come_due(key)

        self._sweeps.start(wake, self._memory.unmoved)
        self._refreshes.start(look)
        self._stranded.start(come_due)
        self._restarter.start(wake)
        await self._targets.start(wake)
        self._events.start(come_first)

    async def stop(self) -> None:
        """Ends watches and reads."""
        self._refreshes.stop()
        await self._events.stop()
        await self._restarter.stop()
        await self._targets.stop()
        await self._sweeps.stop()
        await self._readers.close()
        self._templates.close()

    def hurry_with(self, hurry: Wake) -> None:
        """Takes what lets objects go next whose answers are there."""
        self._due.start(hurry, self._readers.sweep)

    def expect(self, key: ObjectKey, obj: Object) -> None:
        """Hears of what is going to be read and restarted, so that one answer, or rollout, serves all."""
        self._due.learn(key, obj)
        self._restarter.expect(key, obj)

    def forget(self, key: ObjectKey) -> None:
        """Drops what is remembered; the Secret goes with its owner, by the garbage collector."""
        self._memory.forget(key)
        self._sweeps.forget(key)
        self._due.forget(key)
        self._restarter.forget(key)
        self._events.forget(key)

    async def reconcile(self, resource: Resource) -> Outcome:
        """One pass. Raises PolicyDenied, what passes in AWS and in the API server, and Conflict."""
        since = self._due.begin(resource.key)
        try:
            return await self._reconcile(resource, since)
        finally:
            self._due.end(resource.key)

    async def _reconcile(self, resource: Resource, since: float) -> Outcome:
        spec = RESOURCE.parse(resource.object)
        stored = SyncedSecretStatus.model_validate(resource.status)
        if spec.suspend:
            self._memory.forget(resource.key)
            self._sweeps.forget(resource.key)
            self._restarter.forget(resource.key)
            self._events.forget(resource.key)
            return Outcome(status=report.fields(stored), conditions=report.suspended(stored))
        look = self._events.begin(resource.key, spec)
        if look.hints:
            self._memory.make_due(resource.key)
        past = self._memory.settled(resource, spec, stored, self._targets.in_place)
        if past is None:
            asked = stored.reconcile_at != reconcile_at(resource)
            stored = answered(stored, spec, generation=resource.generation, asked=asked)
            try:
                await self._refresh(resource, spec, stored, max(since, look.since), look)
            except ReconcileError as error:
                if error.terminal:
                    self._events.refused(resource.key)
                self._memory.failed(resource, spec, stored, error)
                if isinstance(error, AwsError):
                    # Nothing was written in this pass: restarts for what is there already go on without AWS.
                    await self._restart_meanwhile(resource, spec, stored, error)
                raise
            except BaseException:
                self._memory.make_due(resource.key)
                raise
            past = self._memory.past(resource.key)
        status = past.status
        attended = await self._restarter.attend(resource, spec, status)
        if attended.restarts == status.restarts:
            outcome = past.outcome(status, attended.after)
        else:
            status = status.model_copy(update={"restarts": attended.restarts})
            outcome = self._memory.keep(resource, past, status, attended.after)
        news = status.marker != resource.status.get("marker")
        return replace(outcome, reported=partial(self._events.end, resource.key, look, news=news))

    async def _restart_meanwhile(
        self, resource: Resource, spec: SyncedSecretSpec, stored: SyncedSecretStatus, error: AwsError
    ) -> None:
        """Lets restarts go on, and has the error tell how they stand."""
        if not stored.restarts:
            return
        attended = await self._restarter.attend(resource, spec, stored)
        status = stored.model_copy(update={"restarts": attended.restarts})
        over = Condition(report.RESTART_PENDING, "False", "Restarted", "no restart is open")
        error.status = {
            **(error.status or report.fields(stored)),
            "restarts": report.fields(status).get("restarts"),
        }
        error.conditions = (*error.conditions, over, *report.restart_conditions(status))

    async def _refresh(
        self,
        resource: Resource,
        spec: SyncedSecretSpec,
        stored: SyncedSecretStatus,
        since: float,
        look: Look,
    ) -> Outcome:
        """A complete pass: reads, decides, acts. `since` is when the object became due."""
        who = await self._identities.of(spec, resource.key.namespace)
        self._sweeps.forget(resource.key)
        check(spec, resource.key.namespace, self._policy)
        templates = await self._templates.parsed(spec.template)
        if isinstance(templates, Fault):
            return self._memory.end(resource, spec, stored, fault=templates)
        live = await self._targets.observe(resource, target_name(resource, spec))
        untouchable = refusal(spec, live)
        if untouchable is not None:
            return self._memory.end(resource, spec, stored, fault=untouchable)
        allowed = Allowed(self._policy, resource.key.namespace)
        with self._stranded.reading(resource.key, who):
            finds = await find_all(self._readers, who, spec, stored, allowed, not_before=since)
            wanted = [*references(spec), *to_read(finds)]
            answers = await fetch(self._readers, who, wanted, not_before=since)
        self._due.served(resource.key)
        look.saw(answers)
        sources = await collected(spec, answers, finds)
        gone = may_be_gone(spec, sources) and await all_gone(self._readers, who, sources)
        decision = decide(
            spec, sources, live=live, stored=stored, gone=gone, renew=is_due(stored, self._now())
        )
        decision = await self._templates.through(templates, decision, lost(spec, sources, stored))
        if decision.action == "Delete" and live is not None:
            await self._actor.delete(resource, spec, live)
            return self._memory.end(resource, spec, report.deleted(stored, sources), fault=decision.fault)
        if decision.fault is not None:
            return self._memory.end(resource, spec, report.left(stored, sources), fault=decision.fault)
        try:
            status = await self._actor.carry_out(resource, spec, stored, sources, decision, live)
        except (Invalid, Denied) as error:
            fault = refused(error)
            return self._memory.end(resource, spec, report.left(stored, sources), fault=fault)
        # A list of versions does not tell what a find would find now.
        if spec.refresh is not None and spec.refresh.version_sweep and not finds:
            self._sweeps.learn(resource.key, who, answers, interval_of(spec, self._poll_seconds))
        return self._memory.end(resource, spec, status, text=report.summary(sources, status.key_count or 0))

    def _hasten(self, keys: Collection[ObjectKey], within: float | None) -> None:
        self._memory.hasten(keys, within)


def _call_later(delay: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    return asyncio.get_running_loop().call_later(delay, call)
