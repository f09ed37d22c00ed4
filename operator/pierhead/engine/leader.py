"""One operator at a time, by a Lease.

Invariant: a process acts as leader only within `renew_deadline` of the moment it *sent* its last accepted
renewal; another takes over only `lease_duration` after it *saw* that renewal. Both are measured on the
process's own monotonic clock, so clocks of two machines are never compared. A process that misses its
deadline, or finds another holder, is lost for good: it ends, and what it had in flight ends with it.

Timing and the meaning of an empty holder are client-go's.
"""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, Protocol

import structlog

from pierhead.engine.outcome import Conflict, ReconcileError
from pierhead.engine.resource import Object

_log = structlog.get_logger(__name__)


class LeaseStore(Protocol):
    """One named Lease (coordination.k8s.io/v1). `pierhead.kube.store.LeaseStore` is the real one."""

    async def get(self) -> Object | None:
        """The live Lease; None if there is none."""
        ...

    async def create(self, lease: Object) -> Object:
        """Creates it; raises Conflict when it exists."""
        ...

    async def replace(self, lease: Object) -> Object:
        """Replaces it; raises Conflict when it is no longer at `lease`'s resourceVersion, or gone."""
        ...


class LeaseLost(Exception):
    """This process leads no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. `request_timeout` is below `renew_deadline`, so one hung request costs no leadership."""

    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    request_timeout: float = 4.0


