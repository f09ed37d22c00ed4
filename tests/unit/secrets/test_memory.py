"""What needs no reading: settled, undisturbed, not due; and how a process picks up from one before it."""

import asyncio
from random import Random
from typing import Any

import pytest

from pierhead.engine.outcome import Waiting
from pierhead.engine.properties import Fault
from pierhead.engine.refreshes import Refreshes
from pierhead.engine.resource import ObjectKey
from pierhead.secrets.freshness import Freshness, Limits
from pierhead.secrets.memory import Memory
from pierhead.secrets.model import SyncedSecretSpec
from pierhead.secrets.reading.due import Due
from support.secret_specs import entry, live_of, resource_of, restart_of, spec_of, status_of
from support.virtual_time import now, virtual_time

SPEC = spec_of(data=[entry("A")])
ONCE = spec_of(data=[entry("A")], refresh={"mode": "Once"})
STATUS = status_of("m", live=live_of())
RESOURCE = resource_of()
READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Synced",
    "message": "1 key",
    "lastTransitionTime": "2026-11-23T10:00:00Z",
}


def memory_of() -> Memory:
    refreshes = Refreshes[ObjectKey](
        clock=now, random=Random(0), call_later=asyncio.get_running_loop().call_later
    )
    return Memory(refreshes, Due(clock=now), Freshness(Limits(), clock=now), poll_seconds=100, clock=now)


def settled(
    memory: Memory, spec: SyncedSecretSpec = SPEC, *, resource: Any = RESOURCE, in_place: bool = True
) -> bool:
    return memory.settled(resource, spec, STATUS, lambda _resource, _status: in_place) is not None


@virtual_time
async def test_what_is_settled_is_settled_until_it_is_due() -> None:
    memory = memory_of()
    assert not settled(memory)
    memory.end(RESOURCE, SPEC, STATUS, text="1 key")
    assert settled(memory)
    await asyncio.sleep(102)
    assert not settled(memory)
    memory.end(RESOURCE, SPEC, STATUS, text="1 key")
    await asyncio.sleep(89)
    assert settled(memory)
    await asyncio.sleep(13)
    assert not settled(memory)


@virtual_time
async def test_a_change_of_the_object_or_of_its_annotation_is_read_at_once() -> None:
    memory = memory_of()
    memory.end(RESOURCE, SPEC, STATUS)

    assert not settled(memory, resource=resource_of(generation=2))
    assert not settled(memory, resource=resource_of(annotations={"pierhead.dev/reconcile-at": "now"}))
    assert settled(memory)


@virtual_time
async def test_a_forced_read_is_recorded_and_not_repeated() -> None:
    memory = memory_of()
    forced = resource_of(annotations={"pierhead.dev/reconcile-at": "x" * 1000})
    outcome = memory.end(forced, SPEC, STATUS)

    assert outcome.status["reconcileAt"] == "x" * 256
    assert settled(memory, resource=forced)


@virtual_time
async def test_a_changed_secret_is_repaired_at_once_and_then_ever_slower() -> None:
    memory = memory_of()
    memory.end(RESOURCE, SPEC, STATUS)
    assert not settled(memory, in_place=False)
    assert not settled(memory, in_place=False)
    with pytest.raises(Waiting) as waiting:
        settled(memory, in_place=False)

    assert waiting.value.reason == "Contested"


@virtual_time
async def test_what_was_made_due_is_read_whatever_was_planned() -> None:
    memory = memory_of()
    memory.end(RESOURCE, SPEC, STATUS)
    memory.make_due(RESOURCE.key)

    assert not settled(memory)


@virtual_time
async def test_failures_add_up_and_a_success_ends_them() -> None:
    refreshes = Refreshes[ObjectKey](
        clock=now, random=Random(0), call_later=asyncio.get_running_loop().call_later
    )
    memory = Memory(refreshes, Due(clock=now), Freshness(Limits(), clock=now), poll_seconds=100, clock=now)
    due = asyncio.Event()
    refreshes.start(lambda _key: due.set())
    waits = []
    for fault in [*[Fault("NotJSON", "x")] * 3, None, Fault("NotJSON", "x")]:
        memory.end(RESOURCE, SPEC, STATUS, fault=fault)
        due.clear()
        began = now()
        await due.wait()
        waits.append(now() - began)

    for waited, interval in zip(waits, [30, 60, 100, 100, 30], strict=True):
        assert interval * 0.9 <= waited <= interval * (1 + 1 / 60)


@virtual_time
async def test_open_restarts_are_looked_at_without_a_read() -> None:
    memory = memory_of()
    memory.end(RESOURCE, SPEC, STATUS.model_copy(update={"restarts": [restart_of("shop")]}), text="ok")
    past = memory.settled(RESOURCE, SPEC, STATUS, lambda _resource, _status: True)

    assert past is not None
    assert past is memory.past(RESOURCE.key)
    assert past.outcome(past.status, 7.0).requeue_after == 7.0
    after = memory.keep(RESOURCE, past, STATUS)
    assert after.requeue_after is None
    assert [one.type for one in after.conditions] == ["Ready"]


@pytest.mark.parametrize(
    ("spec", "stored", "in_place", "again"),
    [
        (ONCE, {"observedGeneration": 1, "conditions": [READY]}, True, False),
        (SPEC, {"observedGeneration": 1, "conditions": [READY]}, True, True),
        (ONCE, {"observedGeneration": 0, "conditions": [READY]}, True, True),
        (ONCE, {"observedGeneration": 1, "conditions": [READY | {"status": "False"}]}, True, True),
        (ONCE, {"observedGeneration": 1, "conditions": [READY], "reconcileAt": "before"}, True, True),
        (ONCE, {"observedGeneration": 1, "conditions": [READY]}, False, True),
        (ONCE, {}, True, True),
    ],
)
@virtual_time
async def test_once_means_once_across_restarts_of_the_operator(
    spec: SyncedSecretSpec, stored: dict[str, Any], in_place: bool, again: bool
) -> None:
    past = memory_of().settled(RESOURCE, spec, status_of("m", **stored), lambda *_: in_place)

    assert (past is None) is again
    if past is not None:
        assert [(one.type, one.message) for one in past.outcome(past.status).conditions] == [
            ("Ready", "1 key")
        ]


@virtual_time
async def test_three_broken_objects_do_not_make_hundreds_of_calls_a_day() -> None:
    refreshes = Refreshes[ObjectKey](
        clock=now, random=Random(0), call_later=asyncio.get_running_loop().call_later
    )
    memory = Memory(refreshes, Due(clock=now), Freshness(Limits(), clock=now), poll_seconds=3600, clock=now)
    looks: list[ObjectKey] = []
    broken = {one.key: one for one in (resource_of(name=name) for name in ("a", "b", "c"))}

    def look(key: ObjectKey) -> None:
        looks.append(key)
        memory.end(broken[key], SPEC, STATUS, fault=Fault("AccessDenied", "no"))

    refreshes.start(look)
    for key in broken:
        look(key)
    await asyncio.sleep(24 * 3600)

    assert 60 < len(looks) < 100
