"""The operator as a process on a real API server: through kopf, with a Lease, to the end."""

import asyncio
import signal
import time

from pierhead.kube.resources import CUSTOM_RESOURCE_DEFINITIONS, LEASES
from pierhead.model import FINALIZER
from support.lab import Lab, say

COUNT = 300


async def test_300_objects_settle_once_and_a_restart_writes_nothing(lab: Lab) -> None:
    await asyncio.gather(*(lab.create(f"w{number}", size=number) for number in range(COUNT)))
    before = lab.writes()
    process = await lab.process().start()
    started = time.monotonic()
    await process.leads()
    leading = time.monotonic()
    objects = await lab.settled()
    done = time.monotonic()
    say(
        f"{COUNT} objects: {COUNT / (done - leading):.0f}/s once synced; "
        f"{done - started:.2f} s from the start of the process"
    )
    assert all(obj["metadata"]["finalizers"] == [FINALIZER] for obj in objects)
    assert all(obj["status"]["size"] == obj["spec"]["size"] for obj in objects)
    assert all("annotations" not in obj["metadata"] for obj in objects)
    assert lab.writes() - before == 2 * COUNT
    process.signal(signal.SIGTERM)
    assert await process.ended(10.0) == 0

    before = lab.writes()
    again = await lab.process().start()
    await again.leads()
    await again.eventually(lambda: f'result="success"}} {COUNT}.0' in again.ask("/metrics")[1], within=30.0)
    assert lab.writes() == before
    assert again.ask("/livez") == (200, "ok\n")
    assert not [line for line in again.logged() if line["level"] in {"warning", "error"}]


async def test_changes_and_deletions_are_followed_by_watch(lab: Lab) -> None:
    process = await lab.process().start()
    await process.leads()
    await lab.create("w", size=1)
    assert (await lab.settled(5.0))[0]["status"]["size"] == 1
    await lab.kube.merge_patch(lab.resource, "w", lab.namespace, {"spec": {"size": 2}})
    assert (await lab.settled(5.0))[0]["status"]["size"] == 2
    await lab.kube.merge_patch(lab.resource, "w", lab.namespace, {"spec": {"size": -1}})
    (failed,) = await lab.settled(5.0)
    conditions = {entry["type"]: entry for entry in failed["status"]["conditions"]}
    assert conditions["Stalled"]["message"] == "spec.size: must not be negative"
    assert failed["status"]["size"] == 2
    (event,) = await lab.events(5.0)
    assert (event["type"], event["reason"], event["note"]) == (
        "Warning",
        "Invalid",
        "spec.size: must not be negative",
    )
    await lab.kube.delete(lab.resource, "w", lab.namespace)
    await lab.empty(5.0)


async def test_a_second_process_stands_by_and_takes_over_when_the_first_is_killed(lab: Lab) -> None:
    first = await lab.process().start()
    await first.leads()
    second = await lab.process().start()
    await second.ready()
    await lab.create("w1", size=1)
    (shown,) = await lab.settled()
    assert shown["status"]["process"] == first.pid
    assert 'leader_election_master_status{name="pierhead-leader"} 0.0' in second.ask("/metrics")[1]
    await first.kill()
    died = time.monotonic()
    await lab.create("w2", size=2)
    objects = await lab.settled(25.0)
    taken = time.monotonic() - died
    say(f"taken over and settled {taken:.1f} s after SIGKILL")
    assert taken < 20.0
    assert {obj["metadata"]["name"]: obj["status"]["process"] for obj in objects} == {
        "w1": first.pid,
        "w2": second.pid,
    }


async def test_sigterm_finishes_what_runs_and_hands_the_lease_over(lab: Lab) -> None:
    first = await lab.process().start()
    await first.leads()
    second = await lab.process().start()
    await second.ready()
    await lab.create("slow", size=3000)
    running = 'controller_runtime_active_workers{controller="Widget"} 1.0'
    await first.eventually(lambda: running in first.ask("/metrics")[1], 10.0)
    first.signal(signal.SIGTERM)
    told = time.monotonic()
    assert await first.ended(30.0) == 0
    say(f"ended {time.monotonic() - told:.1f} s after SIGTERM")
    (shown,) = await lab.objects()
    assert shown["status"]["process"] == first.pid
    await second.leads(5.0)
    assert first.logged()[-1]["event"] == "lease released"