class Leader:
    """Acquires a Lease, renews it, and knows at any moment whether it still holds."""

    def __init__(
        self,
        store: LeaseStore,
        *,
        name: str,
        namespace: str,
        identity: str,
        on_change: Callable[[bool], None] = lambda _leads: None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Random | None = None,
    ) -> None:
        self._store = store
        self._metadata = {"name": name, "namespace": namespace}
        self._identity = identity
        self._on_change = on_change
        self._timing = timing or Timing()
        self._clock = clock
        self._now = now
        self._random = random or Random()  # noqa: S311 (jitter, not cryptography)
        self._lease: Object | None = None
        self._observed: tuple[Any, ...] | None = None
        self._observed_at = 0.0
        self._renewed_at: float | None = None
        self._last_error = ""

    @property
    def leads(self) -> bool:
        """Whether the Lease was acquired and not given back; says nothing about its age."""
        return self._renewed_at is not None

    @property
    def stands_by(self) -> bool:
        """Whether another was seen to hold the Lease."""
        return self._renewed_at is None and self._observed is not None and bool(self._observed[0])

    @property
    def expired(self) -> bool:
        """Whether this process led and may do so no longer. Safe to ask from any thread."""
        renewed_at = self._renewed_at
        return renewed_at is not None and self._clock() - renewed_at >= self._timing.renew_deadline

    async def acquire(self) -> None:
        """Returns once this process leads. API errors are waited out."""
        while True:
            try:
                async with asyncio.timeout(self._timing.request_timeout):
                    if await self._try_acquire():
                        self._on_change(True)
                        _log.info("leading", identity=self._identity, **self._metadata)
                        return
            except (ReconcileError, TimeoutError) as error:
                self._report(error)
            await asyncio.sleep(self._standby_seconds())

    async def run_until_lost(self) -> None:
        """Renews the Lease; raises LeaseLost when another holds it or the deadline passed."""
        if self._renewed_at is None:
            raise LeaseLost("never acquired")
        try:
            while True:
                await asyncio.sleep(min(self._period(), max(0.0, self._remaining())))
                await self._renew()
        finally:
            self._on_change(False)

    async def release(self) -> None:
        """Lets another take over at once. Nothing may act as leader any more when this is called."""
        if self._renewed_at is None or self._lease is None or self.expired:
            return
        self._renewed_at = None
        self._on_change(False)
        try:
            async with asyncio.timeout(self._timing.request_timeout):
                try:
                    await self._store.replace(self._desired(self._lease, holder="", duration=1))
                except Conflict:
                    live = await self._store.get()
                    if live is not None and _spec(live).get("holderIdentity") == self._identity:
                        await self._store.replace(self._desired(live, holder="", duration=1))
        except (ReconcileError, TimeoutError) as error:
            self._report(error)
        else:
            _log.info("lease released", identity=self._identity)

    async def _try_acquire(self) -> bool:
        started = self._clock()
        live = await self._store.get()
        if live is None:
            kept = await self._unless_conflict(self._store.create(self._desired(None)))
        else:
            if not self._is_free(live):
                return False
            kept = await self._unless_conflict(self._store.replace(self._desired(live)))
        if kept is None:
            return False
        self._lease, self._renewed_at = kept, started
        return True

    async def _unless_conflict(self, write: Awaitable[Object]) -> Object | None:
        try:
            return await write
        except Conflict:
            return None

    def _is_free(self, live: Object) -> bool:
        spec = _spec(live)
        holder = spec.get("holderIdentity")
        observed = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        if observed != self._observed:
            if holder and (self._observed is None or self._observed[0] != holder):
                _log.info("standing by", holder=holder, **self._metadata)
            self._observed, self._observed_at = observed, self._clock()
        # Ours, though this process does not lead: the answer to its acquisition was lost.
        return holder in {None, "", self._identity} or self._clock() >= self._observed_at + self._promised(
            spec
        )

    def _promised(self, spec: Object) -> float:
        duration = spec.get("leaseDurationSeconds")
        return float(duration) if isinstance(duration, int) else self._timing.lease_duration

    async def _renew(self) -> None:
        started = self._clock()
        try:
            async with asyncio.timeout(min(self._timing.request_timeout, max(0.0, self._remaining()))):
                self._lease = await self._replace_held()
        except (ReconcileError, TimeoutError) as error:
            self._report(error)
            if self._remaining() <= 0:
                raise LeaseLost("the Lease could not be renewed in time") from error
        else:
            if self.expired:
                raise LeaseLost("the Lease was renewed too late")
            self._renewed_at = started
            self._last_error = ""

    async def _replace_held(self) -> Object:
        try:
            return await self._store.replace(self._desired(self._lease))
        except Conflict:
            live = await self._store.get()
        if live is None:
            # Somebody deleted it; whoever creates it first leads.
            return await self._store.create(self._desired(None))
        holder = _spec(live).get("holderIdentity")
        if holder != self._identity:
            raise LeaseLost(f"the Lease is held by {holder or 'nobody'}")
        return await self._store.replace(self._desired(live))

    def _desired(
        self, live: Object | None, *, holder: str | None = None, duration: int | None = None
    ) -> Object:
        """The Lease to write over `live`, held by this process unless `holder` says otherwise."""
        before = _spec(live) if live is not None else {}
        timestamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        mine = before.get("holderIdentity") == self._identity
        transitions = before.get("leaseTransitions")
        count = transitions if isinstance(transitions, int) else 0
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": self._metadata if live is None else live["metadata"],
            "spec": {
                "holderIdentity": self._identity if holder is None else holder,
                "leaseDurationSeconds": duration or int(self._timing.lease_duration),
                "acquireTime": before.get("acquireTime", timestamp) if mine else timestamp,
                "renewTime": timestamp,
                "leaseTransitions": count if mine or live is None else count + 1,
            },
        }

    def _remaining(self) -> float:
        renewed_at = self._renewed_at
        return 0.0 if renewed_at is None else renewed_at + self._timing.renew_deadline - self._clock()

    def _period(self) -> float:
        return self._timing.retry_period * self._random.uniform(1.0, 1.2)

    def _standby_seconds(self) -> float:
        """Until the next try; a dead holder's Lease is tried the moment it ends."""
        if self._observed is None or self._lease is not None:
            return self._period()
        ends_in = self._observed_at + self._timing.lease_duration - self._clock()
        return min(self._period(), ends_in) if ends_in > 0 else self._period()

    def _report(self, error: Exception) -> None:
        reason = error.reason if isinstance(error, ReconcileError) else type(error).__name__
        if reason != self._last_error:
            self._last_error = reason
            _log.warning("lease not reachable", reason=reason, message=str(error), leads=self.leads)


class Watchdog:
    """Ends a leader whose event loop is too busy, or was stopped too long, to notice its own loss."""

    def __init__(self, leader: Leader, on_lost: Callable[[str], None], *, interval: float = 0.25) -> None:
        self._leader = leader
        self._on_lost = on_lost
        self._interval = interval
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-watchdog", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread; for an orderly release."""
        self._stopped.set()

    def check(self) -> None:
        """Ends the process now if the Lease has run out."""
        if self._leader.expired and not self._stopped.is_set():
            self._on_lost("the Lease ran out while the process could not renew it")

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            self.check()


def _spec(lease: Object) -> Object:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}
