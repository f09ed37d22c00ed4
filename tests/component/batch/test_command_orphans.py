"""`pierhead batch orphans` as a process, against the API server and Batch."""

from pathlib import Path

import pytest

from support.batch_lab import REGION, Lab
from support.command_line import CommandLine
from support.waiting import eventually


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    return CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="batch")


def _submit(lab: Lab, name: str, tags: dict[str, str]) -> str:
    definition = lab.boto.register_job_definition(
        jobDefinitionName=f"{lab.namespace}-other",
        type="container",
        containerProperties={
            "image": "example.com/work:1",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "64"}],
        },
    )
    answer = lab.boto.submit_job(
        jobName=name, jobQueue=lab.queue, jobDefinition=definition["jobDefinitionArn"], tags=tags
    )
    job_id: str = answer["jobId"]
    return job_id


async def test_only_jobs_of_ours_whose_batch_job_is_gone_are_terminated(
    lab: Lab, pierhead: CommandLine
) -> None:
    lab.batch.script(stays="RUNNING")
    lab.operator(cluster_name="here")
    alive = await lab.job(completions=2)
    await lab.until(alive, lambda obj: obj.get("status", {}).get("states", {}).get("running"))
    known = lab.submissions()[0].job_id
    assert lab.described(known)[0]["tags"]["pierhead.dev/cluster"] == "here"
    tags = {
        "pierhead.dev/namespace": lab.namespace,
        "pierhead.dev/name": "gone",
        "pierhead.dev/uid": "00000000-0000-0000-0000-000000000000",
    }
    orphan = _submit(lab, "orphan", {**tags, "pierhead.dev/cluster": "here"})
    foreign = _submit(lab, "foreign", {**tags, "pierhead.dev/cluster": "there"})
    nameless = _submit(lab, "nameless", tags)
    other = _submit(lab, "other", {})

    async def run(*arguments: str):
        given = ("--queue", lab.queue, "--region", REGION, *arguments)
        return await pierhead("orphans", *given, cluster=False)

    every = {entry["jobId"]: entry["ours"] for entry in (await run("-o", "json")).json}
    assert every == {orphan: False, foreign: False, nameless: False}
    refused = await run("--terminate", "--yes")
    assert (refused.code, "nothing was terminated" in refused.errors) == (1, True)
    unasked = await run("--cluster", "here", "--terminate")
    assert (unasked.code, "Give --yes" in unasked.errors) == (1, True)
    lab.aws.clear_calls()
    done = await run("--cluster", "here", "--terminate", "--yes")
    assert done.code == 0, done.errors
    assert lab.aws.count("batch", "TerminateJob") == 1
    assert "1 may be another cluster's" in done.errors
    await eventually(lambda: lab.described(orphan)[0]["isTerminated"])
    left = {job["jobId"]: job["isTerminated"] for job in lab.described(known, foreign, nameless, other)}
    assert left == dict.fromkeys((known, foreign, nameless, other), False)
