"""The benchmarks, with small numbers: that they run, not how fast."""

import asyncio
import json
import sys

import pytest

from repository_files import ROOT

pytestmark = pytest.mark.xdist_group("e2e")


@pytest.mark.parametrize(("name", "n"), [("cold_apps", 3), ("cold_secrets", 3), ("array_job", 30)])
async def test_a_benchmark_ends_with_its_figures(name: str, n: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"bench.{name}", "-n", str(n), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()

    assert process.returncode == 0
    figures = json.loads(printed.decode().rstrip("\n").rpartition("\n")[2])
    assert (figures["benchmark"], figures["n"]) == (name, n)
    assert figures["seconds"] > 0
    assert figures["limit_seconds"] > 0
    assert figures["api_requests_per_object"] >= 2
    assert (figures["aws_calls_per_object"] > 0) == (name != "cold_apps")
    assert figures["peak_rss_mib"] > 20
