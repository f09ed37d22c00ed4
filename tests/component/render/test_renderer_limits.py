"""What costs a renderer its process, and what the pool does then."""

import asyncio
import contextlib
import os
import re
import signal
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from pierhead.render import (
    LookupCall,
    PlainManifests,
    RendererCrashed,
    RendererPool,
    RenderInvalid,
    RenderOutOfMemory,
    RenderRequest,
    RenderTimeout,
)
from pierhead.render.protocol import decode_lines
from support.renders import CHARTS, CONFIG_MAP, of_chart, of_template
from support.waiting import eventually

GOOD = of_chart(CHARTS / "simple")

FOR_EVER = (
    "{{ range until 100000 }}{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}{{ end }}"
)


@pytest.fixture
async def small(renderer_path: Path) -> AsyncIterator[RendererPool]:
    """Two processes with little memory."""
    async with RendererPool(renderer_path, processes=2, memory_mib=128, deadline_seconds=60) as started:
        yield started


@pytest.fixture
async def hasty(renderer_path: Path) -> AsyncIterator[RendererPool]:
    """Two processes with little time."""
    async with RendererPool(renderer_path, processes=2, deadline_seconds=1.5) as started:
        yield started


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


async def test_a_template_that_runs_for_ever_costs_its_process(hasty: RendererPool, tmp_path: Path) -> None:
    before = set(hasty.pids)
    with pytest.raises(RenderTimeout, match=r"did not end within 1\.5 s: look for a loop") as caught:
        await hasty.render(of_template(tmp_path, FOR_EVER))
    assert caught.value.terminal
    assert caught.value.reason == "RenderTimeout"
    assert not before & set(hasty.pids)
    assert (await hasty.render(GOOD)).objects


async def test_a_process_that_is_not_let_run_is_no_fault_of_the_chart(renderer_path: Path) -> None:
    async with RendererPool(renderer_path, processes=1, deadline_seconds=0.5) as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGSTOP)
        # One thread takes the signal, and until it runs the others go on.
        await eventually(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("T"))
        with pytest.raises(RendererCrashed, match="the operator needs more CPU") as caught:
            await pool.render(GOOD)
        assert not caught.value.terminal
        assert (await pool.render(GOOD)).objects


EATING = {
    "a list": "{{ range until 100000000 }}{{ end }}",
    "a string": '{{ repeat 500000000 "x" }}',
    "output that grows": '{{ $x := repeat 1000000 "x" }}{{ range until 1000 }}{{ $x }}{{ end }}',
    "a value that doubles": '{{ $x := "xxxxxxxx" }}{{ range until 40 }}{{ $x = print $x $x }}{{ end }}',
    "recursion": '{{ define "r" }}{{ template "r" . }}{{ end }}{{ template "r" . }}',
    "recursion that grows": (
        '{{ define "r" }}{{ include "r" (dict "a" . "b" (repeat 1000000 "x")) }}{{ end }}{{ include "r" . }}'
    ),
    "recursive tpl": (
        '{{ define "r" }}{{ tpl (print "{{ include `r` . }}" (repeat 100000 " ")) . }}{{ end }}'
        '{{ include "r" . }}'
    ),
}


@pytest.mark.parametrize("case", EATING)
async def test_a_template_that_eats_memory_is_told_so(small: RendererPool, tmp_path: Path, case: str) -> None:
    with pytest.raises(RenderOutOfMemory, match=r"more than the 128 MiB .* look for a loop") as caught:
        await small.render(of_template(tmp_path, EATING[case]))
    assert caught.value.terminal
    assert caught.value.reason == "RenderOutOfMemory"
    assert (await small.render(GOOD)).objects


