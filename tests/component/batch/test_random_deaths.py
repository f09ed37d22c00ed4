"""An operator that dies again and again, whenever, still runs every index as often as it has to."""

import asyncio
from random import Random

import pytest

from pierhead_sandbox.aws.protocol import Fault
from support.batch_lab import Lab


@pytest.mark.parametrize("seed", range(3))
async def test_every_index_runs_and_no_job_is_submitted_twice(lab: Lab, seed, monkeypatch):
    monkeypatch.setattr("pierhead.aws.identity.READ_SECONDS", 1)
    chance = Random(seed)
    lab.batch.configure(list_lag_seconds=0.3, describe_lag_seconds=0.2, summary_lag_seconds=0.3)
    lab.batch.script(job_name="*-r0-*", share=0.3, exit_code=1)
    for fault in (Fault.server_error, Fault.drop):
        lab.aws.add_fault(fault("batch", "SubmitJob", times=1, accepted=True).model_copy(update={"skip": 2}))
    names = [await lab.job(completions=size, backoffLimitPerIndex=1) for size in (1, 7, 40, 2_500)]
    ended = [asyncio.create_task(lab.has(name, "Complete", within=80)) for name in names]
    for _ in range(6):
        calls_left = chance.randrange(1, 40)

        def dies(_what: str, _phase: str) -> bool:
            nonlocal calls_left
            calls_left -= 1
            return calls_left <= 0

        operator = lab.operator(dies_at=dies, batch_settle_seconds=1)
        died = asyncio.create_task(operator.life.crashed.wait())
        await asyncio.wait([died, *ended], timeout=3, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        await operator.stop()
    lab.operator(batch_settle_seconds=1)
    for task, size in zip(ended, (1, 7, 40, 2_500), strict=True):
        obj = await task
        assert obj["status"]["succeeded"] == size
    jobs = [entry.job_name for entry in lab.submissions()]
    assert len(jobs) == len(set(jobs))
    assert sum(entry.array_size or 1 for entry in lab.submissions() if "-r0-" in entry.job_name) == 2_548
