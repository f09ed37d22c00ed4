"""Carries out the restarts that the statuses of SyncedSecrets have open.

Invariants: what is to be done is in the statuses, or follows from them, so a crash loses nothing; one rollout
answers all changes that are open for a workload, whichever SyncedSecrets they are of; no more rollouts are
begun than the settings allow. Nobody waits in here: a rollout's end, a free slot or a time wakes who goes on.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from weakref import WeakValueDictionary

import structlog

from pierhead.engine.outcome import ReconcileError
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey, Resource
from pierhead.kube.client import Client
from pierhead.kube.health import health_of
from pierhead.kube.health_facts import Health, HealthStatus, value
from pierhead.kube.resources import CRON_JOBS, DEPLOYMENTS
from pierhead.secrets.model import SyncedSecretSpec, SyncedSecretStatus
from pierhead.secrets.model.limits import MOST_RESTARTS
from pierhead.secrets.model.status import RestartStatus
from pierhead.secrets.restarts.claims import Claim, Claims
from pierhead.secrets.restarts.finding import find
from pierhead.secrets.restarts.plan import (
    FAILED,
    ROLLING_OUT,
    TO_FIND,
    WAITING,
    Restarts,
    Surroundings,
    WorkloadKey,
    judged,
    obstacle,
    seconds_left,
    shortened,
    window_of,
)
from pierhead.secrets.restarts.rollout import Rollout, pods_trouble
from pierhead.secrets.restarts.slots import Slots
from pierhead.secrets.restarts.watched import Watched
from pierhead.secrets.restarts.workloads import Restarted, annotation_of, restart
from pierhead.settings import Settings

RETRY_SECONDS = 5.0
SAFETY_SECONDS = 300.0
"""Time between looks at what an event is expected to end."""

START_SECONDS = 30.0
"""How long after its start a process holds restarts back for SyncedSecrets it has not looked at yet."""

_START_LOOK_SECONDS = 1.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attended:
    """The restarts that are open now, and the seconds until they have to be looked at again."""

    restarts: Restarts
    after: float | None = None


class Restarter:
    """The restarts of all SyncedSecrets."""

    def __init__(
        self,
        client: Client,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._now = now
        self._claims = Claims()
        self._watched = Watched(client, self._told)
        self._slots = Slots(
            most=settings.restarts_at_once,
            most_in_namespace=settings.restarts_at_once_per_namespace,
            clock=clock,
            turn=self._wake_holders,
        )
        self._wake: Wake | None = None
        self._began: float | None = None
        self._locks: WeakValueDictionary[WorkloadKey, asyncio.Lock] = WeakValueDictionary()
        self._versions: dict[WorkloadKey, int] = {}
        self._rollouts: dict[WorkloadKey, Rollout] = {}
        self._signs: dict[WorkloadKey, tuple[Any, ...]] = {}

    def start(self, wake: Wake) -> None:
        """`wake` is called for objects whose restarts can go on."""
        self._wake = wake

    async def stop(self) -> None:
        """Ends all watches; wakes nobody any more."""
        self._wake = None
        await self._watched.close()

    def expect(self, key: ObjectKey, obj: Object) -> None:
        """Hears of an object before its turn: its open restarts count from now on."""
        for workload in self._claims.expect(key, obj):
            self._slots.occupy(workload)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone, or suspended: nothing is done for it."""
        self._drop(self._claims.forget(key))

    async def attend(
        self, resource: Resource, spec: SyncedSecretSpec, status: SyncedSecretStatus
    ) -> Attended:
        """Takes every open restart of an object as far as it can be taken now."""
        key, marker = resource.key, status.marker or ""
        if not spec.restart and not status.restarts:
            self.forget(key)
            return Attended(None)
        self._claims.seen(key)
        found = Claim.of(key, marker, status.restarts or ()).restarts
        self._claim(key, marker, found)
        if not found:
            return Attended(None)
        times = [SAFETY_SECONDS]
        if WorkloadKey(key.namespace, *TO_FIND) in found:
            await self._find(key, spec, status, found, times)
            self._claim(key, marker, found)
        for workload in [one for one in found if found[one].phase != WAITING]:
            after = await self._judge(resource, workload, found[workload], times)
            self._put(key, marker, found, workload, after)
        for workload in [one for one in found if found[one].phase == WAITING and one.name != TO_FIND[1]]:
            after = await self._go_on(resource, spec, workload, found, times)
            self._put(key, marker, found, workload, after)
        return Attended(list(found.values()) or None, min(times) if found else None)

    def _put(
        self,
        key: ObjectKey,
        marker: str,
        found: dict[WorkloadKey, RestartStatus],
        workload: WorkloadKey,
        after: RestartStatus | None,
    ) -> None:
        """Others see at once what became of one restart."""
        if after is None:
            del found[workload]
        else:
            found[workload] = after
        self._claim(key, marker, found)

    def _claim(self, key: ObjectKey, marker: str, found: Mapping[WorkloadKey, RestartStatus]) -> None:
        self._drop(self._claims.claim(key, Claim(marker, dict(found))))

    async def _find(
        self,
        key: ObjectKey,
        spec: SyncedSecretSpec,
        status: SyncedSecretStatus,
        found: dict[WorkloadKey, RestartStatus],
        times: list[float],
    ) -> None:
        """Puts the workloads that lines without a name mean in the place of the entry for them."""
        here = WorkloadKey(key.namespace, *TO_FIND)
        entry, secret = found[here], status.target.name if status.target is not None else key.name
        try:
            workloads = await find(self._client, key.namespace, spec.restart or (), secret)
        except ReconcileError as error:
            found[here] = _waiting(entry, f"cannot be found: {error}")
            times.append(SAFETY_SECONDS if error.terminal else RETRY_SECONDS)
            return
        new = [
            one for kind, name in workloads if (one := WorkloadKey(key.namespace, kind, name)) not in found
        ]
        if len(found) - 1 + len(new) > MOST_RESTARTS:
            found[here] = _waiting(
                entry,
                f"are too many: {len(workloads)} are found, and {MOST_RESTARTS} can be restarted for one "
                "SyncedSecret; name fewer in spec.restart",
            )
            return
        del found[here]
        for one in new:
            found[one] = entry.model_copy(update={"kind": one.kind, "name": one.name, "message": None})

    async def _go_on(
        self,
        resource: Resource,
        spec: SyncedSecretSpec,
        workload: WorkloadKey,
        found: dict[WorkloadKey, RestartStatus],
        times: list[float],
    ) -> RestartStatus | None:
        """A restart that waits, carried out if nothing speaks against it; None when it is over."""
        one, policy = found[workload], spec.restart_policy
        around = Surroundings(
            seconds_left=seconds_left(
                one, window_of(spec, self._settings.restart_window_seconds), self._now()
            ),
            others_unknown=self._others_unknown(resource.key),
            failed_before=next(
                (
                    f"the rollout of {other} failed"
                    for other, restart in found.items()
                    if restart.phase == FAILED
                ),
                "",
            ),
            failed_itself=self._claims.failure(workload, but=resource.key),
            under_way=sum(restart.phase == ROLLING_OUT for restart in found.values()),
            most_under_way=policy.max_concurrent if policy is not None else None,
        )
        why = obstacle(one, around)
        if not why:
            return await self._carry_out(resource, workload, one, times)
        if not self._slots.taken(workload):
            self._slots.release(workload)
        if around.seconds_left > 0 or around.others_unknown:
            times.append(around.seconds_left or _START_LOOK_SECONDS)
        return _waiting(one, why)

    async def _carry_out(
        self, resource: Resource, workload: WorkloadKey, one: RestartStatus, times: list[float]
    ) -> RestartStatus | None:
        rolls_out = workload.kind != CRON_JOBS.kind
        lock = self._locks.setdefault(workload, asyncio.Lock())
        async with lock:
            under_way = self._slots.taken(workload)
            if rolls_out and not self._slots.take(workload, one.since, repairs=bool(one.despite_failure)):
                return _waiting(
                    one,
                    f"waits for its turn: at most {self._settings.restarts_at_once_per_namespace} rollouts "
                    f"are started in a namespace and {self._settings.restarts_at_once} in all",
                )
            try:
                done = await restart(
                    self._client, workload, resource.key.name, self._claims.markers(workload)
                )
            except ReconcileError as error:
                done = Restarted("Refused", message=f"could not be restarted yet: {error.reason}")
                times.append(RETRY_SECONDS)
        return await self._follow(resource, workload, one, done, times, under_way=under_way)

    async def _follow(
        self,
        resource: Resource,
        workload: WorkloadKey,
        one: RestartStatus,
        done: Restarted,
        times: list[float],
        *,
        under_way: bool,
    ) -> RestartStatus | None:
        """What becomes of a restart that was tried; `under_way`: whether it took no slot of its own."""
        if done.end in {"Refused", "Paused"}:
            if not under_way:
                self._slots.release(workload)
            if done.end == "Paused" and not await self._is_paused(workload):
                times.append(0.0)
            return _waiting(one, done.message)
        if done.end == "Absent" or done.object is None:
            return None
        if done.end == "Changed":
            _log.info("workload restarted", object=str(resource.key), workload=str(workload))
            self._rollouts[workload] = Rollout.begun(self._clock())
            self._wake_holders(workload, but=resource.key)
        if workload.kind == CRON_JOBS.kind:
            return None
        self._versions[workload] = int(done.object["metadata"]["resourceVersion"])
        moved = one.model_copy(update={"phase": ROLLING_OUT, "message": None, "despite_failure": None})
        return await self._judge(resource, workload, moved, times)

    async def _judge(
        self, resource: Resource, workload: WorkloadKey, one: RestartStatus, times: list[float]
    ) -> RestartStatus | None:
        """A restart that was carried out, after a look at its workload; None when it is over."""
        try:
            live = await self._watched.look(workload, least=self._versions.get(workload, 0))
        except ReconcileError:
            times.append(RETRY_SECONDS)
            return one
        health = health_of(live)
        self._note(workload, live, health)
        stuck = ""
        if one.phase == ROLLING_OUT and health.status is HealthStatus.IN_PROGRESS and live is not None:
            rollout = self._rollouts.setdefault(workload, Rollout.begun(self._clock()))
            stuck = await self._stuck(resource, workload, live, health, rollout)
            times.append(rollout.next_look - self._clock())
        after = judged(one, health, stuck=stuck, generation=resource.generation)
        if after is None:
            return None
        if one.phase == FAILED:
            return one
        if after.phase == FAILED:
            _log.warning(
                "rollout failed", object=str(resource.key), workload=str(workload), why=after.message
            )
            self._slots.release(workload)
            self._wake_holders(workload, but=resource.key)
        return after

    async def _stuck(
        self, resource: Resource, workload: WorkloadKey, live: Object, health: Health, rollout: Rollout
    ) -> str:
        """Why the rollout has failed though the workload does not say so; empty if it has not."""
        now, deadline = self._clock(), self._settings.restart_deadline_seconds
        if workload.kind != DEPLOYMENTS.kind and now - rollout.progressed_at >= deadline:
            return f"has made no progress for {deadline:.0f} s: {health.message}"
        if not rollout.look_due(now):
            return ""
        marker = self._claims.marker(resource.key)
        return await pods_trouble(self._client, live, annotation_of(resource.key.name), marker)

    async def _is_paused(self, workload: WorkloadKey) -> bool:
        """Whether it still is, now that its changes are seen; where they cannot be, it is taken to be."""
        try:
            live = await self._watched.look(workload)
        except ReconcileError:
            return True
        return live is not None and value(live, "spec", "paused") is True

    def _others_unknown(self, key: ObjectKey) -> bool:
        if self._began is None:
            self._began = self._clock()
        if self._clock() - self._began >= START_SECONDS:
            return False
        return bool(self._claims.unseen(key.namespace) - {key})

    def _told(self, workload: WorkloadKey, live: Object | None) -> None:
        """Takes a watch event; wakes who waits for the workload if it fares otherwise than before."""
        if live is not None and int(live["metadata"]["resourceVersion"]) < self._versions.get(workload, 0):
            return
        health = health_of(live)
        self._note(workload, live, health)
        sign = (health.status, live is not None and value(live, "spec", "paused") is True)
        if self._signs.setdefault(workload, sign) != sign:
            self._signs[workload] = sign
            self._wake_holders(workload)

    def _note(self, workload: WorkloadKey, live: Object | None, health: Health) -> None:
        """Takes what is known of a workload: its slot is free once its rollout has ended."""
        rollout = self._rollouts.get(workload)
        if live is not None and rollout is not None:
            rollout.note(live, self._clock())
        lock = self._locks.get(workload)
        if lock is not None and lock.locked():
            # What is told may be older than the rollout that is begun at this moment.
            return
        if health.status is not HealthStatus.IN_PROGRESS and self._slots.taken(workload):
            self._slots.release(workload)

    def _wake_holders(self, workload: WorkloadKey, *, but: ObjectKey | None = None) -> None:
        for key in self._claims.holders(workload) - {but}:
            if self._wake is not None:
                self._wake(key)

    def _drop(self, workloads: Sequence[WorkloadKey]) -> None:
        """Nobody has to do with these any more."""
        for workload in workloads:
            self._watched.leave(workload)
            self._slots.release(workload)
            for kept in (self._versions, self._rollouts, self._signs):
                kept.pop(workload, None)


def _waiting(one: RestartStatus, why: str) -> RestartStatus:
    return one.model_copy(update={"message": shortened(why)})
