"""Whatever answers are lost and whenever the process dies: no index runs without cause, and all end."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.aws.batch import ListedJob
from pierhead.batch.actions import (
    Action,
    Finish,
    Harvest,
    LookUp,
    Rest,
    Submit,
    Terminate,
)
from pierhead.batch.decide import decide
from pierhead.batch.deciding.facts import Facts
from pierhead.batch.following.jobs import Counts, Seen
from pierhead.batch.gate import FAILED, Gate
from pierhead.batch.ledgers.indexes import IndexSet, Layout
from pierhead.batch.ledgers.ledger import Ledger
from pierhead.batch.limits import Limits
from pierhead.batch.model.spec import Order
from pierhead.batch.model.status import Shard
from pierhead.batch.moves import moved
from pierhead.batch.state import State, key_of, to_text
from pierhead.batch.submitting.submission import adopted

SETTLE = timedelta(seconds=20)
LIMIT = 2


class Died(Exception):
    """The process is gone."""


@dataclass
class Job:
    id: str
    name: tuple[int, int]
    indexes: list[int]
    accepted: datetime
    visible: datetime
    status: str = "RUNNING"
    succeeded: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)


@dataclass
class World:
    """Batch, time, and the stored object, in a bad mood."""

    size: int
    chance: Random
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    calm: bool = False
    suspend: bool = False
    parallelism: int | None = None
    order: Order = "Parallel"
    upstream: set[int] | None = None
    """Indexes of another BatchJob that have succeeded, where this one follows it."""
    barren: set[int] = field(default_factory=set)
    """Indexes of it that never do."""
    jobs: list[Job] = field(default_factory=list)
    failures: Counter[int] = field(default_factory=Counter)

    def trouble(self, share: float) -> bool:
        return not self.calm and self.chance.random() < share

    def accept(self, name: tuple[int, int], indexes: IndexSet) -> Job:
        for index in indexes:
            before = [job for job in self.jobs if index in job.indexes]
            assert all(job.status != "RUNNING" for job in before), f"{index} runs already"
            assert not any(index in job.succeeded for job in before), f"{index} has succeeded"
            assert self.upstream is None or index in self.upstream, f"{index} is not ready"
            assert self.failures[index] <= LIMIT, f"{index} has failed too often"
        assert not any(job.name == name for job in self.jobs), f"{name} exists"
        active = sum(len(job.indexes) for job in self.jobs if job.status == "RUNNING") + len(indexes)
        assert self.parallelism is None or active <= self.parallelism, f"{active} indexes run at once"
        assert self.order == "Parallel" or all(map(self.ended, range(min(indexes)))), f"{indexes} is early"
        lag = SETTLE * self.chance.random()
        job = Job(f"id-{len(self.jobs)}", name, list(indexes), self.now, self.now + lag)
        self.jobs.append(job)
        return job

    def ended(self, index: int) -> bool:
        """Whether the index after this one may run, where one waits for the other."""
        if self.order == "SequentialTolerant" and index in self.barren:
            return True
        given_up = self.order == "SequentialTolerant" and self.failures[index] > LIMIT
        return given_up or any(index in job.succeeded for job in self.jobs)

    def end(self, job: Job, *, stopped: bool = False) -> None:
        for index in job.indexes:
            draw = self.chance.random()
            if draw < 0.7 or self.calm:
                job.succeeded.add(index)
            elif not stopped:
                job.failed.add(index)
                self.failures[index] += 1
        job.status = "SUCCEEDED" if len(job.succeeded) == len(job.indexes) else "FAILED"

    def pass_time(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([0.3, 2, 11, 30]))
        if self.upstream is not None:
            coming = set(range(self.size)) - self.barren
            self.upstream |= (
                coming if self.calm else set(filter(lambda _: self.chance.random() < 0.1, coming))
            )
        for job in self.jobs:
            if job.status == "RUNNING" and self.chance.random() < 0.4:
                self.end(job)
        if self.trouble(0.1):
            self.suspend = not self.suspend
        elif self.calm:
            self.suspend = False


class Process:
    """One life of the operator, as far as one BatchJob is concerned."""

    def __init__(self, world: World, stored: State) -> None:
        self.world = world
        self.stored = self.state = stored
        self.leading_since = world.now
        self.looked_up: dict[tuple[int, int], datetime] = {}
        self.terminated: dict[str, datetime] = {}

    def write(self) -> None:
        if self.world.trouble(0.05):
            raise Died
        self.stored = self.state
        if self.world.trouble(0.05):
            raise Died

    def run(self) -> Action:
        for _ in range(1000):
            action = decide(self.facts())
            if isinstance(action, Rest | Finish):
                self.write()
                return action
            self.act(action)
        raise AssertionError(f"no rest from {action}")

    def facts(self) -> Facts:
        return Facts(
            gate=self.gate(),
            limits=Limits(
                backoff_limit_per_index=LIMIT,
                parallelism=self.world.parallelism,
                order=self.world.order,
                suspend=self.world.suspend,
                map_limit=12,
            ),
            state=self.state,
            now=self.world.now,
            settle=SETTLE,
            lost_after=timedelta(days=1),
            leading_since=self.leading_since,
            seen={
                job.id: Seen(job.status, Counts(running=len(job.indexes) * (job.status == "RUNNING")))
                for job in self.world.jobs
            },
            looked_up=self.looked_up,
            terminated=self.terminated,
        )

    def gate(self) -> Gate:
        if self.world.upstream is None:
            return Gate()
        ready = IndexSet.of(self.world.upstream)
        everything = IndexSet.below(self.world.size)
        never = IndexSet.of(self.world.barren)
        ended = ready | never == everything
        if ended and not never:
            return Gate()
        return Gate(ready=ready, never=never if ended else IndexSet(), lacking="another")

    def act(self, action: Action) -> None:
        match action:
            case Submit():
                self.submit(action)
            case LookUp(shards):
                self.look_up(shards)
            case Harvest(shards):
                self.harvest(shards)
            case Terminate(shards, _):
                for shard in shards:
                    self.terminated[shard.job_id] = self.world.now
                    job = next(job for job in self.world.jobs if job.id == shard.job_id)
                    if job.status == "RUNNING":
                        self.world.end(job, stopped=True)
            case _:
                self.state = moved(self.state, action, limit=LIMIT, now=self.world.now)

    def submit(self, action: Submit) -> None:
        before = {key_of(shard): shard for shard in self.state.open}
        self.state = self.state.intending(action.parts, action.again, self.world.now)
        sent = [shard for shard in self.state.open if before.get(key_of(shard)) != shard]
        for shard in sent:
            self.looked_up.pop(key_of(shard), None)
        self.write()
        layout = Layout(self.state.ledger.plan)
        for shard in sent:
            if self.world.trouble(0.1):
                # The process is slow, and a look-up by its successor must wait from now, not from the intent.
                self.world.now += SETTLE
            if self.world.trouble(0.05):
                raise Died
            update: dict[str, object] = {"since": to_text(self.world.now)}
            if self.world.trouble(0.1):
                update |= {"state": "Refused", "tries": shard.tries - 1}
            elif not self.world.trouble(0.15):
                job = self.world.accept(key_of(shard), layout.part(shard.first, shard.size))
                if not self.world.trouble(0.2):
                    update |= {"state": "Submitted", "job_id": job.id}
                elif self.world.trouble(0.3):
                    raise Died
            self.state = self.state.with_open([shard.model_copy(update=update)])

    def look_up(self, shards: tuple[Shard, ...]) -> None:
        for shard in shards:
            jobs = [
                ListedJob(job.id, "", int(job.accepted.timestamp() * 1000))
                for job in self.world.jobs
                if job.name == key_of(shard) and job.visible <= self.world.now
            ]
            self.looked_up[key_of(shard)] = self.world.now
            known, twins = adopted(shard, jobs, self.world.now)
            assert not twins
            self.state = self.state.with_open([known])

    def harvest(self, shards: tuple[Shard, ...]) -> None:
        for shard in shards:
            job = next(job for job in self.world.jobs if job.id == shard.job_id)
            results = IndexSet.of(job.succeeded), IndexSet.of(job.failed)
            self.state = replace(self.state, ledger=self.state.ledger.with_results(*results))
            self.state = self.state.closing(shard, "Succeeded", self.world.now)


@pytest.fixture(scope="module")
def small_arrays():
    """Many shards of few indexes, a few of them at once."""
    with (
        mock.patch("pierhead.batch.submitting.shards.ARRAY_LIMIT", 7),
        mock.patch("pierhead.batch.decide.MOST_OPEN", 3),
    ):
        yield


ORDERS = st.sampled_from(["Parallel", "Parallel", "Sequential", "SequentialTolerant"])


@pytest.mark.usefixtures("small_arrays")
@settings(max_examples=150)
@given(
    st.integers(1, 60),
    st.none() | st.integers(1, 20),
    ORDERS,
    st.none() | st.sets(st.integers(0, 59), max_size=3),
    st.randoms(use_true_random=False),
)
def test_no_index_runs_without_cause_and_all_come_to_an_end(size, parallelism, order, barren, chance):
    world = World(size, chance, parallelism=parallelism, order=order)
    if barren is not None:
        world.upstream, world.barren = set(), {index for index in barren if index < size}
    process = Process(world, State(ledger=Ledger.first(size)))
    for turn in range(400):
        world.calm = turn > 60
        try:
            end = process.run()
        except Died:
            process = Process(world, process.stored)
            continue
        if isinstance(end, Finish):
            break
        world.pass_time()
    else:
        raise AssertionError("it never ended")
    succeeded = {index for job in world.jobs for index in job.succeeded}
    assert set(process.state.ledger.succeeded) == succeeded
    exhausted = {index for index in range(size) if world.failures[index] > LIMIT} - succeeded
    expected = set(range(size)) - world.barren
    if order == "Sequential":
        expected = {index for index in expected if index < min(world.barren, default=size)}
        expected = {index for index in expected if index <= min(exhausted, default=size)}
    assert succeeded | exhausted == expected
    assert (end.target is None) == (len(succeeded) == size)
    if world.barren and not exhausted:
        assert end.target.reason == FAILED
