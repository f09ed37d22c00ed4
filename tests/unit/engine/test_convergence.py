"""Whatever users, the network and crashes do: in the end every object is as its spec says, and stays so."""

import asyncio
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pierhead.engine.outcome import Transient
from pierhead.engine.resource import ObjectKey
from support.memory_store import MemoryStore, Phase, Request
from support.virtual_time import cancelled, virtual_time
from support.widgets import FINALIZER, Harness

RESYNC = 600.0
LONG = 4 * RESYNC

NAMES = st.sampled_from("abc")
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("change"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("status"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("delete"), NAMES, st.none()),
    st.tuples(st.just("touch"), NAMES, st.integers(0, 9)),
    st.tuples(st.just("wait"), st.none(), st.floats(0.0, 5.0)),
    st.tuples(st.just("hold"), st.none(), st.none()),
    st.tuples(st.just("release"), st.none(), st.none()),
    st.tuples(st.just("lose"), st.none(), st.none()),
    st.tuples(st.just("find"), st.none(), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
)


def act(store: MemoryStore, step: str, name: str | None, value: Any) -> None:
    """One step of a user or of the network."""
    key = ObjectKey("team", name or "")
    there = key in store.keys
    if step == "create" and not there:
        store.create(key.name, spec={"size": value})
    elif step == "change" and there:
        store.change(key, {"size": value})
    elif step == "status" and there:
        store.set_status(key, {"size": value})
    elif step == "touch" and there:
        store.annotate(key, touched=str(value))
    elif step == "delete" and there:
        store.delete(key)
    elif step == "hold":
        store.hold()
    elif step == "release":
        store.release()
    elif step in {"lose", "find"}:
        store.lose(lossy=step == "lose")


class Weather:
    """Requests are slow, some fail before they are served, of some the answer is lost."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self.calm = False

    async def __call__(self, _request: Request, _phase: Phase) -> None:
        await asyncio.sleep(self._random.choice((0.0, 0.001, 0.3)))
        if not self.calm and self._random.random() < 0.2:
            raise Transient("weather")


def converged(store: MemoryStore) -> None:
    for key in store.keys:
        live = store.live(key)
        assert "deletionTimestamp" not in live["metadata"], f"{key} never went"
        assert live["metadata"]["finalizers"] == [FINALIZER]
        assert live["status"]["size"] == live["spec"]["size"]
        assert live["status"]["observedGeneration"] == live["metadata"]["generation"]
        assert [entry["type"] for entry in live["status"]["conditions"]] == ["Ready"]


@settings(max_examples=120, deadline=None)
@given(steps=st.lists(STEPS, max_size=25), seed=st.integers(0, 2**32))
def test_every_history_ends_in_what_the_specs_say(
    steps: list[tuple[str, str | None, Any]], seed: int
) -> None:
    @virtual_time
    async def body() -> None:
        weather = Weather(seed)
        store = MemoryStore(page_size=2, on_request=weather)
        harness = Harness(store=store, resync_seconds=RESYNC, random=Random(seed))
        await harness.__aenter__()
        for step, name, value in steps:
            if step == "wait":
                await asyncio.sleep(value)
            elif step == "restart":
                await harness.stop()
                harness = Harness(store=store, resync_seconds=RESYNC, random=Random(seed))
                await harness.__aenter__()
            else:
                act(store, step, name, value)
        weather.calm = True
        store.release()
        store.lose(lossy=False)
        await asyncio.sleep(LONG)
        converged(store)
        changed = sum(request.changed for request in store.requests)
        written = len(store.writes)
        await asyncio.sleep(LONG)
        assert (sum(request.changed for request in store.requests), len(store.writes)) == (changed, written)
        assert len(harness.metrics.exposition()) > 0
        await harness.stop()

    body()


class Crash(BaseException):
    """The process ends here."""


class CrashOnce:
    """Ends the process before or after its n-th write."""

    def __init__(self, number: int, phase: Phase) -> None:
        self._number = number
        self._phase = phase
        self._writes = 0
        self.happened = False

    async def __call__(self, request: Request, phase: Phase) -> None:
        if not request.writes:
            return
        self._writes += phase == "before"
        if self._writes == self._number and phase == self._phase and not self.happened:
            self.happened = True
            raise Crash


async def supervise(store: MemoryStore) -> None:
    """The process, started anew whenever it crashed."""
    while True:
        harness = Harness(store=store, workers=1)
        await harness.__aenter__()
        assert harness.task is not None
        try:
            await harness.task
        except Crash:
            continue


async def lived_through(crash: CrashOnce | None) -> MemoryStore:
    """Two objects settle and one is deleted."""
    store = MemoryStore() if crash is None else MemoryStore(on_request=crash)
    process = asyncio.create_task(supervise(store))
    store.create("a", spec={"size": 1})
    store.create("b", spec={"size": 2})
    await asyncio.sleep(5.0)
    store.delete(ObjectKey("team", "b"))
    await asyncio.sleep(5.0)
    await cancelled(process)
    return store


@pytest.mark.parametrize("phase", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 6))
def test_a_crash_before_or_after_any_write_changes_nothing_in_the_end(number: int, phase: Phase) -> None:
    @virtual_time
    async def body() -> None:
        crash = CrashOnce(number, phase)
        calm, crashed = await lived_through(None), await lived_through(crash)
        assert crash.happened
        for store in (calm, crashed):
            converged(store)
            assert store.keys == [ObjectKey("team", "a")]
            assert sum(request.changed for request in store.requests) == 5

    body()
