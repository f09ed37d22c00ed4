"""At most one leader at any moment, on clocks that do not agree, over a network that fails."""

import asyncio
import itertools
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from pierhead.engine.leader import Leader, LeaseLost, Watchdog
from pierhead.engine.outcome import Conflict, Denied, Transient
from pierhead.engine.resource import Object
from support.virtual_time import cancelled, now, settle, until, virtual_time


class Lease:
    """One Lease of an API server, and the network of one process to it."""

    def __init__(self) -> None:
        self.live: Object | None = None
        self.version = 0
        self.writes = 0

    def connect(self) -> "Connection":
        return Connection(self)

    @property
    def holder(self) -> str | None:
        return None if self.live is None else self.live["spec"]["holderIdentity"]

    def write(self, lease: Object) -> Object:
        self.version += 1
        self.writes += 1
        self.live = json.loads(json.dumps(lease))
        assert self.live is not None
        self.live["metadata"]["resourceVersion"] = str(self.version)
        return self.read()

    def read(self) -> Any:
        return json.loads(json.dumps(self.live))


class Connection:
    """A `LeaseStore`; `fault` is raised before a request, `lost_answer` after it was served."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.fault: Callable[[], Exception | None] = lambda: None
        self.lost_answer = False
        self.hangs = False

    async def _travel(self) -> None:
        if self.hangs:
            await asyncio.sleep(1e6)
        await asyncio.sleep(0.005)
        fault = self.fault()
        if fault is not None:
            raise fault

    async def get(self) -> Object | None:
        await self._travel()
        return self.lease.read() if self.lease.live is not None else None

    async def create(self, lease: Object) -> Object:
        await self._travel()
        if self.lease.live is not None:
            raise Conflict("exists")
        return self._answer(self.lease.write(lease))

    async def replace(self, lease: Object) -> Object:
        await self._travel()
        live = self.lease.live
        if live is None or live["metadata"]["resourceVersion"] != lease["metadata"]["resourceVersion"]:
            raise Conflict("moved on")
        return self._answer(self.lease.write(lease))

    def _answer(self, lease: Object) -> Object:
        if self.lost_answer:
            raise Transient("no answer")
        return lease


def leader_on(store: Connection, identity: str, *, wall: datetime | None = None, seed: int = 1) -> Leader:
    start = wall or datetime(2026, 1, 1, tzinfo=UTC)
    return Leader(
        store,
        name="pierhead-leader",
        namespace="pierhead-system",
        identity=identity,
        clock=now,
        now=lambda: start + timedelta(seconds=now()),
        random=Random(seed),
    )


@virtual_time
async def test_the_first_leads_and_says_so_in_the_lease() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    assert not leader.leads
    await leader.acquire()
    assert leader.leads
    assert lease.live is not None
    spec = lease.live["spec"]
    assert spec["holderIdentity"] == "one"
    assert spec["leaseDurationSeconds"] == 15
    assert spec["leaseTransitions"] == 0
    assert spec["renewTime"].endswith("Z")


@virtual_time
async def test_it_renews_every_two_seconds_for_as_long_as_it_runs() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    holding = asyncio.create_task(leader.run_until_lost())
    await asyncio.sleep(120.0)
    assert 45 <= lease.writes <= 61
    assert not leader.expired
    await cancelled(holding)


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0], ids="clock {}s off".format)
@pytest.mark.parametrize("seed", range(5))
def test_a_second_takes_over_only_after_the_first_died_and_soon(skew: float, seed: int) -> None:
    @virtual_time
    async def body() -> None:
        lease = Lease()
        first = leader_on(lease.connect(), "one", seed=seed)
        await first.acquire()
        holding = asyncio.create_task(first.run_until_lost())
        wall = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=skew)
        second = leader_on(lease.connect(), "two", wall=wall, seed=seed + 50)
        waiting = asyncio.create_task(second.acquire())
        await asyncio.sleep(60.0)
        assert not second.leads
        await cancelled(holding)
        died = now()
        await waiting
        assert first.expired
        assert now() - died < 18.0
        assert lease.live is not None
        assert lease.live["spec"]["leaseTransitions"] == 1

    body()


@virtual_time
async def test_a_released_lease_is_taken_at_once() -> None:
    lease = Lease()
    first = leader_on(lease.connect(), "one")
    await first.acquire()
    holding = asyncio.create_task(first.run_until_lost())
    second = leader_on(lease.connect(), "two", seed=2)
    waiting = asyncio.create_task(second.acquire())
    await asyncio.sleep(30.0)
    await cancelled(holding)
    await first.release()
    released = now()
    assert lease.holder == ""
    assert not first.leads
    await waiting
    assert now() - released < 3.0


@virtual_time
async def test_a_stolen_lease_is_a_loss() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    stolen = lease.read()
    stolen["spec"]["holderIdentity"] = "thief"
    lease.write(stolen)
    with pytest.raises(LeaseLost, match="thief"):
        await leader.run_until_lost()
    assert now() < 4.0


@virtual_time
async def test_a_lease_without_a_readable_holder_is_a_loss() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    broken = lease.read()
    broken["spec"] = None
    lease.write(broken)
    with pytest.raises(LeaseLost, match="nobody"):
        await leader.run_until_lost()


@virtual_time
async def test_somebody_touching_the_lease_is_no_loss() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    holding = asyncio.create_task(leader.run_until_lost())
    touched = lease.read()
    touched["metadata"]["annotations"] = {"a": "b"}
    lease.write(touched)
    await asyncio.sleep(30.0)
    assert not holding.done()
    assert lease.live is not None
    assert lease.live["metadata"]["annotations"] == {"a": "b"}
    await cancelled(holding)


@virtual_time
async def test_a_deleted_lease_is_made_again_by_its_holder() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    holding = asyncio.create_task(leader.run_until_lost())
    lease.live = None
    await asyncio.sleep(5.0)
    assert lease.holder == "one"
    await cancelled(holding)


@pytest.mark.parametrize(
    "fault", [Transient("down"), Denied("no right"), None], ids=["down", "denied", "hung"]
)
def test_a_leader_that_cannot_renew_gives_up_within_its_deadline(fault: Exception | None) -> None:
    @virtual_time
    async def body() -> None:
        lease = Lease()
        store = lease.connect()
        leader = leader_on(store, "one")
        await leader.acquire()
        if fault is None:
            store.hangs = True
        else:
            store.fault = lambda: fault
        with pytest.raises(LeaseLost):
            await leader.run_until_lost()
        assert 9.9 <= now() <= 10.1
        assert leader.expired

    body()


@virtual_time
async def test_a_short_outage_is_survived_even_when_answers_are_lost() -> None:
    lease = Lease()
    store = lease.connect()
    leader = leader_on(store, "one")
    await leader.acquire()
    holding = asyncio.create_task(leader.run_until_lost())
    store.lost_answer = True
    await asyncio.sleep(6.0)
    store.lost_answer = False
    await asyncio.sleep(20.0)
    assert not holding.done()
    await cancelled(holding)


@virtual_time
async def test_an_api_server_that_is_down_at_the_start_is_waited_for() -> None:
    lease = Lease()
    store = lease.connect()
    store.fault = lambda: Transient("down") if now() < 60.0 else None
    leader = leader_on(store, "one")
    await leader.acquire()
    assert 60.0 <= now() <= 63.0


@virtual_time
async def test_of_many_that_start_together_one_leads() -> None:
    lease = Lease()
    leaders = [leader_on(lease.connect(), f"n{number}", seed=number) for number in range(8)]
    tasks = [asyncio.create_task(leader.acquire()) for leader in leaders]
    await asyncio.sleep(5.0)
    assert [leader.leads for leader in leaders].count(True) == 1
    for task in tasks:
        await cancelled(task)


class Weather:
    """Outages and lost answers on one process's way to the API server."""

    def __init__(self, store: Connection, random: Random) -> None:
        self._store = store
        self._random = random
        self._down_until = 0.0

    def __call__(self) -> Exception | None:
        if now() >= self._down_until and self._random.random() < 0.03:
            self._down_until = now() + self._random.uniform(1.0, 40.0)
        self._store.lost_answer = self._random.random() < 0.1
        return Transient("down") if now() < self._down_until else None


