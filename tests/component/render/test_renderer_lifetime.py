"""How renderer processes start, fail to start, and end with their parent."""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pierhead.render import RendererCrashed, RendererPool
from support.renders import CHARTS, of_chart

GOOD = of_chart(CHARTS / "simple")

# Ends at the first byte it gets.
DYING = """#!/bin/sh
echo started >> "$(dirname "$0")/starts"
printf '\\000\\000\\000\\014{"ready":{}}'
head -c 1 > /dev/null
echo "something broke" >&2
exit 3
"""

PARENT = """
import asyncio, sys
from pathlib import Path
from pierhead.render import Chart, Release, RendererPool, RenderRequest

async def main():
    request = RenderRequest(chart=Chart(Path(sys.argv[2]), Release("demo", "shop")))
    async with RendererPool(Path(sys.argv[1]), processes=2, patience=0) as pool, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(pool.render(request))
        while len(pool.pids) < 2:
            await asyncio.sleep(0.01)
        print(*pool.pids, flush=True)

asyncio.run(main())
"""


@dataclass
class Clock:
    """Stands still but for what a test adds."""

    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def program(folder: Path, text: str) -> Path:
    path = folder / "renderer"
    path.write_text(text)
    path.chmod(0o755)
    return path


async def test_a_program_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    pool = RendererPool(tmp_path / "none", processes=2)
    with pytest.raises(RendererCrashed, match="none cannot be started: No such file"):
        await pool.start()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/bin/sh\necho no room >&2\nexit 1\n", "ended at its start: no room"),
        ("#!/bin/sh\nexit 1\n", "ended at its start: without a word"),
        ("#!/bin/sh\necho hello, I am a shell\n", "does not answer as a renderer does"),
        ("#!/bin/sh\nprintf '\\000\\000\\000\\002{}'\nexec cat\n", "does not answer as a renderer does"),
    ],
)
async def test_a_program_that_is_no_renderer_is_told_at_the_start(
    tmp_path: Path, text: str, message: str
) -> None:
    pool = RendererPool(program(tmp_path, text), processes=1)
    with pytest.raises(RendererCrashed, match=message):
        await pool.start()
    assert pool.pids == ()


async def test_more_processes_are_there_while_requests_wait_and_no_longer(
    renderer_path: Path, tmp_path: Path
) -> None:
    clock = Clock()
    async with RendererPool(renderer_path, processes=3, patience=0, clock=clock) as pool:
        (first,) = pool.pids
        for _ in range(3):
            assert (await pool.render(GOOD)).objects
        assert pool.pids == (first,), "nobody had to wait"
        await asyncio.gather(*(pool.render(GOOD) for _ in range(20)))
        assert len(pool.pids) == 3
        clock.seconds += 599
        await pool.render(GOOD)
        assert len(pool.pids) == 3
        clock.seconds += 2
        for left in (2, 1, 1):
            assert (await pool.render(GOOD)).objects
            assert len(pool.pids) == left


async def test_a_renderer_that_keeps_crashing_is_started_ever_more_slowly(tmp_path: Path) -> None:
    path = program(tmp_path, DYING)
    async with RendererPool(path, processes=1) as pool:
        began = time.monotonic()
        for _ in range(4):
            with pytest.raises(RendererCrashed, match="something broke"):
                await pool.render(GOOD)
        # 0.1, 0.2 and 0.4 s before the second, third and fourth start.
        assert time.monotonic() - began > 0.7
    assert (tmp_path / "starts").read_text().count("started") == 4


async def test_renderers_die_with_their_parent_however_it_dies(renderer_path: Path, tmp_path: Path) -> None:
    endless = (
        "{{ range until 100000 }}{{ range until 100000 }}{{ range until 9999 }}{{ end }}{{ end }}{{ end }}"
    )
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "x.yaml").write_text(endless)
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: endless, version: 1.0.0}")
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, renderer_path, tmp_path),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert parent.stdout is not None
    pids = [int(pid) for pid in (await parent.stdout.readline()).split()]
    assert len(pids) == 2
    handles = [os.pidfd_open(pid) for pid in pids]
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    for handle in handles:
        async with asyncio.timeout(5):
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(handle, ended.set)
            await ended.wait()
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def test_a_program_whose_parent_is_gone_ends_at_once(renderer_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(renderer_path, f"--parent={2**22}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    assert b"the parent is gone" in await process.stderr.read()
    assert await process.wait() == 1
