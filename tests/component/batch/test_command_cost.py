"""`pierhead batch cost` as a process, against a running operator and Batch."""

from pathlib import Path

from support.batch_lab import Lab
from support.command_line import CommandLine


async def test_what_ran_is_measured_in_every_round(lab: Lab, tmp_path: Path) -> None:
    pierhead = CommandLine(lab.sandbox.environment, lab.namespace, tmp_path, group="batch")
    waiting = await lab.job(completions=3)
    planned = (await pierhead("cost", waiting, "--seconds-per-index", "1200", "-o", "json")).json
    assert (planned["ahead"]["vcpuHours"], planned["ahead"]["gibHours"]) == (1, 2)
    assert lab.aws.count("batch") == 0
    lab.batch.script(indexes="1", exit_code=1)
    lab.operator()
    name = await lab.job(completions=3, backoffLimitPerIndex=1, template=_template(vcpu=4, memory=1024))
    await lab.has(name, "Complete")
    data = (await pierhead("cost", name, "-o", "json")).json
    assert data["resources"] == {"vcpu": 4, "memoryMiB": 1024}
    assert (data["measured"]["runs"], data["unmeasured"]["runs"], data["ahead"]["runs"]) == (4, 0, 0)
    assert data["measured"]["seconds"] > 0
    text = await pierhead("cost", name)
    assert text.output.split()[:4] == ["RUNS", "VCPU-HOURS", "GIB-HOURS", "COST"]
    assert "prices of" in text.errors


def _template(*, vcpu: int, memory: int) -> dict[str, object]:
    resources = {"vcpu": vcpu, "memoryMiB": memory}
    return {"container": {"image": "example.com/work:1", "resources": resources}}