async def lead_again_and_again(lease: Lease, leaders: dict[str, Leader], name: str, random: Random) -> None:
    """A process that is started anew whenever it lost the Lease."""
    for start in itertools.count():
        store = lease.connect()
        store.fault = Weather(store, random)
        leaders[name] = leader_on(store, f"{name}-{start}", seed=random.randrange(1000))
        await leaders[name].acquire()
        with pytest.raises(LeaseLost):
            await leaders[name].run_until_lost()


@pytest.mark.parametrize("seed", range(8))
def test_there_are_never_two_leaders_however_the_network_fails(seed: int) -> None:
    @virtual_time
    async def body() -> None:
        lease = Lease()
        leaders: dict[str, Leader] = {}
        tasks = [
            asyncio.create_task(lead_again_and_again(lease, leaders, name, Random(f"{seed}{name}")))
            for name in "abc"
        ]
        for _ in range(36_000):
            await asyncio.sleep(0.1)
            assert sum(leader.leads and not leader.expired for leader in leaders.values()) <= 1
        for task in tasks:
            await cancelled(task)
        assert lease.live is not None
        assert lease.live["spec"]["leaseTransitions"] > 0

    body()


@virtual_time
async def test_an_acquisition_whose_answer_was_lost_is_found_to_be_ours() -> None:
    lease = Lease()
    store = lease.connect()
    store.lost_answer = True
    leader = leader_on(store, "one")
    acquiring = asyncio.create_task(leader.acquire())
    await until(lambda: lease.holder == "one")
    store.lost_answer = False
    await acquiring
    assert now() < 5.0