def peak_mib(pid: int) -> int:
    """The most memory a process ever held, its program included; 0 when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) // 1024 if found else 0


@pytest.mark.parametrize("template", ['{{ repeat 2000000000 "x" }}', EATING["a value that doubles"]])
async def test_what_a_template_eats_is_never_the_machines(
    small: RendererPool, tmp_path: Path, template: str
) -> None:
    pids = small.pids
    request = asyncio.create_task(small.render(of_template(tmp_path, template)))
    peak = 0
    while not request.done():
        peak = max(peak, *(peak_mib(pid) for pid in pids))
        await asyncio.sleep(0.001)
    with pytest.raises(RenderOutOfMemory):
        await request
    # The limit, and the program's own pages.
    assert 0 < peak < 128 + 64


async def test_manifests_that_eat_memory_are_told_so(small: RendererPool) -> None:
    text = f"{CONFIG_MAP}data: [{'a,' * 2_000_000}]\n"
    with pytest.raises(RenderOutOfMemory):
        await small.render(RenderRequest(manifests=PlainManifests(text=text)))
    assert (await small.render(GOOD)).objects


async def test_endless_recursion_is_an_error_of_the_chart(pool: RendererPool, tmp_path: Path) -> None:
    template = '{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}'
    with pytest.raises(RenderInvalid, match="nested reference name: r"):
        await pool.render(of_template(tmp_path, template))


async def test_too_much_output_is_an_error(pool: RendererPool, tmp_path: Path) -> None:
    template = CONFIG_MAP + 'data: {x: "{{ repeat 34000000 "x" }}"}'
    with pytest.raises(RenderInvalid, match="rendered 32 MiB of manifests, more than the limit of 32 MiB"):
        await pool.render(of_template(tmp_path, template))


async def test_large_output_comes_whole_and_is_decoded_beside_the_event_loop(
    pool: RendererPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []

    def decode(payload: bytes) -> list[Any]:
        threads.append(threading.current_thread() is threading.main_thread())
        return decode_lines(payload)

    monkeypatch.setattr("pierhead.render.process.decode_lines", decode)
    documents = (
        '{{ range $i := until 3000 }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: "c-{{ $i }}"}\n'
        'data: {x: "{{ repeat 1000 "x" }}"}\n{{ end }}'
    )
    rendering = await pool.render(of_template(tmp_path, documents))
    assert len(rendering.objects) == 3000
    assert {len(item.object["data"]["x"]) for item in rendering.objects} == {1000}
    await pool.render(GOOD)
    # In front is the greeting of the process, when this test is the first to use the pool.
    assert threads[-2:] == [False, True]


async def test_a_process_killed_in_the_middle_costs_its_request_only(
    small: RendererPool, tmp_path: Path
) -> None:
    request = asyncio.create_task(small.render(of_template(tmp_path, FOR_EVER)))
    await eventually(lambda: any(cpu_ticks(pid) > 20 for pid in small.pids))
    busy = max(small.pids, key=cpu_ticks)
    os.kill(busy, signal.SIGKILL)
    with pytest.raises(RendererCrashed) as caught:
        await request
    assert not caught.value.terminal
    assert busy not in small.pids
    assert (await small.render(GOOD)).objects


def cpu_ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11])


async def test_a_process_killed_while_idle_costs_nothing(renderer_path: Path) -> None:
    async with RendererPool(renderer_path, processes=1) as pool:
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: not pool.pids)
        assert (await pool.render(GOOD)).objects
        assert pool.pids != (pid,)


async def test_a_cancelled_request_frees_its_place(small: RendererPool, tmp_path: Path) -> None:
    endless = of_template(tmp_path, FOR_EVER)
    requests = [asyncio.create_task(small.render(endless)) for _ in range(4)]
    await eventually(lambda: sum(cpu_ticks(pid) > 5 for pid in small.pids) == 2)
    old = small.pids
    for request in requests:
        request.cancel()
    assert all(
        isinstance(end, asyncio.CancelledError)
        for end in await asyncio.gather(*requests, return_exceptions=True)
    )
    assert (await small.render(GOOD)).objects
    await eventually(lambda: not any(running(pid) for pid in old))


async def test_waiting_for_a_place_is_not_counted(renderer_path: Path, tmp_path: Path) -> None:
    async with RendererPool(renderer_path, processes=1, deadline_seconds=1) as pool:
        endless = of_template(tmp_path, FOR_EVER)
        blocked = [asyncio.create_task(pool.render(endless)) for _ in range(2)]
        await asyncio.sleep(0)
        assert (await pool.render(GOOD)).objects, "after 2 s of others"
        for request in blocked:
            with pytest.raises(RenderTimeout):
                await request


async def test_the_callers_lookup_is_not_counted(renderer_path: Path) -> None:
    answered = asyncio.Event()

    async def lookup(_: LookupCall) -> None:
        if not answered.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await asyncio.Event().wait()
            answered.set()

    async with RendererPool(renderer_path, processes=1, deadline_seconds=0.8) as pool:
        assert (await pool.render(of_chart(CHARTS / "dynamic"), lookup)).objects


async def test_fifty_at_once_over_two_processes_all_get_their_own_answer(renderer_path: Path) -> None:
    async with RendererPool(renderer_path, processes=2) as pool:
        pids = pool.pids
        renderings = await asyncio.gather(
            *(pool.render(of_chart(CHARTS / "simple", values={"replicas": n})) for n in range(50))
        )
        counts = [
            item.object["spec"]["replicas"]
            for rendering in renderings
            for item in rendering.objects
            if item.object["kind"] == "Deployment"
        ]
        assert counts == list(range(50))
        assert len(pool.pids) <= 2
        assert set(pids) <= set(pool.pids), "none was lost"


async def test_requests_are_served_in_the_order_they_came(renderer_path: Path) -> None:
    ended: list[int] = []

    async with RendererPool(renderer_path, processes=1) as pool:

        async def one(number: int) -> None:
            await pool.render(GOOD)
            ended.append(number)

        await asyncio.gather(*(one(number) for number in range(20)))
    assert ended == list(range(20))


async def test_stopping_ends_requests_and_processes(renderer_path: Path, tmp_path: Path) -> None:
    pool = RendererPool(renderer_path, processes=2, patience=0)
    await pool.start()
    endless = of_template(tmp_path, FOR_EVER)
    requests = [asyncio.create_task(pool.render(endless)) for _ in range(5)]
    await eventually(lambda: sum(cpu_ticks(pid) > 5 for pid in pool.pids) == 2)
    pids = pool.pids
    await pool.stop()
    assert not any(running(pid) for pid in pids)
    ends = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(end) for end in ends] == [RendererCrashed] * 5
    with pytest.raises(RendererCrashed, match="stopping"):
        await pool.render(GOOD)


async def test_a_process_that_keeps_too_much_is_replaced(renderer_path: Path) -> None:
    async with RendererPool(renderer_path, processes=1, kept_mib=1) as pool:
        seen = set(pool.pids)
        for _ in range(3):
            assert (await pool.render(GOOD)).objects
        await eventually(lambda: not any(running(pid) for pid in seen))
    async with RendererPool(renderer_path, processes=1) as pool:
        seen = set(pool.pids)
        for _ in range(3):
            await pool.render(GOOD)
        assert set(pool.pids) == seen