async def test_a_process_that_stands_by_ends_at_once_and_leaves_the_lease_alone(lab: Lab) -> None:
    first = await lab.process().start()
    await first.leads()
    second = await lab.process().start()
    await second.ready()
    holder = await lab.holder()
    second.signal(signal.SIGTERM)
    assert await second.ended(5.0) == 0
    assert await lab.holder() == holder
    assert first.ask("/readyz")[0] == 200


async def test_a_process_that_was_stopped_past_its_lease_ends_without_a_write(lab: Lab) -> None:
    first = await lab.process().start()
    await first.leads()
    second = await lab.process().start()
    await second.ready()
    await lab.create("w", size=2000)
    running = 'controller_runtime_active_workers{controller="Widget"} 1.0'
    await first.eventually(lambda: running in first.ask("/metrics")[1], 10.0)
    first.signal(signal.SIGSTOP)
    try:
        await second.leads(25.0)
        (shown,) = await lab.settled()
        assert shown["status"]["process"] == second.pid
        before = lab.writes()
    finally:
        first.signal(signal.SIGCONT)
    continued = time.monotonic()
    assert await first.ended(5.0) == 1
    say(f"ended {time.monotonic() - continued:.2f} s after SIGCONT")
    assert lab.writes() == before
    assert first.logged()[-1]["event"] == "the Lease is lost; ending at once"


async def test_a_stolen_lease_ends_the_process_at_once(lab: Lab) -> None:
    process = await lab.process().start()
    await process.leads()
    await lab.kube.merge_patch(
        LEASES, "pierhead-leader", lab.namespace, {"spec": {"holderIdentity": "thief"}}
    )
    assert await process.ended(5.0) == 1
    assert "thief" in process.logged()[-1]["reason"]


async def test_a_kind_that_is_not_there_yet_is_waited_for(bare_lab: Lab) -> None:
    process = await bare_lab.process().start()
    waiting = "waiting for CustomResourceDefinitions"
    await process.eventually(lambda: waiting in process.log.read_text(), 10.0)
    assert process.ask("/readyz") == (503, "has not begun\n")
    await bare_lab.define()
    await process.ready(10.0)
    await bare_lab.create("w", size=1)
    await bare_lab.settled(10.0)


async def test_a_kind_that_goes_away_ends_the_process_with_a_word_about_it(bare_lab: Lab) -> None:
    lab = bare_lab
    await lab.define()
    process = await lab.process().start()
    await process.leads()
    await lab.kube.delete(CUSTOM_RESOURCE_DEFINITIONS, lab.resource.group_resource)
    assert await process.ended(30.0) == 1
    assert "the operator cannot go on" in [line["event"] for line in process.logged()]
    assert await lab.holder() == ""


async def test_an_object_nested_without_end_ends_no_watch(lab: Lab) -> None:
    """The API server takes ten times the depth that Python decodes, of anybody who may write an object."""
    process = await lab.process().start()
    await process.leads()
    await lab.create("deep", size=1)
    await lab.settled(5.0)
    deep = '{"a":' * 9_000 + "1" + "}" * 9_000
    patch = f'{{"status": {{"deep": {deep}}}}}'
    kind = f"{lab.resource.plural}.{lab.resource.group}"
    where = ("deep", "-n", lab.namespace, "--subresource=status")
    lab.sandbox.kubectl("patch", kind, *where, "--type=merge", "-p", patch)
    try:
        await lab.create("late", size=2)
        await lab.settled(5.0)
        again = await lab.process().start()
        process.signal(signal.SIGTERM)
        await again.leads()
        await lab.create("later", size=3)
        await lab.settled(5.0)
    finally:
        lab.sandbox.kubectl("patch", kind, *where, "--type=merge", "-p", '{"status": {"deep": null}}')
