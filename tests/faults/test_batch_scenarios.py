"""BatchJobs through two thousand seeded runs of crashes, lost answers, throttling, lags and lost events.

What a run is made of is in `support/batch_faults/scenario.py`, what it has to keep in `judge.py` there. A run
that breaks a promise is told by its seed and everything that happened; run that seed, or others, by

    BATCH_FAULT_SEEDS=1610 pytest tests/faults/test_batch_scenarios.py -k seeds
    BATCH_FAULT_SEEDS=10000-19999 pytest tests/faults/test_batch_scenarios.py -k seeds -n 2

A hundred of the runs have a real API server, and the same judge.
"""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from pierhead.batch import decide, report
from pierhead.batch.deciding import certainty
from pierhead.batch.following import children
from pierhead.batch.ledgers.indexes import IndexSet
from pierhead.batch.ledgers.ledger import Ledger
from pierhead_sandbox.sandbox import Sandbox
from support.batch_faults.judge import report as told
from support.batch_faults.judge import violations
from support.batch_faults.scenario import draw
from support.batch_faults.stage import Played, play
from support.batch_faults.wires import HttpWire, in_memory
from support.objects import crds_served, credentials_of

FIRST, _, LAST = os.environ.get("BATCH_FAULT_SEEDS", "0-1999").partition("-")
SEEDS = range(int(FIRST), int(LAST or FIRST) + 1)
CHUNK = 100
ON_A_REAL_ONE = 100


def judge(runs: Iterable[Played]) -> None:
    broken = [(played, found) for played in runs if (found := violations(played))]
    if broken:
        seeds = ", ".join(str(played.scenario.seed) for played, _ in broken)
        pytest.fail(f"{len(broken)} runs broke their promises, of seeds {seeds}\n{told(*broken[0])}")


@pytest.mark.parametrize("first", range(SEEDS.start, SEEDS.stop, CHUNK))
def test_every_promise_is_kept_by_seeds(first: int) -> None:
    judge(play(draw(seed), in_memory) for seed in range(first, min(first + CHUNK, SEEDS.stop)))


def test_a_run_is_made_of_its_seed_alone() -> None:
    for seed in range(20):
        assert play(draw(seed), in_memory).trace == play(draw(seed), in_memory).trace


def never(*_: object, **__: object) -> bool:
    return False


def nothing(*_: object, **__: object) -> None:
    return None


def forgetful(ledger: Ledger, succeeded: IndexSet, failed: IndexSet) -> Ledger:
    lost = IndexSet() if ledger.round else IndexSet.of([0])
    return replace(ledger, succeeded=ledger.succeeded | succeeded - lost, failed=ledger.failed | failed)


SABOTAGE: dict[str, tuple[Any, str, Callable[..., Any], str]] = {
    "what may be in Batch is sent again at once": (certainty, "_doubtful", never, "are called"),
    "nothing is terminated": (decide, "_clear", nothing, "is alive after"),
    "what pierhead stopped counts as failed": (children, "_stopped_by_us", never, "failedIndexes says"),
    "a success is forgotten": (Ledger, "with_results", forgetful, "though it succeeded"),
    "a sign is left out": (report, "_aim", lambda _: report.not_ready("x", "y"), "without its sign"),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_the_judge_sees_what_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place, attribute, instead, words = SABOTAGE[name]
    monkeypatch.setattr(place, attribute, instead)
    for seed in range(150):
        if any(words in text for text in violations(play(draw(seed, small=True), in_memory))):
            return
    pytest.fail("nothing was noticed")


@pytest.fixture(scope="module")
def batch_jobs_served(sandbox: Sandbox) -> None:
    crds_served(sandbox, "batchjobs")


@pytest.mark.parametrize("first", range(0, ON_A_REAL_ONE, 25))
async def test_every_promise_is_kept_on_a_real_api_server(
    batch_jobs_served: None, sandbox: Sandbox, namespace: str, first: int
) -> None:
    async with HttpWire.opened(credentials_of(sandbox)) as wire:
        runs = [
            await asyncio.to_thread(play, draw(seed, small=True), lambda: wire, namespace)
            for seed in range(first, first + 25)
        ]
    judge(runs)