@virtual_time
async def test_a_process_that_was_stopped_past_its_deadline_ends_before_anything_else() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    ends: list[str] = []
    watchdog = Watchdog(leader, ends.append)
    await leader.acquire()
    watchdog.check()
    assert ends == []
    await asyncio.sleep(10.1)
    watchdog.check()
    assert len(ends) == 1
    await settle()


def test_the_watchdog_notices_without_the_event_loop() -> None:
    clock = [0.0]
    ends: list[str] = []

    async def lead() -> Leader:
        leader = Leader(Lease().connect(), name="n", namespace="s", identity="one", clock=lambda: clock[0])
        await leader.acquire()
        return leader

    leader = asyncio.run(lead())
    ended = threading.Event()

    def end(reason: str) -> None:
        ends.append(reason)
        ended.set()

    watchdog = Watchdog(leader, end, interval=0.01)
    watchdog.start()
    clock[0] = 10.0
    assert ended.wait(5.0)
    watchdog.stop()


@virtual_time
async def test_a_lost_lease_is_not_released() -> None:
    lease = Lease()
    leader = leader_on(lease.connect(), "one")
    await leader.acquire()
    await asyncio.sleep(11.0)
    await leader.release()
    assert lease.holder == "one"


@virtual_time
async def test_release_gives_up_when_the_api_server_is_gone() -> None:
    lease = Lease()
    store = lease.connect()
    leader = leader_on(store, "one")
    await leader.acquire()
    store.hangs = True
    started = now()
    await leader.release()
    assert now() - started <= 4.0


@virtual_time
async def test_leadership_is_told() -> None:
    told: list[bool] = []
    lease = Lease()
    leader = Leader(
        lease.connect(),
        name="n",
        namespace="s",
        identity="one",
        clock=now,
        on_change=told.append,
    )
    await leader.acquire()
    holding = asyncio.create_task(leader.run_until_lost())
    await until(lambda: lease.writes > 2)
    await cancelled(holding)
    await leader.release()
    assert told[0] is True
    assert told[-1] is False
