import os
import subprocess
import sys
from pathlib import Path

import pytest
from bench.usage import usage_of

TICK = 1 / os.sysconf("SC_CLK_TCK")


def process(proc: Path, pid: int, *, parent: int, ticks: tuple[int, int, int, int], peak: str = "") -> None:
    folder = proc / str(pid)
    folder.mkdir(parents=True)
    before = " ".join(["0"] * 9)
    times = " ".join(map(str, ticks))
    (folder / "stat").write_text(f"{pid} (a (bad) name) S {parent} {before} {times} 20 0 1\n")
    (folder / "status").write_text(f"Name:\tx\n{peak}\n")


def test_a_process_and_its_children_are_added_up(tmp_path: Path):
    process(tmp_path, 10, parent=1, ticks=(100, 20, 3, 4), peak="VmHWM:\t  2048 kB")
    process(tmp_path, 11, parent=10, ticks=(10, 0, 0, 0), peak="VmHWM:\t  1024 kB")
    process(tmp_path, 12, parent=11, ticks=(1000, 0, 0, 0), peak="VmHWM:\t 9 kB")
    (tmp_path / "self").mkdir()

    usage = usage_of(10, tmp_path)

    assert usage.cpu_seconds == pytest.approx(137 * TICK)
    assert usage.peak_rss_mib == pytest.approx(3.0)
    assert len(usage.children) == 1


def test_a_real_process_has_its_childrens_time_and_its_own_peak():
    work = "sum(range(3_000_000)); print(1, flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {work!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as running:
        assert running.stdout is not None
        running.stdout.readline()

        usage = usage_of(running.pid)

        (child,) = usage.children
        assert child.cpu_seconds > 0
        assert child.peak_rss_mib > 1
        assert usage.cpu_seconds >= child.cpu_seconds
        running.communicate(b"\n")
