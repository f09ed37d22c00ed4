"""The benchmarks, with small numbers: that they run, not how fast."""

import asyncio
import json
import sys
from typing import Any

import pytest

from repository_files import ROOT

pytestmark = pytest.mark.xdist_group("e2e")


async def figures_of(name: str, n: int, *arguments: str) -> dict[str, Any]:
    """What a benchmark prints last."""
    command = ("-m", f"bench.{name}", "-n", str(n), *arguments)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()

    assert process.returncode == 0
    figures: dict[str, Any] = json.loads(printed.decode().rstrip("\n").rpartition("\n")[2])
    assert (figures["benchmark"], figures["n"]) == (name, n)
    assert figures["seconds"] > 0
    assert figures["peak_rss_mib"] > 20
    return figures


# An upgrade begins with what `cold_apps` does.
@pytest.mark.parametrize(("name", "n"), [("upgrade_apps", 3), ("cold_secrets", 3)])
async def test_a_benchmark_ends_with_its_figures(name: str, n: int) -> None:
    figures = await figures_of(name, n)
    assert figures["limit_seconds"] > 0
    assert figures["api_requests_per_object"] >= 2
    assert (figures["aws_calls_per_object"] > 0) == (not name.endswith("_apps"))


async def test_the_benchmark_of_drift_undoes_all_of_it() -> None:
    figures = await figures_of("drift_apps", 3)
    assert 0 < figures["p50_seconds"] <= figures["p99_seconds"]


async def test_the_benchmark_of_sick_releases_compares_the_healthy_ones() -> None:
    figures = await figures_of("sick_apps", 2, "--sick", "3")
    assert figures["p99_seconds"] > 0
    assert figures["p99_seconds_alone"] > 0


async def test_the_benchmark_of_memory_compares_the_last_round_with_a_warm_one() -> None:
    figures = await figures_of("flat_memory", 2, "--rounds", "3")
    assert figures["rss_mib_at_the_end"] > 20
    assert abs(figures["growth_percent"]) < 50


async def test_the_benchmark_of_shared_secrets_counts_the_reads_of_each() -> None:
    figures = await figures_of("shared_secrets", 40, "--secrets", "4")
    assert figures["secrets_read"] == 4
    assert figures["most_reads_of_one_secret"] == 1


async def test_the_benchmark_of_an_hour_of_rest_finds_only_the_poll() -> None:
    figures = await figures_of("steady_secrets", 12, "--secrets", "3")
    assert figures["api_writes"] == 0
    assert (figures["secrets_read"], figures["most_reads_of_one_secret"]) == (3, 1)
    assert figures["aws_calls"] <= 3


async def test_the_benchmark_of_rotations_reads_each_of_them_once_at_most() -> None:
    figures = await figures_of("rotate_secrets", 3, "--rate", "5")
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
    assert 0 < figures["reads_per_rotation"] <= 1


async def test_the_benchmark_of_an_array_runs_what_failed_again_with_events_and_without() -> None:
    figures = await figures_of("array_job", 30, "--runs", "2", "--poll", "1")
    assert figures["limit_seconds"] > 0
    assert figures["rounds"] == 2
    assert 0 < figures["aws_calls_per_state_change"] < 1
    assert 0 < figures["status_bytes"] <= 65_536
    assert figures["complete_after_p99_seconds"] > 0
    assert figures["complete_after_p99_seconds_without_events"] > 0


async def test_the_benchmark_of_many_arrays_finds_no_write_while_nothing_changes() -> None:
    figures = await figures_of("many_arrays", 3, "--children", "5", "--window", "3", "--poll", "1")
    assert figures["aws_calls_per_object"] > 1
    assert figures["idle_api_writes"] == 0
    assert set(figures["idle_aws_calls"]) <= {"batch:DescribeJobs", "sqs:ReceiveMessage"}
    assert figures["trickle_writes"]["batchjobs/status"] > 0
